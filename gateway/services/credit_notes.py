"""A credit note for every refund: what went back of which payment, and its tax (C10).

Frozen among the receipts, under the key of the refund's line, in the transaction that learns that
the card gets it. One that comes back afterwards makes it void: the state of the refund says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from billing.postings import Posting
from billing.refunds import refund_key
from gateway.services import credit_receipts, plans
from gateway.store import credit_receipts as store
from gateway.store import looks
from gateway.store.base import Scope
from gateway.store.charges import Charge
from gateway.store.refunds import Refund
from gateway.uow import UnitOfWork


def freeze(uow: UnitOfWork, refund: Refund, charge: Charge, line: Posting, card: str) -> None:
    """`line` is that of the refund, `card` the words for where the money goes."""
    account = looks.find(uow.connection, refund.scope)
    assert account is not None, "an account stays"
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    document = {
        "kind": line.kind.value,
        "description": line.description,
        "reason": refund.reason,
        "amount": refund.net_micros,
        "payment": {
            "net_micros": refund.net_micros,
            "vat_micros": refund.vat_micros,
            "note": charge.vat_note,
        },
        "card": card,
        "corrects": line.reverses_key,
        "paid_at": charge.created_at.isoformat(),
        "balance_after": line.balance_after,
        "currency": refund.currency,
        "at": line.at.isoformat(),
        "reference": line.key,
        "time_zone": account.time_zone,
        "customer": credit_receipts.customer_of(account),
        "support_contact": plan.terms.support_contact,
    }
    store.add(uow.connection, refund.scope, line.key, document, uow.now)


def known(uow: UnitOfWork, scope: Scope, refunds: Iterable[Refund]) -> frozenset[uuid.UUID]:
    """Those of the refunds, by their ids, that have one."""
    by_key = {refund_key(refund.id): refund.id for refund in refunds}
    return frozenset(by_key[key] for key in store.known(uow.connection, scope, by_key))
