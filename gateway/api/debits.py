"""SEPA debits: runs and their files, what became of each, and the bank's own file (staff)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from billing.mandates import CURRENCY
from gateway import runtime
from gateway.api.access import for_ops
from gateway.api.fields import Currency, Items, Line, Listing, Money, money, page
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.limits import BANK_FILE, BANK_FILE_BYTES_MAX, takes
from gateway.services import accounts, debit_runs, debits, transfers
from gateway.services.debit_runs import Due
from gateway.services.principals import Principal
from gateway.store.debits import Debit, Run

FILE: Any = {
    200: {
        "description": "ISO 20022 pain.008",
        "content": {debit_runs.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
State = Literal["submitted", "collected", "returned", "canceled"]


class DueOut(BaseModel):
    account_id: UUID
    account_name: str
    statement_id: UUID
    statement: str = Field(description="Its number.")
    mandate: str = Field(description="Its reference.")
    iban: str = Field(description="Its ends alone.")
    amount: Money = Field(description="With its tax.")
    currency: Currency
    due_on: dt.date
    collect_on: dt.date


class DuesOut(Items[DueOut]):
    """The soonest first, then by the account's name."""


class DueQuery(Listing):
    until: dt.date | None = Field(None, description="Else within seven days.")


class RunIn(Model):
    until: dt.date | None = Field(None, description="Statements due until then; else seven days.")


class DebitRunOut(BaseModel):
    """`count` and `amount` leave out what was canceled."""

    id: UUID
    created_at: dt.datetime
    created_by: str
    count: int
    amount: Money
    currency: Currency
    submitted: int
    collected: int
    returned: int
    is_written: bool = Field(description="The file was made, and stays as it is.")


class DebitRunsOut(BaseModel):
    items: list[DebitRunOut]


class MadeOut(BaseModel):
    run: DebitRunOut | None = Field(description="Null: nothing falls due that has a mandate.")


class DebitsQuery(Listing):
    state: State | None = None


class DebitOut(BaseModel):
    id: UUID
    account_id: UUID
    account_name: str
    run_id: UUID
    statement_id: UUID
    statement: str = Field(description="Its number.")
    end_to_end_id: str = Field(description="What the bank hands back with the money.")
    amount: Money
    currency: Currency
    collect_on: dt.date
    state: State
    why: str = Field(description="What the bank, or a person, said of it.")


class DebitsOut(Items[DebitOut]):
    """A page of debits."""


class DecisionIn(Model):
    deed: Literal["cancel", "collected", "returned"]
    reason: Line


class BankFileIn(Model):
    content: str = Field(
        min_length=1,
        max_length=BANK_FILE_BYTES_MAX,
        description="camt.053 (XML), or CSV with date, amount, currency and reference;"
        " a negative amount that names a debit, or has a `reason`, went back.",
    )


class ImportedOut(BaseModel):
    credited: int
    unmatched: int = Field(description="Left for people, on the page of transfers.")
    known: int = Field(description="Imported before.")
    returned: int = Field(description="Debits that went back.")


@blueprint.get("/ops/debits/due")
@for_ops
@blueprint.input(DueQuery, location="query", arg_name="query")
@blueprint.output(DuesOut)
def list_due_debits(staff: Principal, query: DueQuery) -> object:
    """List what a run would collect, the soonest first (staff)"""
    with runtime.current().units.read() as uow:
        found = debit_runs.due(uow, query.until, after=query.after, limit=query.limit)
        return page(found, _due_out)


@blueprint.post("/ops/debit-runs")
@for_ops
@blueprint.input(RunIn, arg_name="body")
@blueprint.output(MadeOut, status_code=201)
def prepare_debits(staff: Principal, body: RunIn) -> MadeOut:
    """Make a run of all that is due (staff)

    A statement is in one run only, so sending this twice collects nothing twice. Money counts as
    paid when the bank's own file says so.
    """
    running = runtime.current()
    run = debit_runs.prepare(running.units, running.settings, staff.name, body.until)
    return MadeOut(run=None if run is None else _run_out(run))


