"""Cards of an account: brought from the provider's page, ordered, removed. Never a card number.

The first card becomes the default; a backup is charged when the default is declined.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Literal

import structlog

from billing.charges import Declined
from billing.declines import cure, reason
from gateway.providers.payments import CardPage, Payer, SavedCard
from gateway.providers.telephony import OutcomeUnknown, ProviderError
from gateway.services import accounts, audit, card_first, ledger, payment_deeds
from gateway.services.errors import Conflict, Invalid, NotFound, ServiceError
from gateway.services.till import Till
from gateway.store import charges, recharge
from gateway.store import payment_methods as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import Charge
from gateway.store.payment_methods import CardSetup, PaymentMethod
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

Role = Literal["default", "backup", "other"]
METHODS_MAX = 10
ASK_AFTER = (
    dt.timedelta(minutes=2),
    dt.timedelta(minutes=15),
    dt.timedelta(hours=2),
    dt.timedelta(hours=25),  # Stripe's page is open for a day: docs.stripe.com/api/checkout
)
LEASE = dt.timedelta(seconds=60)
ASKED_AT_ONCE = 20


class CardRefused(ServiceError):
    """The provider would not keep or charge the card; `decline_code` is its own."""

    code = "card_declined"
    status = 402

    def __init__(self, decline_code: str) -> None:
        self.decline_code = decline_code
        super().__init__(f"{reason(decline_code)} {cure(decline_code)}")


class CardsUnreachable(ServiceError):
    code = "cards_unreachable"
    status = 503


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to the card page; `url` while the customer has to go there."""

    setup: CardSetup
    url: str | None
    method: PaymentMethod | None


def listed(uow: UnitOfWork, scope: Scope) -> tuple[PaymentMethod, ...]:
    """The default first, then the backup, then by age."""
    return store.kept(uow.connection, scope)


def get(uow: UnitOfWork, scope: Scope, method_id: uuid.UUID) -> PaymentMethod:
    found = store.find(uow.connection, scope, method_id)
    if found is None or found.removed_at is not None:
        raise NotFound("card", method_id)
    return found


def of_charge(uow: UnitOfWork, charge: Charge) -> PaymentMethod | None:
    """The card of a charge, removed or not."""
    return store.find(uow.connection, charge.scope, charge.payment_method_id)


def open_page(units: UnitsOfWork, till: Till, scope: Scope, actor: str) -> Visit:
    """Note the visit, then ask the provider for a page. Nothing is charged by it."""
    with units.begin() as uow:
        payer, currency = _payer(uow, till, scope)
        setup = CardSetup(
            tenant_id=scope.tenant_id,
            id=new_id(),
            account_id=scope.account_id,
            customer_ref=payer.customer_ref,
            session_ref=None,
            state="open",
            payment_method_id=None,
            actor=actor,
            created_at=uow.now,
            asked=0,
        )
        store.add_setup(uow.connection, setup)
    page = _ask_for_page(till, payer, setup, currency)
    with units.begin() as uow:
        store.change_setup(
            uow.connection,
            setup,
            customer_ref=page.customer_ref,
            session_ref=page.session_ref,
            ask_at=uow.now + ASK_AFTER[0],
        )
    return Visit(setup, page.url, None)


def _ask_for_page(till: Till, payer: Payer, setup: CardSetup, currency: str) -> CardPage:
    try:
        return till.provider.open_card_page(
            payer,
            setup_id=setup.id,
            currency=currency,
            return_url=till.return_page(setup.id),
            cancel_url=till.cards_page(),
        )
    except ProviderError as failure:
        raise _as_service_error(failure) from failure


def finish_visit(units: UnitsOfWork, till: Till, scope: Scope, setup_id: uuid.UUID) -> Visit:
    """Ask what a visit brought, and keep its card; the second time answers the same card."""
    with units.read() as uow:
        setup = store.find_setup(uow.connection, scope.tenant_id, setup_id)
    if setup is None or setup.account_id != scope.account_id:
        raise NotFound("visit", setup_id)
    return _look(units, till, setup)


def sweep(units: UnitsOfWork, till: Till) -> int:
    """Ask about visits whose end we were not told; how many were."""
    with units.begin() as uow:
        due = store.visits.claim(uow.connection, now=uow.now, lease=LEASE, limit=ASKED_AT_ONCE)
    for setup in due:
        try:
            _look(units, till, setup)
        except ServiceError as failure:
            log.warning("card.visit", setup_id=str(setup.id), words=failure.words)
    return len(due)


def _look(units: UnitsOfWork, till: Till, setup: CardSetup) -> Visit:
    if setup.state == "done" or setup.session_ref is None:
        with units.read() as uow:
            method = setup.payment_method_id and store.find(
                uow.connection, setup.scope, setup.payment_method_id
            )
        return Visit(setup, None, method or None)
    try:
        saved = till.provider.saved_card(setup.session_ref)
    except ProviderError as failure:
        raise _as_service_error(failure) from failure
    return units.retrying(lambda uow: _adopt(uow, till, setup, saved))


def _adopt(uow: UnitOfWork, till: Till, setup: CardSetup, saved: SavedCard | None) -> Visit:
    if saved is not None:
        method = keep(uow, till.name, setup.scope, saved, setup.actor)
        store.change_setup(
            uow.connection, setup, state="done", payment_method_id=method.id, ask_at=None
        )
        return Visit(setup, None, method)
    over = setup.asked >= len(ASK_AFTER) - 1
    store.change_setup(
        uow.connection,
        setup,
        state="gone" if over else "open",
        asked=setup.asked + 1,
        ask_at=None if over else uow.now + ASK_AFTER[setup.asked + 1],
    )
    return Visit(setup, None, None)


