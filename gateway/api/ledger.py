"""The statement: every line that moved the balance, and why it is what it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from billing.explain import Explanation
from billing.postings import SECONDS
from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import PDF_FILE, Items, Listing, Money, money, page, rate_or_none
from gateway.api.routes import blueprint
from gateway.services import credit_receipts, receipt_files, statement, statement_files
from gateway.services.statement import StatementLine

PostingKind = Literal[
    "usage",
    "topup",
    "adjustment",
    "rental",
    "reversal",
    "access_fee",
    "plan_change",
    "package",
    "issue",
    "draw",
    "expire",
    "included_credit",
    "credit_expiry",
    "refund",
    "sms",
    "surcharge",
]


Figure = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]+(\.[0-9]{2,6})?$",
        description="Exact decimal text in `currency`; whole seconds where that is SECONDS.",
        examples=["-0.069166", "-20"],
    ),
]


def figure(amount: int, unit: str) -> str:
    return str(amount) if unit == SECONDS else money(amount)


class LedgerListing(Listing):
    kind: PostingKind | None = Field(None, description="Lines of this kind only.")


class PostingOut(BaseModel):
    id: str
    at: dt.datetime
    kind: str
    amount: Figure = Field(description="Negative is a charge.")
    balance_after: Figure
    currency: str = Field(
        description='Of the amount: an ISO code, or "SECONDS" for minutes of a package or pool.',
        examples=["USD", "SECONDS"],
    )
    description: str
    package: str | None = Field(description="The package or bundle whose minutes they are.")
    call_sid: str | None
    leg_sid: str | None
    billed_seconds: int | None
    rate_per_minute: Money | None
    plan_version_id: UUID | None = Field(description="The plan version the charge was made by.")
    receipt_id: UUID | None = Field(description="The webhook that caused it.")
    reverses: str | None = Field(description="Key of the line that this one takes back.")
    actor: str | None
    reason: str | None
    has_receipt: bool = Field(description="A PDF is at `/ledger/{id}/receipt.pdf`.")


class PostingsOut(Items[PostingOut]):
    """A page of the statement."""


class StepOut(BaseModel):
    label: str
    formula: str
    value: int


class ExplanationOut(BaseModel):
    words: str
    steps: list[StepOut] = Field(description="Sums over whole numbers; the last is the amount.")
    amount: Figure
    currency: str = Field(description='An ISO code, or "SECONDS".')


@blueprint.get("/ledger")
@for_account
@blueprint.input(LedgerListing, location="query", arg_name="query")
@blueprint.output(PostingsOut)
def list_postings(access: Access, query: LedgerListing) -> object:
    """List the lines of the statement, newest first"""
    kinds = () if query.kind is None else (query.kind,)
    with runtime.current().units.read() as uow:
        found = statement.list_postings(uow, access.scope, query.after, query.limit, kinds)
        keys = [line.key for line in found.items]
        receipts = credit_receipts.known(uow, access.scope, keys)
    return page(found, lambda line: posting_out(line, receipts))


@blueprint.get("/ledger/<posting_id>")
@for_account
@blueprint.output(PostingOut)
def get_posting(access: Access, posting_id: str) -> PostingOut:
    """One line of the statement"""
    with runtime.current().units.read() as uow:
        line = statement.get_posting(uow, access.scope, posting_id)
        return posting_out(line, credit_receipts.known(uow, access.scope, (line.key,)))


@blueprint.get("/ledger/<credit_id>/receipt.pdf")
@for_account
@blueprint.doc(responses=PDF_FILE)
def get_receipt_pdf(access: Access, credit_id: str) -> Response:
    """The receipt of a credit, or the credit note of a refund, as PDF

    The same file whenever it is asked for; 404 for a line that has none.
    """
    running = runtime.current()
    with running.units.read() as uow:
        key = statement.get_posting(uow, access.scope, credit_id).key
    content = receipt_files.pdf(running.units, access.scope, key, running.settings)
    return Response(content, mimetype=statement_files.PDF)


@blueprint.get("/ledger/<posting_id>/explanation")
@for_account
@blueprint.output(ExplanationOut)
def explain_posting(access: Access, posting_id: str) -> ExplanationOut:
    """Why a line is what it is

    In words, and in sums that can be repeated by hand. Amounts in the sums are millionths of the
    currency.
    """
    with runtime.current().units.read() as uow:
        line = statement.get_posting(uow, access.scope, posting_id)
        explanation = statement.explain(uow, access.scope, posting_id)
    return explanation_out(explanation, line.unit)


def posting_out(line: StatementLine, receipts: Container[str] = ()) -> PostingOut:
    """`receipts`: the keys of the lines that have one."""
    return PostingOut(
        id=line.id,
        at=line.at,
        kind=line.kind,
        amount=figure(line.amount_micros, line.unit),
        balance_after=figure(line.balance_after_micros, line.unit),
        currency=line.unit,
        description=line.description,
        package=line.package,
        call_sid=line.call_sid,
        leg_sid=line.leg_sid,
        billed_seconds=line.billed_seconds,
        rate_per_minute=rate_or_none(line.rate_micros),
        plan_version_id=line.plan_version_id,
        receipt_id=line.receipt_id,
        reverses=line.reverses_key,
        actor=line.actor,
        reason=line.reason,
        has_receipt=line.key in receipts,
    )


def explanation_out(explanation: Explanation, currency: str) -> ExplanationOut:
    return ExplanationOut(
        words=explanation.words,
        steps=[
            StepOut(label=step.label, formula=step.formula, value=step.value)
            for step in explanation.steps
        ],
        amount=figure(explanation.amount_micros, currency),
        currency=currency,
    )
