"""A receipt by mail for every credit: amount, tax, and the balance after this very entry (S5-19).

Due with the transaction that posted the credit, so that no credit goes without one and none has
two; what it says was true then, whenever it is sent.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from billing.calendar import local_date
from billing.credits import Payment
from billing.postings import Posting
from billing.vat import VatTreatment, vat_for
from gateway.store import accounts, outbox
from gateway.store.accounts import TaxFacts
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

RECEIPT = "receipt"


def treatment(facts: TaxFacts, seller_country: str, at: dt.datetime) -> VatTreatment:
    """How the account's credits are taxed on that day of its own calendar."""
    return vat_for(
        facts.country,
        business_id_checked=facts.business_id_checked,
        seller_country=seller_country,
        on=local_date(at, facts.time_zone),
    )


def announce(uow: UnitOfWork, scope: Scope, posting: Posting, payment: Payment | None) -> None:
    """Leave the receipt due. `payment` is that of a card; without one the mail says what tax the
    amount bears."""
    assert posting.balance_after is not None, "a credit moves a balance"
    facts = accounts.tax_facts(uow.connection, scope)
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=RECEIPT,
        key=f"{RECEIPT}:{posting.key}",
        payload={
            "kind": posting.kind.value,
            "description": posting.description,
            "reason": posting.reason or "",
            "amount": posting.amount,
            "balance_after": posting.balance_after,
            "currency": posting.unit,
            "at": posting.at.isoformat(),
            "payment": None if payment is None else _paid(payment),
            "tax": {
                "country": facts.country,
                "business_id_checked": facts.business_id_checked,
                "vat_id": facts.vat_id,
                "time_zone": facts.time_zone,
            },
        },
        now=uow.now,
    )


def _paid(payment: Payment) -> dict[str, Any]:
    return {
        "net_micros": payment.net_micros,
        "vat_micros": payment.vat_micros,
        "rate_basis_points": payment.rate_basis_points,
        "note": payment.note,
    }
