"""Mandates of an account, and what is collected by them next."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import Currency, Line, Money, OptionalLine, money
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import debit_runs, mandates
from gateway.store.mandates import StoredMandate


class MandateIn(Model):
    reference: Line = Field(description="Letters and digits, 35 at most; never given before.")
    signed_on: dt.date
    iban: Line
    holder: OptionalLine = Field("", description="Empty: the account's name.")


class EndIn(Model):
    reason: Line


class MandateOut(BaseModel):
    id: UUID
    reference: str
    signed_on: dt.date
    holder: str
    iban: str = Field(description="Its ends alone.")
    created_at: dt.datetime
    ended_at: dt.datetime | None
    ended_why: str | None


class MandatesOut(BaseModel):
    items: list[MandateOut]


class NextDebitOut(BaseModel):
    statement_id: UUID
    statement: str = Field(description="Its number.")
    amount: Money
    currency: Currency
    collect_on: dt.date
    iban: str = Field(description="Its ends alone.")
    asked: bool = Field(description="The bank has been asked; it comes even if the mandate ends.")


class NextDebitsOut(BaseModel):
    items: list[NextDebitOut]


@blueprint.get("/mandates")
@for_account
@blueprint.output(MandatesOut)
def list_mandates(access: Access) -> MandatesOut:
    """List the account's mandates, newest first

    The one without `ended_at` is in force.
    """
    with runtime.current().units.read() as uow:
        found = mandates.list_mandates(uow, access.scope)
    return MandatesOut(items=[_mandate_out(one) for one in found])


@blueprint.get("/mandates/next-debits")
@for_account
@blueprint.output(NextDebitsOut)
def list_next_debits(access: Access) -> NextDebitsOut:
    """What the account's bank is debited with next, the soonest first"""
    with runtime.current().units.read() as uow:
        found = debit_runs.coming(uow, access.scope)
    return NextDebitsOut(
        items=[
            NextDebitOut(
                statement_id=one.statement_id,
                statement=one.label,
                amount=money(one.amount_micros),
                currency=one.currency,
                collect_on=one.collect_on,
                iban=one.iban,
                asked=one.asked,
            )
            for one in found
        ]
    )


@blueprint.post("/mandates/end")
@for_account
@blueprint.input(EndIn, arg_name="body")
@blueprint.output(MandateOut)
def end_mandate(access: Access, body: EndIn) -> MandateOut:
    """End the mandate in force

    Nothing more is collected under it; what the bank was asked for already still comes.
    """
    with runtime.current().units.begin() as uow:
        mandates.end(uow, access.scope, body.reason, access.actor)
        return _mandate_out(mandates.list_mandates(uow, access.scope)[0])


@blueprint.post("/ops/mandates")
@for_account
@blueprint.input(MandateIn, arg_name="body")
@blueprint.output(MandateOut, status_code=201)
def keep_mandate(access: Access, body: MandateIn) -> MandateOut:
    """Keep a mandate that the customer has signed (staff)

    Another one that is in force ends with this; the same one again changes nothing.
    """
    require_ops()
    with runtime.current().units.begin() as uow:
        return _mandate_out(
            mandates.keep(
                uow,
                access.scope,
                reference=body.reference,
                signed_on=body.signed_on,
                holder=body.holder,
                iban=body.iban,
                actor=access.actor,
            )
        )


def _mandate_out(one: StoredMandate) -> MandateOut:
    return MandateOut(
        id=one.id,
        reference=one.reference,
        signed_on=one.signed_on,
        holder=one.holder,
        iban=one.masked_iban,
        created_at=one.created_at,
        ended_at=one.ended_at,
        ended_why=one.ended_why,
    )
