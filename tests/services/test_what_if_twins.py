"""M02: what a period would have cost under another plan is what it costs whoever has that plan.

Twins live the same days, each under a plan of its own; what one would have paid under the plan of
the other is what the other was charged, to the micro. It is not defined, and not compared, where a
plan lets its account do what the other forbids: texts under a plan that sells none, packages and
bundles that are bought, calls that a plan refuses or cuts, a free first week of rent that reaches
over the end of the period; nor where minutes roll over.
"""

import datetime as dt
import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.messages import MessageStatus
from gateway.links import PublicLinks
from gateway.services import (
    accounts,
    ledger,
    memberships,
    message_events,
    message_settlement,
    messages,
    numbers,
    plans,
    renewals,
    settlement,
    what_if,
)
from gateway.services.accounts import Account
from gateway.services.message_events import IncomingText, TextNews
from gateway.services.messages import NewText
from gateway.services.numbers import Number
from gateway.services.plans import PlanVersion
from gateway.services.what_if import WhatIf
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA, FakeCarrier
from tests.services.days import Calendar, open_account
from tests.services.history import DESK, MOBILE, History, Target

RETAIL = sorted(load_catalogue().keys() - {CARRIER_COST})
HAVE_TEXTS = {code for code in RETAIL if load_catalogue()[code]["tariff"].get("sms")}
LONDON, PEER = "+442071838750", "+17025550111"
# Day and minute of March, seconds of talk of the winner, and what the caller spent beyond that.
CALLS = [
    (3, 10 * 60, 83, 0),
    (3, 10 * 60, 5, 7),  # two at once
    (5, 9 * 60, 0, 41),  # voicemail
    (9, 23 * 60, 3_601, 0),
    (11, 12 * 60, 10_000, 12),
    (12, 12 * 60, 29, 0),
    (16, 23 * 60 + 40, 7_200, 3),  # over the end of a cycle that ends on the seventeenth
    (20, 8 * 60, 14_000, 0),
    (25, 8 * 60, 13_000, 0),  # beyond a pool of 500 minutes
    (31, 23 * 60 + 50, 1_800, 0),  # over the end of the month
    (34, 12 * 60, 61, 0),
]
OPENED = dt.datetime(2026, 3, 3, 14, tzinfo=dt.UTC)  # nine in New York
UNTIL = OPENED + dt.timedelta(days=39)
MIDNIGHT = dt.datetime(2026, 3, 1, 5, tzinfo=dt.UTC)  # in New York
LOOKS = (4, 9, 13, 17, 21, 26, 32, 41)
"""Days of March on which settlement and renewals run."""


class Twin:
    def __init__(self, calendar: Calendar, plan: str, n: int, **more: Any) -> None:
        self.calendar = calendar
        self.account: Account = open_account(calendar, f"twin{n}", plan, needs_card=False, **more)
        self.plan = plan
        self.n = n
        self.history = History(calendar.units, self.account)
        with calendar.units.begin() as uow:
            ledger.adjust(
                uow,
                self.account.scope,
                amount_micros=9_000_000_000,
                reason="test money",
                actor=OLGA,
                idempotency_key=f"money {n}",
            )

    def buy(self, carrier: FakeCarrier, prefix: str) -> Number:
        return numbers.order_number(
            self.calendar.units,
            carrier,  # type: ignore[arg-type]
            PublicLinks("https://calls.test"),
            self.account.scope,
            e164=f"{prefix}{self.n:04}",
            label="",
            source="",
            actor="ann",
            idempotency_key=prefix + str(self.n),
        )

    def call(self, did: uuid.UUID, at: dt.datetime, talk: int, more: int = 0) -> None:
        """Under the plan that the account has then."""
        self.history.units = self.calendar.units
        with self.calendar.units.read() as uow:
            self.history.account = accounts.get_account(uow, self.account.scope)
        other = LONDON if talk % 2 else DESK
        targets = [Target(MOBILE if talk < 5_000 else LONDON, talk=talk or None), Target(other)]
        self.history.call(did, *targets, at=at, talk=talk + more, settle=False)

    def text(self, number: Number, body: str) -> None:
        with self.calendar.units.begin() as uow:
            new = NewText(number.id, PEER, body)
            sent = messages.send(
                uow, number.scope, new, actor="ann", idempotency_key=str(uuid.uuid4())
            )
        with self.calendar.units.begin() as uow:
            news = TextNews(
                f"SM{sent.id.hex}", MessageStatus.DELIVERED, segments=len(body) // 153 + 1
            )
            message_events.report(uow, sent.tenant_id, sent.id, news, {})
            back = IncomingText(f"SM{uuid.uuid4().hex}", PEER, number.e164, "Hi", 1, 0, uow.now)
            message_events.receive(uow, back, {"Body": "Hi"})

    def paid(self, until: dt.datetime = UNTIL) -> Counter[str]:
        """From the ledger: what the wallet paid, by kind, and what included credit gave of it."""
        with self.calendar.units.read() as uow:
            rows = uow.connection.execute(
                text(
                    "select case kind when 'surcharge' then 'usage' when 'plan_change' then"
                    " 'access_fee' when 'credit_expiry' then 'included_credit' else kind end,"
                    " sum(case when debit like 'wallet:%' then amount_micros"
                    "          else - amount_micros end)::bigint"
                    " from posting where account_id = :id and balance_after_micros is not null"
                    " and unit = 'USD' and at < :until and kind <> 'adjustment' group by 1"
                ),
                {"id": self.account.id, "until": until},
            ).all()
        return Counter(dict(rows))

    def version(self) -> PlanVersion:
        with self.calendar.units.read() as uow:
            return plans.get_plan(uow, self.plan)

    def under(self, version: PlanVersion | None, until: dt.datetime = UNTIL) -> WhatIf:
        """None: as it was."""
        with self.calendar.units.read() as uow:
            return what_if.what_if(
                uow, self.account.scope, since=OPENED, until=until, version=version
            )


