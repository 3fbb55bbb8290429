"""Warnings before money, minutes or days run out: once per crossing (C20, S2-08).

Money and minutes are looked at in the transaction that moves them; the account carries the two
balances between which nothing happens, so a settlement asks for thresholds only where one is
crossed. Days left are looked at by the clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from billing import alerts as rules
from billing.alerts import Gauge, Threshold, alerts_due, thresholds_of
from billing.money import format_amount
from billing.terms import Alerts
from gateway.services import audit
from gateway.services.errors import FieldError, Invalid, NotFound
from gateway.store import accounts, looks, numbers, outbox
from gateway.store import alerts as store
from gateway.store import ledger as ledger_store
from gateway.store.alerts import Reach, StoredAlert
from gateway.store.base import Scope, new_id
from gateway.store.looks import BilledAccount
from gateway.uow import UnitOfWork
from routing.numbering import InvalidNumber, is_dialable_destination, parse_e164, region_of

CHANNELS = ("email", "sms", "webhook", "in_app", "call")
BY_PHONE = ("sms", "call")
THRESHOLDS_MAX = 20
VALUE_MAX = 10**15
HOOK_LENGTH_MAX = 500
SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class Watch:
    """One threshold as people set it: micros, seconds or days; and whether it is reached."""

    measure: str
    threshold: int
    reached: bool


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`hook_secret` signs what is posted to `hook_url`; `phone` is texted and called."""

    watches: tuple[Watch, ...]
    channels: tuple[str, ...]
    hook_url: str
    hook_secret: str
    phone: str


def get_settings(uow: UnitOfWork, scope: Scope) -> AlertSettings:
    found = store.of_account(uow.connection, scope)
    reach = find_reach(uow, scope)
    channels = {channel for alert in found for channel in alert.channels}
    return AlertSettings(
        tuple(Watch(alert.measure, alert.threshold, not alert.armed) for alert in found),
        tuple(channel for channel in CHANNELS if channel in channels) or ("email", "in_app"),
        reach.hook_url,
        reach.hook_secret,
        reach.phone,
    )


def change_settings(
    uow: UnitOfWork,
    scope: Scope,
    *,
    thresholds: Iterable[Threshold],
    channels: Collection[str],
    hook_url: str,
    phone: str = "",
    by_phone: bool = True,
    actor: str,
) -> AlertSettings:
    """All thresholds at once. One that is reached already says so on the pages, and does not
    send: it was not crossed. `by_phone`: the house has a number that texts and calls come from.
    """
    wanted = sorted(set(thresholds))
    errors = list(_complaints(wanted, channels, hook_url, phone))
    if not by_phone and set(channels) & set(BY_PHONE):
        errors.append(FieldError("/channels", "nobody is texted or called here: choose another"))
    called = _telephone(uow, scope, phone, errors)
    if errors:
        raise Invalid(errors)
    ledger_store.lock_books(uow.connection, scope)  # settlement reads and fires them under it
    account = _account(uow, scope)
    before = find_reach(uow, scope)
    secret = (before.hook_secret or secrets.token_hex(SECRET_BYTES)) if hook_url else ""
    reach = Reach(hook_url, secret, called)
    store.set_reach(uow.connection, scope, reach, actor=actor, now=uow.now)
    _put(uow, account, wanted, channels)
    audit.note(
        uow,
        scope,
        actor,
        "alerts.changed",
        scope.account_id,
        thresholds=[f"{t.gauge}:{t.value}" for t in wanted],
        channels=sorted(channels),
        webhook=hook_url,
        phone=called,
    )
    return get_settings(uow, scope)


def follow_plan(uow: UnitOfWork, account: BilledAccount, alerts: Alerts) -> None:
    """An account begins with the thresholds of its plan; from then on they are its own. Where
    it already warns of a balance of its own, the plan's are left out."""
    if store.find_reach(uow.connection, account.scope) is not None:
        return
    wanted = sorted(thresholds_of(alerts))
    if account.low_balance_micros is not None:
        wanted = [t for t in wanted if t.gauge != Gauge.MONEY]
    channels = [channel for channel in CHANNELS if channel in alerts.channels]
    store.set_reach(uow.connection, account.scope, Reach(), actor="system", now=uow.now)
    _put(uow, account, wanted if channels else [], channels)


