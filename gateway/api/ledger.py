"""The statement: every line that moved the balance, and why it is what it is."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from billing.explain import Explanation
from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Items, Listing, Money, money, page, rate_or_none
from gateway.api.routes import blueprint
from gateway.services import statement
from gateway.services.statement import StatementLine

PostingKind = Literal["usage", "topup", "adjustment", "rental", "reversal"]


class LedgerListing(Listing):
    kind: PostingKind | None = Field(None, description="Lines of this kind only.")


class PostingOut(BaseModel):
    id: str
    at: dt.datetime
    kind: str
    amount: Money = Field(description="Negative is a charge.")
    balance_after: Money
    currency: Currency
    description: str
    call_sid: str | None
    leg_sid: str | None
    billed_seconds: int | None
    rate_per_minute: Money | None
    plan_version_id: UUID | None = Field(description="The plan version the charge was made by.")
    receipt_id: UUID | None = Field(description="The webhook that caused it.")
    reverses: str | None = Field(description="Key of the line that this one takes back.")
    actor: str | None
    reason: str | None


class PostingsOut(Items[PostingOut]):
    """A page of the statement."""


class StepOut(BaseModel):
    label: str
    formula: str
    value: int


class ExplanationOut(BaseModel):
    words: str
    steps: list[StepOut] = Field(description="Sums over whole numbers; the last is the amount.")
    amount: Money
    currency: Currency


@blueprint.get("/ledger")
@for_account
@blueprint.input(LedgerListing, location="query", arg_name="query")
@blueprint.output(PostingsOut)
def list_postings(access: Access, query: LedgerListing) -> object:
    """List the lines of the statement, newest first"""
    kinds = () if query.kind is None else (query.kind,)
    with runtime.current().units.read() as uow:
        found = statement.list_postings(uow, access.scope, query.after, query.limit, kinds)
    return page(found, posting_out)


@blueprint.get("/ledger/<posting_id>")
@for_account
@blueprint.output(PostingOut)
def get_posting(access: Access, posting_id: str) -> PostingOut:
    """One line of the statement"""
    with runtime.current().units.read() as uow:
        return posting_out(statement.get_posting(uow, access.scope, posting_id))


@blueprint.get("/ledger/<posting_id>/explanation")
@for_account
@blueprint.output(ExplanationOut)
def explain_posting(access: Access, posting_id: str) -> ExplanationOut:
    """Why a line is what it is

    In words, and in sums that can be repeated by hand. Amounts in the sums are millionths of the
    currency.
    """
    with runtime.current().units.read() as uow:
        explanation = statement.explain(uow, access.scope, posting_id)
    return explanation_out(explanation, access.currency)


def posting_out(line: StatementLine) -> PostingOut:
    return PostingOut(
        id=line.id,
        at=line.at,
        kind=line.kind,
        amount=money(line.amount_micros),
        balance_after=money(line.balance_after_micros),
        currency=line.unit,
        description=line.description,
        call_sid=line.call_sid,
        leg_sid=line.leg_sid,
        billed_seconds=line.billed_seconds,
        rate_per_minute=rate_or_none(line.rate_micros),
        plan_version_id=line.plan_version_id,
        receipt_id=line.receipt_id,
        reverses=line.reverses_key,
        actor=line.actor,
        reason=line.reason,
    )


def explanation_out(explanation: Explanation, currency: str) -> ExplanationOut:
    return ExplanationOut(
        words=explanation.words,
        steps=[
            StepOut(label=step.label, formula=step.formula, value=step.value)
            for step in explanation.steps
        ],
        amount=money(explanation.amount_micros),
        currency=currency,
    )
