"""Statements: one for every period, with rates, as JSON, PDF and CSV."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import Response, stream_with_context
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import (
    PDF_FILE,
    Currency,
    Items,
    Listing,
    Money,
    money,
    money_or_none,
    page,
    rate_or_none,
)
from gateway.api.routes import blueprint
from gateway.services import einvoices, statement_files, statements
from gateway.services.spreadsheet import csv_lines
from gateway.services.statements import StatementView

EINVOICE: Any = {
    200: {
        "description": "UN/CEFACT CII, profile EN 16931",
        "content": {"application/xml": {"schema": {"type": "string"}}},
    },
}
CSV: Any = {
    200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}},
}


class ChargeLineOut(BaseModel):
    kind: str
    description: str
    number: str | None = Field(description="The tracking number that it is about.")
    rate: Money | None = Field(description="Per minute; of texts, each.")
    count: int
    billed_seconds: int
    amount: Money


class CreditLineOut(BaseModel):
    at: dt.datetime
    kind: str
    description: str
    amount: Money = Field(description="Negative where it was taken back.")
    balance_after: Money | None = Field(
        description="Null for the included credit that calls and texts used: it is no line."
    )


class ShareOut(BaseModel):
    account: UUID
    name: str
    used_seconds: int = Field(description="Of minutes that are shared.")
    own: Money
    shared: Money
    total: Money


class InvoiceOut(BaseModel):
    """The charges as tax offices read them, in whole coins: total = net + vat, and
    due = total - paid + rounding."""

    net: Money
    vat: Money
    total: Money
    paid: Money = Field(description="From credit, with its tax.")
    rounding: Money
    due: Money = Field(description="For this period alone.")


class StatementOut(BaseModel):
    id: UUID
    number: str
    starts_on: dt.date
    ends_on: dt.date = Field(description="The last day.")
    issued_at: dt.datetime
    currency: Currency
    opening_balance: Money
    charges: Money
    credits: Money
    vat: Money = Field(description="Taken with the credits; never part of the balance.")
    closing_balance: Money
    owed: Money = Field(description="Without tax. Prepaid: always 0.")
    payable: Money = Field(description="What pays all that is owed: with its tax, whole coins.")
    tax: str = Field(description="How the charges are taxed, in words.")
    due_on: dt.date | None
    outstanding: Money = Field(description="What is left of `owed` now.")


class StatementDetailOut(StatementOut):
    invoice: InvoiceOut | None = Field(description="Null where nothing was charged.")
    charge_lines: list[ChargeLineOut]
    credit_lines: list[CreditLineOut]
    shares: list[ShareOut] = Field(description="Of an agency: they sum to `charges`.")


class StatementsOut(Items[StatementOut]):
    """A page of statements."""


@blueprint.get("/statements")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(StatementsOut)
def list_statements(access: Access, query: Listing) -> object:
    """List statements, newest first"""
    with runtime.current().units.read() as uow:
        found = statements.list_statements(uow, access.scope, query.after, query.limit)
    return page(found, lambda view: StatementOut(**_fields(view)))


@blueprint.get("/statements/<uuid:statement_id>")
@for_account
@blueprint.output(StatementDetailOut)
def get_statement(access: Access, statement_id: UUID) -> StatementDetailOut:
    """One statement with its lines"""
    with runtime.current().units.read() as uow:
        view = statements.get_statement(uow, access.scope, statement_id)
    document = view.document
    return StatementDetailOut(
        **_fields(view),
        invoice=None if document["invoice"] is None else _invoice(document["invoice"]),
        charge_lines=[
            ChargeLineOut(
                kind=line["kind"],
                description=line["description"],
                number=line["number"],
                rate=rate_or_none(line["rate_micros"]),
                count=line["count"],
                billed_seconds=line["seconds"],
                amount=money(line["amount_micros"]),
            )
            for line in document["charges"]
        ],
        credit_lines=[
            CreditLineOut(
                at=line["at"],
                kind=line["kind"],
                description=line["description"],
                amount=money(line["amount_micros"]),
                balance_after=money_or_none(line["balance_after_micros"]),
            )
            for line in document["credits"]
        ],
        shares=[
            ShareOut(
                account=line["account_id"],
                name=line["name"],
                used_seconds=line["used_seconds"],
                own=money(line["own_micros"]),
                shared=money(line["shared_micros"]),
                total=money(line["total_micros"]),
            )
            for line in document["clients"]
        ],
    )


@blueprint.get("/statements/<uuid:statement_id>.pdf")
@for_account
@blueprint.doc(responses=PDF_FILE)
def get_statement_pdf(access: Access, statement_id: UUID) -> Response:
    """A statement as PDF

    The same file whenever it is asked for.
    """
    running = runtime.current()
    content = statement_files.pdf(running.units, access.scope, statement_id, running.settings)
    return Response(content, mimetype=statement_files.PDF)


@blueprint.get("/statements/<uuid:statement_id>.xml")
@for_account
@blueprint.doc(responses=EINVOICE)
def get_statement_xml(access: Access, statement_id: UUID) -> Response:
    """A statement as e-invoice (EN 16931)

    The same file whenever it is asked for. 409 where nothing was charged, where this installation
    lacks the extra `einvoice`, or where a setting of the seller's is missing: the words say which.
    """
    running = runtime.current()
    content = einvoices.xml(running.units, access.scope, statement_id, running.settings)
    return Response(content, mimetype=einvoices.XML)


@blueprint.get("/statements/<uuid:statement_id>.factur-x.pdf")
@for_account
@blueprint.doc(responses=PDF_FILE)
def get_statement_factur_x(access: Access, statement_id: UUID) -> Response:
    """A statement as PDF with the e-invoice inside (Factur-X)

    The same file whenever it is asked for; 409 as for the e-invoice alone.
    """
    running = runtime.current()
    content = einvoices.factur_x(running.units, access.scope, statement_id, running.settings)
    return Response(content, mimetype=statement_files.PDF)


@blueprint.get("/statements/<uuid:statement_id>.csv")
@for_account
@blueprint.doc(responses=CSV)
def get_statement_csv(access: Access, statement_id: UUID) -> Response:
    """Every leg of a statement as CSV

    With seconds, rate, seconds drawn from packages, and charge; legs that cost nothing too. Cells
    that a spreadsheet could take for a formula begin with an apostrophe.
    """
    rows = statement_files.leg_rows(runtime.current().units, access.scope, statement_id)
    return Response(stream_with_context(csv_lines(rows)), mimetype="text/csv")


def _invoice(found: dict[str, Any]) -> InvoiceOut:
    return InvoiceOut(**{name: money(found[f"{name}_micros"]) for name in InvoiceOut.model_fields})


def _fields(view: StatementView) -> dict[str, Any]:
    stored = view.stored
    return {
        "id": view.id,
        "number": view.label,
        "starts_on": view.starts_on,
        "ends_on": view.ends_on,
        "issued_at": stored.issued_at,
        "currency": stored.currency,
        "opening_balance": money(stored.opening_micros),
        "charges": money(stored.charges_micros),
        "credits": money(stored.credits_micros),
        "vat": money(stored.vat_micros),
        "closing_balance": money(stored.closing_micros),
        "owed": money(stored.owed_micros),
        "payable": money(view.document["payable_micros"]),
        "tax": stored.tax.note,
        "due_on": stored.due_on,
        "outstanding": money(view.outstanding_micros),
    }