def attach(
    units: UnitsOfWork, till: Till, scope: Scope, *, token: str, actor: str, idempotency_key: str
) -> PaymentMethod:
    """Keep a card that the provider knows by a token, as a program has it from the provider's own
    script. The same key again keeps the same card."""
    with units.begin() as uow:
        payer, _currency = _payer(uow, till, scope)
    key = f"attach:{scope.account_id}:{idempotency_key}"
    try:
        saved = till.provider.attach_card(payer, token, key=key)
    except ProviderError as failure:
        raise _as_service_error(failure) from failure
    if isinstance(saved, Declined):
        raise CardRefused(saved.code)
    return units.retrying(lambda uow: keep(uow, till.name, scope, saved, actor))


def keep(
    uow: UnitOfWork, provider: str, scope: Scope, saved: SavedCard, actor: str
) -> PaymentMethod:
    """A card that is kept already is answered as it is. The first one lets service begin where
    the plan waited for it, and a recharge go on that waited."""
    with ledger.books(uow, scope) as opened:
        first = store.find_by_ref(uow.connection, scope, saved.method_ref)
        if first is not None and first.removed_at is None:
            return first
        others = store.kept(uow.connection, scope)
        if len(others) >= METHODS_MAX:
            raise Conflict(f"At most {METHODS_MAX} cards are kept: remove one first.")
        taken = {method.role for method in others}
        role = next((role for role in ("default", "backup") if role not in taken), "other")
        store.add(
            uow.connection,
            tenant_id=scope.tenant_id,
            id=new_id(),
            account_id=scope.account_id,
            provider=provider,
            customer_ref=saved.customer_ref,
            method_ref=saved.method_ref,
            kind="card",
            brand=saved.brand,
            last4=saved.last4,
            expires=saved.expires,
            role=role,
            added_at=uow.now,
            added_by=actor,
        )
        card_first.card_came(uow, opened)
    kept = store.find_by_ref(uow.connection, scope, saved.method_ref)
    assert kept is not None
    audit.note(
        uow, scope, actor, "card.added", kept.id, card=f"{kept.brand} {kept.last4}", role=role
    )
    _changed(uow, scope)
    return kept


def set_role(
    uow: UnitOfWork, scope: Scope, method_id: uuid.UUID, role: Role, actor: str
) -> PaymentMethod:
    """Make a card the default or the backup; who had that place takes the other one's."""
    _lock(uow, scope)
    method = get(uow, scope, method_id)
    if role == method.role:
        return method
    if method.role == "default":
        raise Conflict("Make another card the default first: one of them has to be.")
    store.change(uow.connection, scope, method_id, role="other")
    if role == "default":
        others = listed(uow, scope)
        former = next(one for one in others if one.role == "default")
        store.clear_role(uow.connection, scope, "default")
        if all(one.role != "backup" for one in others):
            store.change(uow.connection, scope, former.id, role="backup")
    elif role == "backup":
        store.clear_role(uow.connection, scope, "backup")
    store.change(uow.connection, scope, method_id, role=role)
    audit.note(uow, scope, actor, "card.changed", method_id, role=role)
    _changed(uow, scope)
    return get(uow, scope, method_id)


def remove(
    units: UnitsOfWork, till: Till | None, scope: Scope, method_id: uuid.UUID, actor: str
) -> None:
    """Never charge it again, at once; then have the provider forget it. A payment that is on its
    way by it must end first."""
    with units.begin() as uow:
        _lock(uow, scope)
        method = get(uow, scope, method_id)
        going = charges.find_open(uow.connection, scope)
        if going is not None and going.payment_method_id == method_id:
            raise Conflict("A payment by this card is on its way: wait for its end.")
        store.change(uow.connection, scope, method_id, role="other", removed_at=uow.now)
        if method.role == "default":
            _promote(uow, scope)
        audit.note(
            uow, scope, actor, "card.removed", method_id, card=f"{method.brand} {method.last4}"
        )
        _changed(uow, scope)
    if till is None or till.name != method.provider:
        return
    try:
        till.provider.forget_card(method.method_ref)
    except ProviderError as failure:
        # It is not charged any more whether or not the provider still knows it.
        log.warning("card.not_forgotten", method_id=str(method_id), words=failure.words)


def _promote(uow: UnitOfWork, scope: Scope) -> None:
    """The backup becomes the default; without one the oldest card does."""
    for method in listed(uow, scope)[:1]:
        store.change(uow.connection, scope, method.id, role="default")


def _changed(uow: UnitOfWork, scope: Scope) -> None:
    """What the pages said of the cards is over; a recharge that waited for a card goes on."""
    recharge.set_notice(uow.connection, scope, None)
    if recharge.find_rule(uow.connection, scope) is not None:
        payment_deeds.look_at_recharge(uow, scope, after=f"cards:{new_id()}")


def _lock(uow: UnitOfWork, scope: Scope) -> None:
    with ledger.books(uow, scope):
        pass  # the account's lock, held until the transaction ends


def _payer(uow: UnitOfWork, till: Till, scope: Scope) -> tuple[Payer, str]:
    account = accounts.get_account(uow, scope)
    if len(store.kept(uow.connection, scope)) >= METHODS_MAX:
        raise Conflict(f"At most {METHODS_MAX} cards are kept: remove one first.")
    customer = store.latest_customer(uow.connection, scope, till.name)
    payer = Payer(scope.tenant_id, scope.account_id, account.name, account.billing_email, customer)
    return payer, account.currency


def _as_service_error(failure: ProviderError) -> ServiceError:
    if failure.permanent and not isinstance(failure, OutcomeUnknown):
        return Invalid.at("/token", failure.words)
    return CardsUnreachable(f"{failure.words} Nothing was changed: try again in a minute.")
