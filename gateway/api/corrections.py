"""Mistakes put right by new lines: one line undone, or a period priced anew (staff)."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import Currency, Line, Money, money
from gateway.api.ledger import PostingOut, posting_out
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import plans, rerating, reversals
from gateway.services.errors import Invalid, NotFound
from gateway.services.plans import PlanVersion
from gateway.services.rerating import Mistake
from gateway.uow import UnitOfWork


class ReversalIn(Model):
    reason: Line


class ReRatingIn(Model):
    since: dt.datetime = Field(description="Calls that started at or after this instant.")
    until: dt.datetime = Field(description="Calls that started before this instant.")
    wrong: UUID = Field(description="Id of the plan version that priced them.")
    right: UUID = Field(description="Id of the plan version that should have.")


class CorrectionIn(ReRatingIn):
    reason: Line


class ReRatingOut(BaseModel):
    legs: int = Field(description="Legs of the period that the wrong version priced.")
    changing: int
    undone_by_hand: int
    given_back: Money
    charged_instead: Money
    difference: Money = Field(description="What the balance moves by.")
    currency: Currency


class CorrectedOut(BaseModel):
    legs: int
    given_back: Money
    charged_instead: Money
    currency: Currency


@blueprint.post("/ops/ledger/<posting_id>/reversal")
@for_account
@blueprint.input(ReversalIn, arg_name="body")
@blueprint.output(PostingOut, status_code=201)
def reverse_posting(access: Access, posting_id: str, body: ReversalIn) -> PostingOut:
    """Undo a line (staff)

    A new line moves the amount back and points at this one; both stay. The second time answers
    the first reversal.
    """
    require_ops()
    with runtime.current().units.begin() as uow:
        return posting_out(
            reversals.reverse_posting(
                uow, access.scope, posting_id, reason=body.reason, actor=access.actor
            )
        )


@blueprint.post("/ops/re-ratings/preview")
@for_account
@blueprint.input(ReRatingIn, arg_name="body")
@blueprint.output(ReRatingOut)
def preview_re_rating(access: Access, body: ReRatingIn) -> ReRatingOut:
    """What pricing a period anew would change (staff)"""
    require_ops()
    with runtime.current().units.read() as uow:
        seen = rerating.preview(uow, access.scope, _mistake(uow, body))
    return ReRatingOut(
        legs=seen.legs,
        changing=seen.changing,
        undone_by_hand=seen.undone_by_hand,
        given_back=money(seen.given_back_micros),
        charged_instead=money(seen.taken_micros),
        difference=money(seen.difference_micros),
        currency=access.currency,
    )


@blueprint.post("/ops/re-ratings")
@for_account
@blueprint.input(CorrectionIn, arg_name="body")
@blueprint.output(CorrectedOut)
def re_rate(access: Access, body: CorrectionIn) -> CorrectedOut:
    """Price a period anew by reversals and new lines (staff)

    A second time finds nothing to do: it compares with what stands.
    """
    require_ops()
    units = runtime.current().units
    with units.read() as uow:
        mistake = _mistake(uow, body)
    done = rerating.correct(units, access.scope, mistake, reason=body.reason, actor=access.actor)
    return CorrectedOut(
        legs=done.legs,
        given_back=money(done.given_back_micros),
        charged_instead=money(done.taken_micros),
        currency=access.currency,
    )


def _mistake(uow: UnitOfWork, body: ReRatingIn) -> Mistake:
    for name, at in (("since", body.since), ("until", body.until)):
        if at.tzinfo is None:
            raise Invalid.at(f"/{name}", "write the offset too, such as 2026-03-01T00:00:00Z")
    return Mistake(
        body.since,
        body.until,
        _version(uow, body.wrong, "/wrong"),
        _version(uow, body.right, "/right"),
    )


def _version(uow: UnitOfWork, id: UUID, path: str) -> PlanVersion:
    try:
        return plans.plan_version(uow.connection, id)
    except NotFound:
        raise Invalid.at(path, "there is no such plan version") from None
