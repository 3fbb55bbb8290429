"""Debits that went back, as the bank tells of them: each is undone once; the rest waits for people.

A return is a row beside the transfers, with what left as a negative amount, and that row is what
makes it count once.
"""

from __future__ import annotations

from billing.money import format_amount
from billing.transfers import Returned
from gateway.services import debits
from gateway.store import transfers as store
from gateway.store.base import new_id
from gateway.store.debits import OPEN, Debit
from gateway.store.transfers import StoredTransfer
from gateway.uow import UnitOfWork

UNKNOWN = "A debit went back, and none of ours is named."
CANCELED = "The debit that went back was canceled here as never sent."
OTHER_CURRENCY = "It went back in another currency than the debit's."
LESS = "Less went back than the debit of {amount}: it may be a fee of the bank."


def take(uow: UnitOfWork, returned: Returned, actor: str) -> str:
    """Undo the debit that is named, or leave it for people: "returned", "unmatched" or "known"."""
    row = StoredTransfer(
        # The same id of the bank's may stand at the money that came.
        id=new_id(), bank_id=f"return:{returned.bank_id}", booked_on=returned.booked_on,
        amount_micros=-returned.amount_micros, currency=returned.currency,
        reference=_words(returned), payer="", state="unmatched", why="", credits=(),
        imported_at=uow.now, imported_by=actor, decided_at=None, decided_by=None,
    )  # fmt: skip
    if not store.add(uow.connection, row):
        return "known"
    debit = debits.named_by_return(uow, returned)
    why = _doubt(returned, debit)
    if why or debit is None:
        store.decide(uow.connection, row.id, state="unmatched", why=why, credits=[])
        return "unmatched"
    told_before = debit.state not in OPEN
    if not told_before:
        debits.take_back(uow, debit, returned, actor)
    store.decide(
        uow.connection,
        row.id,
        state="returned",
        why=f"debit {debit.end_to_end_id}{', which was known' if told_before else ''}",
        credits=[],
        at=uow.now,
        by=actor,
    )
    return "known" if told_before else "returned"


def _doubt(returned: Returned, debit: Debit | None) -> str:
    """Why a person has to look; empty where it is certain."""
    if debit is None:
        return UNKNOWN
    if debit.state == "canceled":
        return CANCELED
    if debit.currency != returned.currency:
        return OTHER_CURRENCY
    if returned.amount_micros < debit.amount_micros:
        return LESS.format(amount=format_amount(debit.amount_micros))
    return ""


def _words(returned: Returned) -> str:
    return " | ".join(words for words in (returned.references, returned.reason) if words)