def look(calendar: Calendar) -> None:
    """What the clock would do by now."""
    renewals.drain(calendar.units)
    assert settlement.drain(calendar.units).failed == 0
    message_settlement.drain(calendar.units)
    renewals.drain(calendar.units)


def live_five_weeks(calendar: Calendar, twins: dict[str, Twin]) -> None:
    carrier = FakeCarrier()
    dids = {
        plan: [twin.buy(carrier, prefix) for prefix in ("+1415555", "+1800555")]
        for plan, twin in twins.items()
    }
    due = sorted(CALLS)
    for day in LOOKS:
        while due and due[0][0] < day:
            on, minute, talk, more = due.pop(0)
            began = MIDNIGHT + dt.timedelta(days=on - 1, minutes=minute)
            for plan, twin in twins.items():
                twin.call(dids[plan][talk % 2].id, began, talk, more)
        calendar.now = MIDNIGHT + dt.timedelta(days=day - 1, hours=7)
        for plan in HAVE_TEXTS & twins.keys() if day in (9, 21) else ():
            twins[plan].text(dids[plan][0], "x" * day * 10)
        look(calendar)
    assert not due


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    calendar = Calendar(units)
    calendar.now = OPENED
    return calendar


def test_m02_what_one_would_have_paid_is_what_the_other_paid_for_every_pair_of_plans(
    calendar: Calendar,
) -> None:
    lived = {plan: Twin(calendar, plan, n) for n, plan in enumerate(RETAIL)}
    live_five_weeks(calendar, lived)
    paid = {plan: twin.paid() for plan, twin in lived.items()}
    assert len({bill["usage"] for bill in paid.values()}) >= 8, "the plans differ"
    with calendar.units.read() as uow:
        versions = {plan: plans.get_plan(uow, plan) for plan in RETAIL}
    for one, other in itertools.product(RETAIL, RETAIL):
        seen = lived[one].under(versions[other])
        pair = f"{one} under {other}"
        assert seen.calls.items == 3 * len(CALLS), pair
        assert seen.calls.replayed_micros == paid[other]["usage"], pair
        assert seen.rent.replayed_micros == paid[other]["rental"], pair
        assert seen.access.replayed_micros == paid[other]["access_fee"], pair
        if one in HAVE_TEXTS and other in HAVE_TEXTS:
            assert seen.texts.replayed_micros == paid[other]["sms"], pair
            assert seen.total.replayed_micros == paid[other].total(), pair
        assert seen.total.charged_micros == paid[one].total(), pair
        if one == other:
            assert seen.total.difference_micros == 0 and seen.differing_legs == 0, pair
            as_it_was = lived[one].under(None)
            assert as_it_was.total == seen.total and as_it_was.differing_legs == 0, pair


def publish(calendar: Calendar, code: str, **more: Any) -> PlanVersion:
    with calendar.units.begin() as uow:
        document = load_catalogue()["payg"] | {"name": code, **more}
        return plans.publish_plan(uow, code, document, OLGA)


