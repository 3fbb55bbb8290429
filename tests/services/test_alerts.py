"""Warnings once per crossing, in the transaction that crosses (C20, S2-08)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from billing.alerts import Gauge, Threshold
from billing.money import MICROS, parse_amount
from gateway.providers.mail import SandboxMailer
from gateway.providers.telephony import ProviderError
from gateway.services import alerts, banners, billing_notices, deeds, ledger, looks
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.store.base import new_id
from gateway.store.outbox import DueDeed, OutboxRow
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA
from tests.services.days import Calendar, open_account, pay, talk
from tests.services.history import History

HOOK = "https://hooks.example.com/ringledger"


def money(*amounts: str) -> list[Threshold]:
    return [Threshold(Gauge.MONEY, parse_amount(amount)) for amount in amounts]


def sent(units: UnitsOfWork, kind: str = "alert") -> list[str]:
    table = OutboxRow.__table__
    with units.read() as uow:
        rows = uow.connection.execute(
            table.select().where(table.c.kind == kind).order_by(table.c.created_at)
        )
        return [row.payload["threshold"] for row in rows]


@pytest.fixture
def watch(units: UnitsOfWork) -> Callable[..., None]:
    def set_(account: Account, thresholds: list[Threshold], **more: Any) -> None:
        settings = {"channels": ["email", "in_app"], "hook_url": "", "actor": "ann", **more}
        with units.begin() as uow:
            alerts.change_settings(uow, account.scope, thresholds=thresholds, **settings)

    return set_


@pytest.fixture
def spend(units: UnitsOfWork) -> Callable[[Account, str], None]:
    def take(account: Account, amount: str) -> None:
        with units.begin() as uow:
            ledger.adjust(
                uow,
                account.scope,
                amount_micros=-parse_amount(amount),
                reason="spent",
                actor=OLGA,
                idempotency_key=str(new_id()),
            )

    return take


def test_c20_each_threshold_is_told_once_and_again_only_after_it_was_left(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any, spend: Any
) -> None:
    fund(acme, "50.00")
    watch(acme, money("20.00", "5.00"))
    spend(acme, "30.00")
    assert sent(units) == ["20.00"], "reached when it reads so much or less"
    spend(acme, "1.00")
    spend(acme, "1.00")
    assert sent(units) == ["20.00"]
    fund(acme, "2.00")
    spend(acme, "1.00")
    assert sent(units) == ["20.00"], "20.00 is not above 20.00: it was not left"
    fund(acme, "10.00")
    spend(acme, "10.00")
    assert sent(units) == ["20.00", "20.00"]


def test_c20_a_fall_through_several_tells_the_lowest_alone(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any, spend: Any
) -> None:
    fund(acme, "50.00")
    watch(acme, money("20.00", "10.00", "5.00"))
    spend(acme, "46.00")
    assert sent(units) == ["5.00"]
    with units.read() as uow:
        assert banners.banners(uow, acme.scope).reached == tuple(money("5.00"))


def test_what_is_reached_when_it_is_set_shows_and_does_not_send(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any
) -> None:
    fund(acme, "4.00")
    watch(acme, money("5.00"))
    assert sent(units) == []
    with units.read() as uow:
        assert banners.banners(uow, acme.scope).reached == tuple(money("5.00"))


def test_saving_the_same_settings_again_forgets_no_crossing(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any, spend: Any
) -> None:
    fund(acme, "50.00")
    watch(acme, money("20.00"))
    spend(acme, "40.00")
    watch(acme, money("20.00"))
    spend(acme, "1.00")
    assert sent(units) == ["20.00"]


def test_s2_08_a_plans_thresholds_are_an_accounts_from_its_first_look_on(
    units: UnitsOfWork, on_sale: None
) -> None:
    calendar = Calendar(units).at(2026, 3, 3, 9)
    account = open_account(calendar, "acme", "payg")
    looks.drain(calendar.units, "US")
    with units.read() as uow:
        found = alerts.get_settings(uow, account.scope)
    assert [(watch.measure, watch.threshold) for watch in found.watches] == [("money", 10 * MICROS)]
    pay(calendar, account, "50.00")
    history = History(calendar.units, account)
    did = history.number("+14155550100")
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, did, 24_000)  # 40.00: both legs at 0.05 a minute
    assert sent(units) == ["10.00"]


def test_c20_days_left_are_looked_at_by_the_clock(units: UnitsOfWork, on_sale: None) -> None:
    calendar = Calendar(units).at(2026, 3, 3, 9)
    account = open_account(calendar, "acme", "payg")
    pay(calendar, account, "50.00")
    looks.drain(calendar.units, "US")
    with calendar.units.begin() as uow:
        alerts.change_settings(
            uow,
            account.scope,
            thresholds=[Threshold(Gauge.DAYS, 3)],
            channels=["email"],
            hook_url="",
            actor="ann",
        )
    history = History(calendar.units, account)
    did = history.number("+14155550100")
    for day in (3, 4, 5):
        calendar.at(2026, 3, day, 12)
        talk(calendar, history, did, 7_200)  # 12.00
        looks.drain(calendar.units, "US")
    assert sent(units) == ["3"], "26.00 at 12.00 a day lasts 2 days"
    calendar.at(2026, 3, 6, 1)
    looks.drain(calendar.units, "US")
    assert sent(units) == ["3"], "once"


class FakeHooks:
    def __init__(self) -> None:
        self.posted: list[tuple[str, str, Any]] = []
        self.fails = False

    def post(self, url: str, secret: str, event: Any) -> None:
        if self.fails:
            raise ProviderError("away", permanent=False)
        self.posted.append((url, secret, event))


def test_c20_by_webhook_and_mail_as_the_account_wants(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any, spend: Any
) -> None:
    fund(acme, "50.00")
    watch(acme, money("20.00"), channels=["webhook"], hook_url=HOOK)
    spend(acme, "40.00")
    assert sent(units) == [] and sent(units, "alert_hook") == ["20.00"]
    hooks = FakeHooks()
    handlers = billing_notices.handlers(units, SandboxMailer(), hooks, "http://x.test")
    deeds.work(units, "notify", handlers)
    ((url, secret, event),) = hooks.posted
    assert url == HOOK and len(secret) == 48
    assert (event["type"], event["threshold"], event["reading"]) == ("alert", "20.00", "10.00")
    assert event["account_id"] == str(acme.id)


def test_c20_a_webhook_is_tried_again_under_the_same_id(
    units: UnitsOfWork, acme: Account, fund: Any, watch: Any, spend: Any
) -> None:
    fund(acme, "50.00")
    watch(acme, money("20.00"), channels=["webhook"], hook_url=HOOK)
    spend(acme, "40.00")
    hooks = FakeHooks()
    hooks.fails = True
    tried: list[Any] = []
    handlers = billing_notices.handlers(units, SandboxMailer(), hooks, "http://x.test")

    def remember(deed: DueDeed) -> None:
        tried.append(deed.key)
        handlers["alert_hook"](deed)

    deeds.work(units, "notify", handlers | {"alert_hook": remember})
    hooks.fails = False
    later = UnitsOfWork(units.engine, lambda: NOON + dt.timedelta(minutes=5))
    deeds.work(later, "notify", handlers | {"alert_hook": remember})
    deeds.work(later, "notify", handlers | {"alert_hook": remember})
    ((_, _, event),) = hooks.posted
    assert tried == [event["id"]] * 2


@pytest.mark.parametrize(
    "changes, path",
    [
        pytest.param({"channels": ["pigeon"]}, "/channels", id="C20 no such channel"),
        pytest.param({"channels": []}, "/channels", id="C20 no channel at all"),
        pytest.param({"channels": ["webhook"]}, "/webhook_url", id="C20 a webhook to nowhere"),
        pytest.param({"hook_url": "http://example.com"}, "/webhook_url", id="H not encrypted"),
        pytest.param({"hook_url": "https://a:b@example.com"}, "/webhook_url", id="H a log-in"),
        pytest.param({"hook_url": "https://"}, "/webhook_url", id="H no host"),
    ],
)
def test_settings_that_lead_nowhere_are_refused_at_their_field(
    acme: Account, watch: Any, changes: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        watch(acme, money("5.00"), **changes)
    assert path in {error.path for error in refusal.value.errors}
