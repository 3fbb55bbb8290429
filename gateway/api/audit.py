"""Who did what."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Items, Listing
from gateway.api.routes import blueprint
from gateway.services import audit, pages


class AuditOut(BaseModel):
    id: UUID
    at: dt.datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditsOut(Items[AuditOut]):
    """A page of the audit trail."""


@blueprint.get("/audit")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(AuditsOut)
def list_audit(access: Access, query: Listing) -> object:
    """List what was done to the account and by whom, newest first"""
    after = pages.decode_cursor(query.after, pages.uuid_of) if query.after else None
    with runtime.current().units.read() as uow:
        lines = audit.trail(uow, access.scope, after=after, limit=query.limit)
    return {
        "items": [
            AuditOut(
                id=line.id,
                at=line.at,
                actor=line.actor,
                action=line.action,
                subject=line.subject,
                detail=line.detail,
            )
            for line in lines
        ],
        "next": pages.encode_cursor(lines[-1].id) if len(lines) == query.limit else None,
    }