def _put(
    uow: UnitOfWork,
    account: BilledAccount,
    wanted: Collection[Threshold],
    channels: Collection[str],
) -> None:
    readings = {Gauge.MONEY: account.balance_micros, Gauge.MINUTES: _seconds(uow, account.scope)}
    known = {(a.measure, a.threshold): a for a in store.of_account(uow.connection, account.scope)}
    rows = []
    for threshold in wanted:
        before = known.get((threshold.gauge.value, threshold.value))
        reading = readings.get(threshold.gauge)
        reached = reading is not None and reading <= threshold.value
        rows.append(
            StoredAlert(
                id=new_id(),
                measure=threshold.gauge.value,
                threshold=threshold.value,
                channels=tuple(channels),
                armed=before.armed if before else not reached,
                fired_at=before.fired_at if before else None,
            )
        )
    store.replace_all(uow.connection, account.scope, rows, now=uow.now)
    _watch(uow, account.scope, rows)


Reading = Callable[[], int | None]
"""A gauge is read only where the account has a threshold on it: days left cost an overview."""


def is_crossed(low_micros: int | None, high_micros: int | None, balance_micros: int) -> bool:
    """Whether a balance leaves the stretch in which no threshold is reached or armed again."""
    return (low_micros is not None and balance_micros <= low_micros) or (
        high_micros is not None and balance_micros > high_micros
    )


def money_moved(uow: UnitOfWork, scope: Scope, balance_micros: int) -> None:
    """In the transaction that moved it, and only where `is_crossed`."""
    _read(uow, scope, {Gauge.MONEY: lambda: balance_micros})


def minutes_moved(uow: UnitOfWork, scope: Scope) -> None:
    """In the transaction that drew them, for accounts that watch their minutes."""
    _read(uow, scope, {Gauge.MINUTES: lambda: _seconds(uow, scope)})


def look(uow: UnitOfWork, scope: Scope, balance_micros: int, days_left: Reading) -> None:
    """What the clock sees: all three gauges."""
    _read(
        uow,
        scope,
        {
            Gauge.MONEY: lambda: balance_micros,
            Gauge.MINUTES: lambda: _seconds(uow, scope),
            Gauge.DAYS: days_left,
        },
    )


def _seconds(uow: UnitOfWork, scope: Scope) -> int | None:
    return store.seconds_left(uow.connection, scope, uow.now)


def _read(uow: UnitOfWork, scope: Scope, gauges: Mapping[Gauge, Reading]) -> None:
    rows = store.of_account(uow.connection, scope)
    by_threshold = {Threshold(Gauge(row.measure), row.threshold): row for row in rows}
    watched = {threshold.gauge for threshold in by_threshold}
    readings = {gauge: read() for gauge, read in gauges.items() if gauge in watched}
    reached = {threshold for threshold, row in by_threshold.items() if not row.armed}
    found = alerts_due(by_threshold.keys(), readings, reached)
    fallen = [by_threshold[t].id for t in found.reached - reached]
    risen = [by_threshold[t].id for t in reached - found.reached]
    if not fallen and not risen:
        return
    store.arm(uow.connection, scope, fallen, armed=False, fired_at=uow.now)
    store.arm(uow.connection, scope, risen, armed=True)
    _watch(uow, scope, store.of_account(uow.connection, scope))
    for threshold in found.send:
        _send(uow, scope, by_threshold[threshold], threshold, readings[threshold.gauge])


def _watch(uow: UnitOfWork, scope: Scope, rows: Collection[StoredAlert]) -> None:
    money = [row for row in rows if row.measure == Gauge.MONEY]
    store.watch(
        uow.connection,
        scope,
        low_micros=max((row.threshold for row in money if row.armed), default=None),
        high_micros=min((row.threshold for row in money if not row.armed), default=None),
        minutes=any(row.measure == Gauge.MINUTES for row in rows),
    )


def _send(
    uow: UnitOfWork, scope: Scope, alert: StoredAlert, threshold: Threshold, reading: int | None
) -> None:
    account = _account(uow, scope)
    payload = {
        "measure": alert.measure,
        "threshold": shown(alert.measure, alert.threshold),
        "reading": "" if reading is None else shown(alert.measure, reading),
        "currency": account.currency,
        "words": rules.words(threshold, account.currency),
        "at": uow.now.isoformat(),
    }
    crossing = str(new_id())  # fired with this commit or not at all: the row is armed no more
    reach = find_reach(uow, scope)
    for channel in alert.channels:
        leave_due(uow, scope, "alert", channel, reach, crossing, payload)


