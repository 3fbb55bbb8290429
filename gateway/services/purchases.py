"""A number is bought in three steps: the intent is committed, the carrier is asked, the answer is
committed.

Whatever is lost in between is found again by the intent's id, which is the number's FriendlyName
at the carrier (RELIABILITY R8, F4). Nothing is ever bought twice to find out.
"""

import datetime as dt
import uuid

from billing.money import format_amount
from billing.tariffs import Plan
from gateway.links import PublicLinks
from gateway.providers.telephony import CarrierNumber, OutcomeUnknown, ProviderError, Telephony
from gateway.services import (
    accounts,
    audit,
    included_credit,
    ledger,
    payers,
    plans,
    pools,
    rentals,
    sales,
)
from gateway.services.accounts import Account
from gateway.services.errors import (
    BalanceTooLow,
    CarrierRefused,
    CarrierUnreachable,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
)
from gateway.store import numbers
from gateway.store import rentals as rental_store
from gateway.store.base import Scope, new_id
from gateway.store.ledger import lock_books
from gateway.store.numbers import Number, NumberOrder
from gateway.uow import UnitOfWork, UnitsOfWork
from routing.numbering import InvalidNumber, number_type, parse_e164, pretty, region_of

LABEL_LENGTH_MAX = 80
# Longer than any request to the carrier can last, all its retries included.
ORDER_STALE_AFTER = dt.timedelta(minutes=2)
# A carrier that has not heard of the order by then never will: it was not bought.
ORDER_LOST_AFTER = dt.timedelta(minutes=10)
NUMBER_TAKEN = 21422  # twilio.com/docs/api/errors/21422


def order_number(
    units: UnitsOfWork,
    telephony: Telephony,
    links: PublicLinks,
    scope: Scope,
    *,
    e164: str,
    label: str = "",
    source: str = "",
    actor: str,
    idempotency_key: str,
) -> Number:
    """Buy it, point it at us, and post its first month's rent.

    The same key again answers the number that was bought, or goes on with an order whose outcome
    was lost. Takes units of work, not one: the intent must be durable before the carrier is asked.
    """
    order, is_new = units.retrying(
        lambda uow: _intend(
            uow,
            scope,
            e164=e164,
            label=label,
            source=source,
            actor=actor,
            idempotency_key=idempotency_key,
        )
    )
    if order.state == "failed":
        raise CarrierRefused(order.error or "The carrier refused that number: choose another one.")
    if order.state == "bought":
        with units.read() as uow:
            return _bought(uow, order)
    bought = None if is_new else _ask_for(telephony, order)
    bought = bought or _buy(units, telephony, links, order)
    return units.retrying(lambda uow: _adopt(uow, order, bought))


def resolve_orders(units: UnitsOfWork, telephony: Telephony, *, limit: int = 50) -> int:
    """For the sweep: finish what a crash or a lost answer left open; how many were."""
    with units.read() as uow:
        now = uow.now
        stale = numbers.stale_orders(
            uow.connection, older_than=now - ORDER_STALE_AFTER, limit=limit
        )
    return sum(_resolve(units, telephony, order, now) for order in stale)


def _resolve(
    units: UnitsOfWork, telephony: Telephony, order: NumberOrder, now: dt.datetime
) -> bool:
    found = telephony.find_number(friendly_name=str(order.id))
    if found is not None:
        units.retrying(lambda uow: _adopt(uow, order, found))
        return True
    if now - order.created_at < ORDER_LOST_AFTER:
        return False
    with units.begin() as uow:
        _fail(uow, order, "The carrier never received the order.")
    return True


