"""A receipt by mail for every credit: amount, tax, and the balance after this very entry (S5-19).

Due with the transaction that posted the credit, so that no credit goes without one and none has
two; what it says was true then, whenever it is sent.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from billing.calendar import local_date
from billing.credits import Payment, payment_of
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


def paid_by_hand(uow: UnitOfWork, scope: Scope, amount_micros: int, seller_country: str) -> Payment:
    """What a customer pays outside (cash, a transfer that no file tells of) for a credit of this
    amount: as by card, the tax comes on top and never is in the balance."""
    account = accounts.find(uow.connection, scope)
    assert account is not None, "an account stays"
    tax = treatment(accounts.tax_facts(uow.connection, scope), seller_country, uow.now)
    return payment_of(amount_micros, tax, account.currency)


def announce(uow: UnitOfWork, scope: Scope, posting: Posting, payment: Payment | None) -> None:
    """Leave the receipt due. `payment` is what was posted beside the credit; without one the mail
    says that no tax was taken."""
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
            "tax": {"vat_id": facts.vat_id},
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