@pytest.mark.parametrize(
    "share, overrun, day",
    [
        pytest.param("full", "zero", 1, id="all at once, nothing for the overrun"),
        pytest.param("prorated", "zero", 1, id="the part for the days left"),
        pytest.param("full", "plan", 17, id="the largest plan begins its cycles on another day"),
        pytest.param("prorated", "plan", 17, id="a part, and another day"),
    ],
)
def test_m02_c5_a_plan_that_upgrades_by_itself_is_led_up_as_it_would_have_been(
    calendar: Calendar, share: str, overrun: str, day: int
) -> None:
    following = None
    for code, minutes, fee, credit in (
        ("large", 120, "90.00", "25.00"),
        ("middle", 40, "30.00", ""),
        ("small", 10, "10.00", "2.00"),
    ):
        upgrade = {"channel": "self", "allowance": share, "fee": share}
        first = publish(
            calendar,
            code,
            pool={"minutes": minutes, "leg_scope": ["inbound"]},
            access_fee={"month": fee},
            included={"credit": credit} if credit else {},
            exhaustion="auto_upgrade" if following else "block_new",
            upgrade=upgrade | ({"next_plan": following} if following else {}),
            statement={"period": "cycle", "anchor_day": day if code == "large" else 1},
            in_call={"policy": "let_finish", "overrun_price": overrun},
        )
        following = code
    one, other = Twin(calendar, "payg", 1), Twin(calendar, "small", 2)
    carrier = FakeCarrier()
    numbers_ = {twin: twin.buy(carrier, "+1415555") for twin in (one, other)}
    for on, minute, talk, looks in (
        (4, 600, 500, True),
        (5, 600, 301, False),  # runs over what small has
        (5, 603, 900, True),  # ends behind it, and is settled with it
        (6, 600, 1_300, True),
        (6, 610, 2_000, True),  # is on while the plan becomes middle, and large
        (8, 600, 700, True),
        (31, 1_435, 1_300, False),  # over the end of the month
        (33, 600, 7_000, True),
        (34, 600, 500, True),
    ):
        began = MIDNIGHT + dt.timedelta(days=on - 1, minutes=minute)
        for twin, number in numbers_.items():
            twin.call(number.id, began, talk)
        calendar.now = began + dt.timedelta(seconds=talk + 30)
        if looks:
            look(calendar)
    calendar.now = MIDNIGHT + dt.timedelta(days=40)
    look(calendar)
    with calendar.units.read() as uow:
        assert accounts.get_account(uow, other.account.scope).plan_code == "large"
    seen, real = one.under(first), other.under(None)
    paid = other.paid()
    assert seen.calls.replayed_micros == paid["usage"]
    assert seen.calls.drawn_seconds == real.calls.drawn_seconds > 120 * 60
    assert seen.access.replayed_micros == paid["access_fee"] == real.access.charged_micros
    assert seen.included.replayed_micros == real.included.charged_micros < 0
    assert seen.total.replayed_micros == real.total.charged_micros
    assert other.under(first).total.difference_micros == 0, "what it led to is what it costs"


def test_m02_c5_what_another_version_of_the_plan_led_to_is_not_what_this_one_would_have(
    calendar: Calendar,
) -> None:
    """Small has more minutes in its second version: they would have been enough."""
    publish(calendar, "large", pool={"minutes": 120}, access_fee={"month": "90.00"})

    def small(minutes: int) -> PlanVersion:
        return publish(
            calendar,
            "small",
            pool={"minutes": minutes},
            access_fee={"month": "10.00"},
            exhaustion="auto_upgrade",
            upgrade={"channel": "self", "next_plan": "large"},
        )

    first = small(10)
    one = Twin(calendar, "small", 1)
    second = small(100)
    other = Twin(calendar, "small", 2)
    carrier = FakeCarrier()
    dids = {twin: twin.buy(carrier, "+1415555").id for twin in (one, other)}
    for on in (4, 5, 8, 40):
        calendar.now = MIDNIGHT + dt.timedelta(days=on - 1, minutes=640)
        for twin, did in dids.items():
            twin.call(did, calendar.now - dt.timedelta(minutes=20), 500)
        look(calendar)
    with calendar.units.read() as uow:
        codes = [accounts.get_account(uow, twin.account.scope).plan_code for twin in (one, other)]
    assert codes == ["large", "small"]
    seen, real = one.under(second), other.under(None)
    assert seen.access.replayed_micros == real.access.charged_micros
    assert seen.calls.drawn_seconds == real.calls.drawn_seconds
    assert seen.total.replayed_micros == real.total.charged_micros
    assert one.under(first).total.difference_micros == 0, "what the first led to is what it costs"


Family = tuple[Twin, ...]
"""An agency, and its clients."""