def _intend(
    uow: UnitOfWork,
    scope: Scope,
    *,
    e164: str,
    label: str,
    source: str,
    actor: str,
    idempotency_key: str,
) -> tuple[NumberOrder, bool]:
    """Check and note the order under the account's lock, so that two at once cannot spend the
    same balance. Answers the first order under the key, and whether this is it."""
    check_words({"label": label.strip(), "source": source.strip()})
    sales.check_key(idempotency_key)
    try:
        wanted = parse_e164(e164)
    except InvalidNumber as refusal:
        raise Invalid.at("/phone_number", str(refusal)) from None
    if lock_books(uow.connection, scope) is None:
        raise NotFound("account", scope.account_id)
    order = NumberOrder(
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        e164=wanted,
        label=label.strip(),
        source=source.strip(),
        state="pending",
        error=None,
        did_id=None,
        idempotency_key=idempotency_key,
        actor=actor,
        created_at=uow.now,
    )
    first = numbers.add_order(uow.connection, order)
    if first.e164 != wanted:
        raise Conflict("That idempotency key was used for another number: send a new key.")
    is_new = first.id == order.id
    if is_new:
        _check_purchase(uow, accounts.get_account(uow, scope), order)
    return first, is_new


def _check_purchase(uow: UnitOfWork, account: Account, order: NumberOrder) -> None:
    if account.status != "active":
        raise Forbidden("The account is suspended: top up first, then buy numbers.")
    version = plans.plan_version(uow.connection, account.plan_version_id)
    plan = version.plan
    rental = _rental(plan, order.e164)
    if rental is None:
        raise Invalid.at("/phone_number", for_sale(plan, region_of(order.e164) or ""))
    _check_entitlement(uow, order.scope, plan)
    if rentals.free_until(uow, order.scope, version, order.e164, account.time_zone):
        rental = 0
    if numbers.owner_of(uow.connection, order.e164) is not None:
        raise Conflict(f"{pretty(order.e164)} is in use already: choose another one.")
    promised = sum(
        _rental(plan, other.e164) or 0
        for other in numbers.open_orders(uow.connection, order.scope)
        if other.id != order.id
    )
    payer = pools.owner_of(uow, account)
    credit = plans.plan_version(uow.connection, payer.plan_version_id).plan.credit_limit_micros
    left = included_credit.left_micros(uow, payer.scope, payer.credit_turns_at)
    free = payer.balance_micros - left + credit - promised
    if free < rental:
        raise BalanceTooLow(
            f"The first month costs {format_amount(rental)} {account.currency} and "
            f"{format_amount(free)} is free: top up first.",
            needed_micros=rental,
            balance_micros=free,
        )


def free_until(uow: UnitOfWork, scope: Scope, e164: str) -> dt.datetime | None:
    """Until when a number would cost nothing if it were bought now; None: it pays at once."""
    account = accounts.get_account(uow, scope)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    return rentals.free_until(uow, scope, version, e164, account.time_zone)


def _check_entitlement(uow: UnitOfWork, scope: Scope, plan: Plan) -> None:
    """The numbers that the plan entitles to, orders that are under way included (S4-12)."""
    most = plan.terms.entitlements.numbers
    if most is None:
        return
    kept = len(rental_store.kept(uow.connection, scope))
    if kept + len(numbers.open_orders(uow.connection, scope)) > most:
        raise Forbidden(f"Your plan includes {most} numbers: upgrade it to have more.")


def _ask_for(telephony: Telephony, order: NumberOrder) -> CarrierNumber | None:
    """What an earlier try may have bought."""
    try:
        return telephony.find_number(friendly_name=str(order.id))
    except ProviderError as failure:
        raise as_service_error(failure) from failure


def _buy(
    units: UnitsOfWork, telephony: Telephony, links: PublicLinks, order: NumberOrder
) -> CarrierNumber:
    try:
        return telephony.buy_number(
            order.e164, friendly_name=str(order.id), urls=links.number(order.tenant_id)
        )
    except ProviderError as failure:
        if isinstance(failure, OutcomeUnknown) or failure.code == NUMBER_TAKEN:
            # Taken by ourselves, if an earlier try went through and its answer never came.
            found = _look_again(telephony, order)
            if found is not None:
                return found
        with units.begin() as uow:
            if isinstance(failure, OutcomeUnknown):
                numbers.close_order(
                    uow.connection, order, "unknown", now=uow.now, error=failure.words
                )
            elif failure.permanent:
                _fail(uow, order, failure.words)
        if isinstance(failure, OutcomeUnknown):
            raise CarrierUnreachable(
                "The carrier's answer was lost. We are finding out whether the number was "
                "bought; nothing is charged before that."
            ) from failure
        raise as_service_error(failure) from failure


