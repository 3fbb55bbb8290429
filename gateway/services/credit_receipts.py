"""A receipt for every credit: amount, tax, and the balance after this very entry (S5-19).

Frozen, and its mail due, with the transaction that posted the credit, so that no credit goes
without one and none has two; what it says was true then, whenever it is sent or looked at.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from billing.calendar import local_date
from billing.credits import Payment, payment_of
from billing.postings import Posting
from billing.vat import VatTreatment, vat_for
from gateway.services import plans
from gateway.store import accounts, looks, outbox
from gateway.store import credit_receipts as store
from gateway.store.accounts import TaxFacts
from gateway.store.base import Scope
from gateway.store.looks import BilledAccount
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
    account = looks.find(uow.connection, scope)
    assert account is not None, "an account stays"
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    told = {
        "kind": posting.kind.value,
        "description": posting.description,
        "reason": posting.reason or "",
        "amount": posting.amount,
        "balance_after": posting.balance_after,
        "currency": posting.unit,
        "at": posting.at.isoformat(),
        "payment": None if payment is None else _paid(payment),
    }
    document = told | {
        "reference": posting.key,
        "time_zone": account.time_zone,
        "customer": customer_of(account),
        "support_contact": plan.terms.support_contact,
    }
    store.add(uow.connection, scope, posting.key, document, uow.now)
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=RECEIPT,
        key=f"{RECEIPT}:{posting.key}",
        payload=told | {"reference": posting.key, "tax": {"vat_id": account.vat_id}},
        now=uow.now,
    )


def customer_of(account: BilledAccount) -> dict[str, str]:
    """For whom a paper is made out, as the account says it on that day."""
    return {
        "id": str(account.id),
        "name": account.name,
        "legal_name": account.legal_name,
        "address": account.address,
        "country": account.country,
        "vat_id": account.vat_id,
    }


def known(uow: UnitOfWork, scope: Scope, keys: Collection[str]) -> frozenset[str]:
    """Those of the lines, by their keys, that have a receipt."""
    return store.known(uow.connection, scope, keys)


def _paid(payment: Payment) -> dict[str, Any]:
    return {
        "net_micros": payment.net_micros,
        "vat_micros": payment.vat_micros,
        "rate_basis_points": payment.rate_basis_points,
        "note": payment.note,
    }