def leave_due(
    uow: UnitOfWork,
    scope: Scope,
    kind: str,
    channel: str,
    reach: Reach,
    key: str,
    payload: Mapping[str, Any],
) -> bool:
    """The deed that brings a warning there; False where the channel leads nowhere. What stands
    on the pages shows by itself."""
    match channel:
        case "in_app":
            return True
        case "email":
            queue, deed = "notify", kind
        case "webhook" if reach.hook_url:
            queue, deed = "notify", f"{kind}_hook"
        case "sms" | "call" if reach.phone:
            queue, deed = "carrier", f"{kind}_{channel}"
        case _:
            return False
    outbox.add(
        uow.connection,
        scope,
        queue=queue,
        kind=deed,
        key=f"{deed}:{key}",
        payload=dict(payload),
        now=uow.now,
    )
    return True


def shown(measure: str, value: int) -> str:
    """Money as an amount, minutes and days as whole numbers, rounded down."""
    if measure == Gauge.MONEY:
        return format_amount(value)
    return str(value // 60) if measure == Gauge.MINUTES else str(value)


def banners(uow: UnitOfWork, scope: Scope) -> tuple[Threshold, ...]:
    """The lowest reached threshold of each gauge, where the account wants it on its pages."""
    lowest: dict[str, Threshold] = {}
    for alert in store.of_account(uow.connection, scope):
        if not alert.armed and "in_app" in alert.channels:
            lowest[alert.measure] = Threshold(Gauge(alert.measure), alert.threshold)
    return tuple(lowest.values())


def _account(uow: UnitOfWork, scope: Scope) -> BilledAccount:
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    return account


def _complaints(
    wanted: Collection[Threshold], channels: Collection[str], hook_url: str, phone: str
) -> Iterator[FieldError]:
    if len(wanted) > THRESHOLDS_MAX:
        yield FieldError("/thresholds", f"set at most {THRESHOLDS_MAX}")
    for threshold in wanted:
        if not 0 <= threshold.value <= VALUE_MAX:
            yield FieldError(f"/{threshold.gauge}", "write 0 or more")
    for channel in channels:
        if channel not in CHANNELS:
            yield FieldError("/channels", f"choose from {', '.join(CHANNELS)}")
    if wanted and not channels:
        yield FieldError("/channels", "choose at least one way to be warned")
    if "webhook" in channels and not hook_url:
        yield FieldError("/webhook_url", "write where the alerts are to be posted")
    if hook_url and not is_hook(hook_url):
        yield FieldError("/webhook_url", "write an address such as https://example.com/alerts")
    if not phone and set(channels) & set(BY_PHONE):
        yield FieldError("/phone", "write the number that is to be texted or called")


def _telephone(uow: UnitOfWork, scope: Scope, typed: str, errors: list[FieldError]) -> str:
    """In E.164. The house pays for warnings, so a phone is where the account may call anyway, and
    none of our numbers: that would be a call of the customer's."""
    if not typed:
        return ""
    account = accounts.find(uow.connection, scope)
    assert account is not None
    try:
        phone = parse_e164(typed, account.country)
    except InvalidNumber as refusal:
        errors.append(FieldError("/phone", str(refusal)))
        return ""
    dialable = is_dialable_destination(phone)
    if not dialable.ok:
        errors.append(FieldError("/phone", dialable.reason))
    elif region_of(phone) not in account.allowed_countries:
        errors.append(FieldError("/phone", "lies in a country that the account may not call"))
    elif numbers.ours_among(uow.connection, [phone]):
        errors.append(FieldError("/phone", "is a tracking number: write that of a telephone"))
    return phone


def is_hook(url: str) -> bool:
    """Only https, no log-in in it. Whether the host is a public one is asked at each delivery."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        len(url) <= HOOK_LENGTH_MAX
        and url.isascii()
        and url.isprintable()
        and parts.scheme == "https"
        and bool(parts.hostname)
        and parts.username is None
        and not parts.fragment
        and (port is None or port > 0)
    )


def find_reach(uow: UnitOfWork, scope: Scope) -> Reach:
    return store.find_reach(uow.connection, scope) or Reach()