def _look_again(telephony: Telephony, order: NumberOrder) -> CarrierNumber | None:
    try:
        return telephony.find_number(friendly_name=str(order.id))
    except ProviderError:
        return None  # the sweep asks again


def _adopt(uow: UnitOfWork, order: NumberOrder, bought: CarrierNumber) -> Number:
    """The carrier has it for us: row, directory, first rent and trail in one transaction."""
    with ledger.books(uow, order.scope) as opened:
        current = numbers.lock_order(uow.connection, order.tenant_id, order.id)
        if current.did_id is not None:
            return _bought(uow, current)
        version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
        rental = _rental(version.plan, bought.e164) or 0
        zone = opened.locked.time_zone
        trial_until = rentals.free_until(uow, order.scope, version, bought.e164, zone)
        payers.join(uow, opened)
        did_id = new_id()
        numbers.add(
            uow.connection,
            tenant_id=order.tenant_id,
            id=did_id,
            account_id=order.account_id,
            e164=bought.e164,
            country=region_of(bought.e164) or "",
            number_type=number_type(bought.e164),
            label=order.label,
            source=order.source,
            status="active" if opened.locked.status == "active" else "suspended",
            carrier_sid=bought.sid,
            forwarding_version_id=None,
            rental_micros=rental,
            bought_at=uow.now,
            release_requested_at=None,
            released_at=None,
        )
        numbers.close_order(uow.connection, order, "bought", now=uow.now, did_id=did_id)
        rentals.begin(uow, opened, did_id, trial_until)
        rentals.renew(uow, opened)
    audit.note(
        uow,
        order.scope,
        order.actor,
        "number.bought",
        bought.e164,
        rent=format_amount(rental),
        order=str(order.id),
    )
    return _get(uow, order.scope, did_id)


def _bought(uow: UnitOfWork, order: NumberOrder) -> Number:
    assert order.did_id is not None, "a bought order names its number"
    return _get(uow, order.scope, order.did_id)


def _get(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID) -> Number:
    found = numbers.find(uow.connection, scope, did_id)
    assert found is not None, "a bought number is never deleted"
    return found


def _fail(uow: UnitOfWork, order: NumberOrder, words: str) -> None:
    numbers.close_order(uow.connection, order, "failed", now=uow.now, error=words)
    audit.note(uow, order.scope, order.actor, "number.order_failed", order.e164, reason=words)


def as_service_error(failure: ProviderError) -> ServiceError:
    if failure.permanent:
        return CarrierRefused(failure.words, failure.code)
    return CarrierUnreachable(f"{failure.words} Nothing was changed: try again in a minute.")


def prices(plan: Plan, country: str, kind: str) -> tuple[int | None, int | None]:
    """A month's rent and a minute's price; None where the plan has none."""
    rate = plan.tariff.inbound_rate(country, kind)
    return (
        plan.tariff.rental_per_month_micros(country, kind),
        None if rate is None else rate.per_minute_micros,
    )


def _rental(plan: Plan, e164: str) -> int | None:
    rental, rate = prices(plan, region_of(e164) or "", number_type(e164))
    return None if rate is None else rental


def for_sale(plan: Plan, country: str) -> str:
    sold = sorted(
        (where, kind) for where, kind in plan.tariff.rental if (where, kind) in plan.tariff.inbound
    )
    here = [kind for where, kind in sold if where == country]
    if here:
        return f"your plan sells {' and '.join(here)} numbers in {country}"
    return f"your plan sells numbers in {', '.join(sorted({where for where, _ in sold}))} only"


def check_words(values: dict[str, str]) -> None:
    errors = [
        FieldError(f"/{name}", f"use at most {LABEL_LENGTH_MAX} characters")
        for name, value in values.items()
        if len(value) > LABEL_LENGTH_MAX
    ]
    if errors:
        raise Invalid(errors)