def live_as_families(calendar: Calendar, families: Sequence[Family], *, alone_again: int) -> None:
    """Clients share from the eighth day until a later one; those of the same place call alike."""
    carrier = FakeCarrier()
    twins = [*itertools.chain.from_iterable(families)]
    own = {twin.n: twin.buy(carrier, "+1415555") for twin in twins}
    for on, talk in ((4, 1_800), (8, 2_400), (20, 1_201), (31, 3_000), (34, 601), (36, 600)):
        if on in (8, alone_again):
            calendar.now = MIDNIGHT + dt.timedelta(days=on - 1)
            for _, *clients in families:
                for client in clients:
                    with calendar.units.begin() as uow:
                        to = "agency_shared" if on == 8 else "own"
                        memberships.set_billing(uow, client.account.scope, to, OLGA)
        for place, alike in enumerate(zip(*families, strict=True)):
            for twin in alike:
                began = MIDNIGHT + dt.timedelta(days=on - 1, minutes=1_340 + place)
                twin.call(own[twin.n].id, began, talk)
        calendar.now = MIDNIGHT + dt.timedelta(days=on, hours=7)
        for twin in twins if on in (8, 31) else ():
            twin.text(own[twin.n], "x" * 100)
        look(calendar)


def families_of(calendar: Calendar, agencies_on: Sequence[str], *clients: str) -> list[Family]:
    n = itertools.count(1)
    agencies = [Twin(calendar, plan, next(n)) for plan in agencies_on]
    return [
        (agency, *(Twin(calendar, plan, next(n), parent_id=agency.account.id) for plan in clients))
        for agency in agencies
    ]


@pytest.mark.parametrize("scope", ["agency_shared", "account"])
def test_m02_c15_an_agencys_other_pool_is_drawn_by_its_clients_as_far_as_they_share_it(
    calendar: Calendar, scope: str
) -> None:
    """The clients' own plans stay: their minutes, their rent and their access."""
    payg = load_catalogue()["payg"]["tariff"]
    tariff = payg | {
        "rental": [line | {"per_month": "9.00"} for line in payg["rental"]],
        "inbound": [line | {"per_minute": "0.09"} for line in payg["inbound"]],
    }
    goes_on = {"exhaustion": "charge_plan_rate"}
    # Both legs of a call end together, and which of them draws first is nobody's wish.
    inbound = {"leg_scope": ["inbound"]}
    pool = {"minutes": 90, "scope": scope, **inbound}
    version = publish(calendar, "pooled", pool=pool, tariff=tariff, **goes_on)
    own_pool = {"minutes": 10, **inbound}
    publish(calendar, "club", access_fee={"month": "5.00"}, pool=own_pool, **goes_on)
    families = families_of(calendar, ("payg", "pooled"), "payg", "club")
    live_as_families(calendar, families, alone_again=36)
    agencies = [agency for agency, *_ in families]
    seen, real = agencies[0].under(version), agencies[1].under(None)
    assert (real.clients.drawn_seconds > 2_000) == (scope == "agency_shared"), "more than their own"
    assert seen.clients.drawn_seconds == real.clients.drawn_seconds
    assert seen.clients.replayed_micros == real.clients.charged_micros
    assert seen.calls.replayed_micros == real.calls.charged_micros
    assert seen.rent.replayed_micros == real.rent.charged_micros
    assert seen.access.replayed_micros == real.access.charged_micros == 5_000_000, "a client's"
    assert seen.total.replayed_micros == real.total.charged_micros
    back = agencies[1].under(agencies[0].version())
    assert back.total.replayed_micros == agencies[0].under(None).total.charged_micros
    for twin in itertools.chain.from_iterable(families):
        assert twin.under(None).total.difference_micros == 0
        assert twin.under(twin.version()).total.difference_micros == 0


@pytest.mark.parametrize("scope", ["agency_shared", "account"])
def test_m02_c15_an_agencys_credit_pays_for_its_clients_as_far_as_they_share_it(
    calendar: Calendar, scope: str
) -> None:
    version = publish(calendar, "ten", included={"credit": "10.00", "scope": scope})
    families = families_of(calendar, ("payg", "ten"), "payg")
    live_as_families(calendar, families, alone_again=34)
    agencies = [agency for agency, *_ in families]
    seen, real = agencies[0].under(version), agencies[1].under(None)
    assert seen.included.replayed_micros == real.included.charged_micros
    drawn = -real.included.charged_micros
    if scope == "account":  # April's is not used up, so that it matters in which a call ended
        assert 10_000_000 < drawn < 20_000_000
    else:
        assert drawn == 20_000_000
    assert seen.total.replayed_micros == real.total.charged_micros
    assert seen.calls.items == real.calls.items, "a client's calls are its own"
