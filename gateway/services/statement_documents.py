"""All that a statement prints, so that a rendering of any later day says the same."""

from __future__ import annotations

import datetime as dt
from typing import Any

from billing.invoices import asked_for, invoice_of, tax_category
from billing.mandates import CURRENCY, collection_day
from billing.money import format_amount
from billing.settling import Locale
from billing.statements import (
    Statement,
)
from billing.vat import VatTreatment
from gateway.services import credit_receipts
from gateway.services.plans import PlanVersion
from gateway.services.statement_figures import shares_of
from gateway.store import mandates
from gateway.store.clients import Share
from gateway.store.looks import BilledAccount
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork


def document_of(
    statement: StoredStatement,
    figures: Statement,
    account: BilledAccount,
    version: PlanVersion,
    clients: list[Share],
    issued_on: dt.date,
) -> dict[str, Any]:
    """Without its tax and its debit: `invoice_fields` and `debit_of` stand beside it."""
    return {
        "number": statement.label,
        "issued_on": issued_on.isoformat(),
        "starts_on": statement.starts_on.isoformat(),
        "last_on": (statement.ends_on - dt.timedelta(days=1)).isoformat(),
        "due_on": statement.due_on.isoformat() if statement.due_on else None,
        "time_zone": account.time_zone,
        "currency": figures.currency,
        "mode": figures.mode,
        "customer": credit_receipts.customer_of(account),
        "support_contact": version.plan.terms.support_contact,
        "plan": {
            "code": version.plan_code,
            "name": version.plan.name,
            "version": version.version,
            "id": str(version.id),
        },
        "opening_micros": figures.opening_micros,
        "charges": [
            {
                "kind": line.kind.value,
                "description": line.description,
                "number": line.number,
                "rate_micros": line.rate_micros,
                "count": line.count,
                "seconds": line.seconds,
                "amount_micros": line.amount_micros,
            }
            for line in figures.charges
        ],
        "credits": [
            {
                "key": line.key,
                "at": line.at.isoformat(),
                "kind": line.kind.value,
                "description": line.description,
                "amount_micros": line.amount_micros,
                "balance_after_micros": line.balance_after_micros,
            }
            for line in figures.credits
        ],
        "seconds": [{"kind": line.kind.value, "seconds": line.seconds} for line in figures.seconds],
        "clients": shares_of(figures, clients),
        "charges_micros": figures.charges_micros,
        "credits_micros": figures.credits_micros,
        "paid_from_credit_micros": figures.paid_from_credit_micros,
        "vat_micros": figures.vat_micros,
        "closing_micros": figures.closing_micros,
        "included_left_micros": figures.included_left_micros,
        "owed_micros": figures.owed_micros,
        "overdrawn_micros": figures.overdrawn_micros,
    }


def debit_of(
    uow: UnitOfWork, statement: StoredStatement, place: Locale, issued_on: dt.date
) -> dict[str, str] | None:
    """The announcement of a debit: how much (an earlier month's rest comes by a debit of its own),
    when, from where, by which mandate; None where none comes."""
    mandate = mandates.in_force(uow.connection, statement.scope)
    invoice = statement.document["invoice"]
    if mandate is None or statement.due_on is None or statement.currency != CURRENCY:
        return None
    if invoice is None or not invoice["due_micros"]:
        return None
    return {
        "amount": format_amount(invoice["due_micros"]),
        "mandate": mandate.reference,
        "signed_on": mandate.signed_on.isoformat(),
        "iban": mandate.masked_iban,
        "collect_on": collection_day(statement.due_on, issued_on, place).isoformat(),
    }


def invoice_fields(figures: Statement, tax: VatTreatment) -> dict[str, Any]:
    """The tax, what is to be paid with it (all that is owed, earlier months too), and the charges
    as an invoice; `lines` stand beside those of `charges`, one for one."""
    invoice = invoice_of(figures, tax)
    return {
        "tax": {
            "kind": tax.kind.value,
            "rate_basis_points": tax.rate_basis_points,
            "note": tax.note,
        },
        "payable_micros": asked_for(figures.owed_micros, tax, figures.currency),
        "invoice": None
        if invoice is None
        else {
            "net_micros": invoice.net_micros,
            "vat_micros": invoice.vat_micros,
            "total_micros": invoice.total_micros,
            "paid_micros": invoice.paid_micros,
            "rounding_micros": invoice.rounding_micros,
            "due_micros": invoice.due_micros,
            "category": tax_category(tax).value,
            "lines": [
                {
                    "net_micros": line.net_micros,
                    "quantity": line.price.quantity,
                    "unit": line.price.unit.value,
                    "price_micros": line.price.micros,
                    "per": line.price.per,
                }
                for line in invoice.lines
            ],
        },
    }
