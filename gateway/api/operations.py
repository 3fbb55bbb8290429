"""For staff: what waits, what was given up, what was mailed."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_ops
from gateway.api.fields import Items, Line, Listing, page
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import operations
from gateway.services.operations import Deed, MailLine
from gateway.services.principals import Principal


class Mending(Model):
    reason: Line


class DeedOut(BaseModel):
    id: UUID
    account_id: UUID
    account_name: str | None
    queue: str
    kind: str
    key: str
    payload: dict[str, Any]
    created_at: dt.datetime
    attempts: int
    last_error: str | None
    dead_at: dt.datetime | None


class DeedsOut(Items[DeedOut]):
    """A page of deeds that were given up."""


class MailOut(BaseModel):
    id: UUID
    account_id: UUID
    to: str
    subject: str
    sent_at: dt.datetime
    transport: str


class MailsOut(Items[MailOut]):
    """A page of the mailbox."""


class WholeMailOut(MailOut):
    body: str
    attachments: list[str] = Field(description="Names of the files that came with it.")


class WaitingOut(BaseModel):
    name: str
    count: int = Field(description=f"Stops at {operations.COUNT_MAX}.")
    oldest_seconds: float


class OperationsOut(BaseModel):
    queues: list[WaitingOut]
    settlement: WaitingOut
    dead: int
    clock_age_seconds: float | None = Field(description="Null: no clock process ever ran.")


@blueprint.get("/ops/operations")
@for_ops
@blueprint.output(OperationsOut)
def get_operations(staff: Principal) -> OperationsOut:
    """How much work waits, and for how long (staff)"""
    with runtime.current().units.read() as uow:
        seen = operations.overview(uow)
    return OperationsOut(
        queues=[_waiting_out(queue) for queue in seen.queues],
        settlement=_waiting_out(seen.settlement),
        dead=seen.dead,
        clock_age_seconds=None if seen.clock is None else seen.clock.age_seconds,
    )


@blueprint.get("/ops/deeds")
@for_ops
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(DeedsOut)
def list_dead_deeds(staff: Principal, query: Listing) -> object:
    """List deeds that were given up, newest first (staff)"""
    with runtime.current().units.read() as uow:
        return page(operations.dead_deeds(uow, query.after, query.limit), _deed_out)


@blueprint.post("/ops/deeds/<uuid:deed_id>/revive")
@for_ops
@blueprint.input(Mending, arg_name="body")
@blueprint.output({}, status_code=204)
def revive_deed(staff: Principal, deed_id: UUID, body: Mending) -> Response:
    """Try a deed again, at once and with all its tries (staff)"""
    with runtime.current().units.begin() as uow:
        operations.revive(uow, deed_id, body.reason, staff.name)
    return Response(status=204)


@blueprint.post("/ops/deeds/<uuid:deed_id>/discard")
@for_ops
@blueprint.input(Mending, arg_name="body")
@blueprint.output({}, status_code=204)
def discard_deed(staff: Principal, deed_id: UUID, body: Mending) -> Response:
    """Never do a deed (staff)"""
    with runtime.current().units.begin() as uow:
        operations.discard(uow, deed_id, body.reason, staff.name)
    return Response(status=204)


@blueprint.get("/ops/mails")
@for_ops
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(MailsOut)
def list_mails(staff: Principal, query: Listing) -> object:
    """List what was mailed, newest first (staff)"""
    with runtime.current().units.read() as uow:
        return page(operations.mailbox(uow, query.after, query.limit), _mail_out)


@blueprint.get("/ops/mails/<uuid:mail_id>")
@for_ops
@blueprint.output(WholeMailOut)
def get_mail(staff: Principal, mail_id: UUID) -> WholeMailOut:
    """One mail (staff)"""
    with runtime.current().units.read() as uow:
        mail = operations.get_mail(uow, mail_id)
    return WholeMailOut(**_mail_fields(mail), body=mail.body, attachments=mail.attachments)


def _waiting_out(waiting: operations.Waiting) -> WaitingOut:
    return WaitingOut(
        name=waiting.name, count=waiting.count, oldest_seconds=round(waiting.oldest_seconds, 3)
    )


def _deed_out(deed: Deed) -> DeedOut:
    return DeedOut(**{name: getattr(deed, name) for name in DeedOut.model_fields})


def _mail_out(mail: MailLine) -> MailOut:
    return MailOut(**_mail_fields(mail))


def _mail_fields(mail: MailLine) -> dict[str, Any]:
    return {
        "id": mail.id,
        "account_id": mail.account_id,
        "to": mail.to_address,
        "subject": mail.subject,
        "sent_at": mail.sent_at,
        "transport": mail.transport,
    }
