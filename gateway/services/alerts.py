"""Warnings before money, minutes or days run out: once per crossing (C20, S2-08).

Money and minutes are looked at in the transaction that moves them; the account carries the two
balances between which nothing happens, so a settlement asks for thresholds only where one is
crossed. Days left are looked at by the clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from billing import alerts as rules
from billing.alerts import Gauge, Threshold, alerts_due, thresholds_of
from billing.money import format_amount
from billing.terms import Alerts
from gateway.services import audit
from gateway.services.errors import FieldError, Invalid, NotFound
from gateway.store import alerts as store
from gateway.store import ledger as ledger_store
from gateway.store import looks, outbox
from gateway.store.alerts import Hook, StoredAlert
from gateway.store.base import Scope, new_id
from gateway.store.looks import BilledAccount
from gateway.uow import UnitOfWork

CHANNELS = ("email", "webhook", "in_app")
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
    """`hook_secret` signs what is posted to `hook_url`."""

    watches: tuple[Watch, ...]
    channels: tuple[str, ...]
    hook_url: str
    hook_secret: str


def get_settings(uow: UnitOfWork, scope: Scope) -> AlertSettings:
    found = store.of_account(uow.connection, scope)
    hook = store.find_hook(uow.connection, scope) or Hook("", "")
    channels = {channel for alert in found for channel in alert.channels}
    return AlertSettings(
        tuple(Watch(alert.measure, alert.threshold, not alert.armed) for alert in found),
        tuple(channel for channel in CHANNELS if channel in channels) or ("email", "in_app"),
        hook.url,
        hook.secret,
    )


def change_settings(
    uow: UnitOfWork,
    scope: Scope,
    *,
    thresholds: Iterable[Threshold],
    channels: Collection[str],
    hook_url: str,
    actor: str,
) -> AlertSettings:
    """All thresholds at once. One that is reached already says so on the pages, and does not
    send: it was not crossed."""
    wanted = sorted(set(thresholds))
    _check(wanted, channels, hook_url)
    ledger_store.lock_books(uow.connection, scope)  # settlement reads and fires them under it
    account = _account(uow, scope)
    hook = store.find_hook(uow.connection, scope) or Hook("", "")
    secret = (hook.secret or secrets.token_hex(SECRET_BYTES)) if hook_url else ""
    store.set_hook(uow.connection, scope, Hook(hook_url, secret), actor=actor, now=uow.now)
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
    )
    return get_settings(uow, scope)


def follow_plan(uow: UnitOfWork, account: BilledAccount, alerts: Alerts) -> None:
    """An account begins with the thresholds of its plan; from then on they are its own. Where
    it already warns of a balance of its own, the plan's are left out."""
    if store.find_hook(uow.connection, account.scope) is not None:
        return
    wanted = sorted(thresholds_of(alerts))
    if account.low_balance_micros is not None:
        wanted = [t for t in wanted if t.gauge != Gauge.MONEY]
    channels = [channel for channel in CHANNELS if channel in alerts.channels]
    store.set_hook(uow.connection, account.scope, Hook("", ""), actor="system", now=uow.now)
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


def is_crossed(low_micros: int | None, high_micros: int | None, balance_micros: int) -> bool:
    """Whether a balance leaves the stretch in which no threshold is reached or armed again."""
    return (low_micros is not None and balance_micros <= low_micros) or (
        high_micros is not None and balance_micros > high_micros
    )


def money_moved(uow: UnitOfWork, scope: Scope, balance_micros: int) -> None:
    """In the transaction that moved it, and only where `is_crossed`."""
    _read(uow, scope, {Gauge.MONEY: balance_micros})


def minutes_moved(uow: UnitOfWork, scope: Scope) -> None:
    """In the transaction that drew them, for accounts that watch their minutes."""
    _read(uow, scope, {Gauge.MINUTES: _seconds(uow, scope)})


def look(uow: UnitOfWork, scope: Scope, balance_micros: int, days_left: int | None) -> None:
    """What the clock sees: all three gauges."""
    _read(
        uow,
        scope,
        {
            Gauge.MONEY: balance_micros,
            Gauge.MINUTES: _seconds(uow, scope),
            Gauge.DAYS: days_left,
        },
    )


def _seconds(uow: UnitOfWork, scope: Scope) -> int | None:
    return store.seconds_left(uow.connection, scope, uow.now)


def _read(uow: UnitOfWork, scope: Scope, readings: Mapping[Gauge, int | None]) -> None:
    rows = store.of_account(uow.connection, scope)
    by_threshold = {Threshold(Gauge(row.measure), row.threshold): row for row in rows}
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
    hook = store.find_hook(uow.connection, scope)
    crossing = str(new_id())  # fired with this commit or not at all: the row is armed no more
    if "email" in alert.channels:
        _add(uow, scope, "alert", crossing, payload)
    if "webhook" in alert.channels and hook is not None and hook.url:
        _add(uow, scope, "alert_hook", crossing, payload)


def _add(uow: UnitOfWork, scope: Scope, kind: str, crossing: str, payload: dict[str, str]) -> None:
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=kind,
        key=f"{kind}:{crossing}",
        payload=payload,
        now=uow.now,
    )


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


def _check(wanted: Collection[Threshold], channels: Collection[str], hook_url: str) -> None:
    errors = []
    if len(wanted) > THRESHOLDS_MAX:
        errors.append(FieldError("/thresholds", f"set at most {THRESHOLDS_MAX}"))
    for threshold in wanted:
        if not 0 <= threshold.value <= VALUE_MAX:
            errors.append(FieldError(f"/{threshold.gauge}", "write 0 or more"))
    for channel in channels:
        if channel not in CHANNELS:
            errors.append(FieldError("/channels", f"choose from {', '.join(CHANNELS)}"))
    if wanted and not channels:
        errors.append(FieldError("/channels", "choose at least one way to be warned"))
    if "webhook" in channels and not hook_url:
        errors.append(FieldError("/webhook_url", "write where the alerts are to be posted"))
    if hook_url and not is_hook(hook_url):
        errors.append(
            FieldError("/webhook_url", "write an address such as https://example.com/alerts")
        )
    if errors:
        raise Invalid(errors)


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


def find_hook(uow: UnitOfWork, scope: Scope) -> Hook | None:
    return store.find_hook(uow.connection, scope)