@blueprint.get("/ops/debit-runs")
@for_ops
@blueprint.output(DebitRunsOut)
def list_debit_runs(staff: Principal) -> DebitRunsOut:
    """List the newest runs (staff)"""
    with runtime.current().units.read() as uow:
        return DebitRunsOut(items=[_run_out(run) for run in debit_runs.runs(uow)])


@blueprint.get("/ops/debit-runs/<uuid:run_id>.xml")
@for_ops
@blueprint.doc(responses=FILE)
def get_debit_file(staff: Principal, run_id: UUID) -> Response:
    """The file of a run for the bank, pain.008 (staff)

    Made when it is first asked for, the same for ever after.
    """
    running = runtime.current()
    content = debit_runs.file(running.units, running.settings, run_id)
    return Response(content, mimetype=debit_runs.MEDIA_TYPE)


@blueprint.get("/ops/debits")
@for_ops
@blueprint.input(DebitsQuery, location="query", arg_name="query")
@blueprint.output(DebitsOut)
def list_debits(staff: Principal, query: DebitsQuery) -> object:
    """List debits, newest first (staff)"""
    with runtime.current().units.read() as uow:
        found = debits.list_debits(uow, query.after, query.limit, state=query.state)
        return page(found, lambda one: _debit_out(one.debit, one.account_name))


@blueprint.post("/ops/debits/<uuid:debit_id>/decision")
@for_ops
@blueprint.input(DecisionIn, arg_name="body")
@blueprint.output(DebitOut)
def decide_debit(staff: Principal, debit_id: UUID, body: DecisionIn) -> DebitOut:
    """Say what the bank's file does not: never sent, came, or went back (staff)"""
    with runtime.current().units.begin() as uow:
        done = debits.decide(uow, debit_id, body.deed, body.reason, staff.name)
        return _debit_out(done, accounts.get_account(uow, done.scope).name)


@blueprint.post("/ops/bank-files")
@takes(BANK_FILE)
@for_ops
@blueprint.input(BankFileIn, arg_name="body")
@blueprint.output(ImportedOut)
def import_bank_file(staff: Principal, body: BankFileIn) -> ImportedOut:
    """Import what the bank says: transfers, debits that came, debits that went back (staff)

    The same file twice counts once. The request may have 10 MB; larger files go through
    `ringledger transfers import`.
    """
    done = transfers.import_file(runtime.current().units, body.content, staff.name)
    return ImportedOut(
        credited=done.credited,
        unmatched=done.unmatched,
        known=done.known,
        returned=done.returned,
    )


def _due_out(one: Due) -> DueOut:
    assert one.statement.due_on is not None, "only what is due is collected"
    return DueOut(
        account_id=one.account.id,
        account_name=one.account.name,
        statement_id=one.statement.id,
        statement=one.statement.label,
        mandate=one.mandate.reference,
        iban=one.mandate.masked_iban,
        amount=money(one.amount_micros),
        currency=one.statement.currency,
        due_on=one.statement.due_on,
        collect_on=one.collect_on,
    )


def _run_out(run: Run) -> DebitRunOut:
    return DebitRunOut(
        id=run.id,
        created_at=run.created_at,
        created_by=run.created_by,
        count=run.count,
        amount=money(run.amount_micros),
        currency=CURRENCY,
        submitted=run.submitted,
        collected=run.collected,
        returned=run.returned,
        is_written=run.is_written,
    )


def _debit_out(debit: Debit, account_name: str) -> DebitOut:
    return DebitOut(
        id=debit.id,
        account_id=debit.account_id,
        account_name=account_name,
        run_id=debit.run_id,
        statement_id=debit.statement_id,
        statement=debit.label,
        end_to_end_id=debit.end_to_end_id,
        amount=money(debit.amount_micros),
        currency=debit.currency,
        collect_on=debit.collect_on,
        state=debit.state,  # type: ignore[arg-type]  # as the table's check says
        why=debit.why,
    )
