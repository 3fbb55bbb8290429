"""Days and cycles that are over, put on the account's card (S3-08, S3-09).

What is due is settling's to say, from the ledger. A decline is tried again by the schedule of the
card: the account is looked at daily anyway, and each look leaves the charge due once.
"""

from __future__ import annotations

from billing.charges import CHARGE_MIN_MICROS
from billing.credits import payment_of
from billing.minor_units import quantum_micros
from billing.money import ceil_div
from gateway.services import charges, credit_receipts, payment_deeds, settling
from gateway.services.deeds import Handler
from gateway.services.errors import NotFound
from gateway.services.till import Till
from gateway.store import accounts, ledger, outbox, payment_methods
from gateway.store import charges as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import Charge
from gateway.store.outbox import DueDeed
from gateway.uow import UnitOfWork, UnitsOfWork

DEED = "settle_by_card"
BY_CALENDAR = "calendar"


def leave_due(uow: UnitOfWork, scope: Scope) -> None:
    """After a look that found days unpaid: have them charged, once for this look."""
    outbox.add(
        uow.connection,
        scope,
        queue="carrier",
        kind=DEED,
        key=f"{DEED}:{scope.account_id}:{uow.now.isoformat()}",
        payload={},
        now=uow.now,
    )


def handlers(units: UnitsOfWork, till: Till | None) -> dict[str, Handler]:
    def act(deed: DueDeed) -> None:
        if till is not None:
            run(units, till, Scope(deed.tenant_id, deed.account_id))

    return {DEED: act}


def run(units: UnitsOfWork, till: Till, scope: Scope) -> Charge | None:
    """Charge what is due, if a card may be charged now; a second run finds the first on its way,
    or the days paid."""
    intended = units.retrying(lambda uow: decide(uow, till, scope))
    return None if intended is None else charges.submit(units, till, intended)


def decide(uow: UnitOfWork, till: Till, scope: Scope) -> Charge | None:
    """One charge for all days that are due, rounded up to whole coins: what that is too much is on
    the balance and counts for the next day."""
    locked = ledger.lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    due = settling.due_for_card(uow, scope, uow.now)
    quantum = quantum_micros(locked.currency)
    owed = sum(day.amount_micros for day in due)
    amount = ceil_div(owed, quantum) * quantum
    if amount < CHARGE_MIN_MICROS or store.find_open(uow.connection, scope) is not None:
        return None
    choice = payment_deeds.choose_card(uow, scope)
    if choice is None or choice.free_at > uow.now:
        return None
    method = next(
        one for one in payment_methods.kept(uow.connection, scope) if str(one.id) == choice.card_id
    )
    facts = accounts.tax_facts(uow.connection, scope)
    tax = credit_receipts.treatment(facts, till.seller_country, uow.now)
    return charges.intend(
        uow,
        scope,
        method,
        payment_of(amount, tax, locked.currency),
        currency=locked.currency,
        purpose=due[0].purpose,
        actor=BY_CALENDAR,
        idempotency_key=f"{due[-1].key}:{new_id()}",
    )
