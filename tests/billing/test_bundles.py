from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.bundles import (
    bundle_bucket,
    bundle_ends_at,
    bundle_id,
    bundle_price_posting,
    may_buy_bundle,
    may_top_up,
)
from billing.calendar import billing_cycle, local_midnight
from billing.lifecycle import Allowed, RefusalReason, Refused
from billing.packages import Bucket, draw, may_draw
from billing.pools import may_start_on_pool, pool_figures
from billing.tariffs import PlanInvalid
from billing.terms import Bundle
from tests.billing.buckets import (
    ACME,
    BOLT,
    MONTH,
    NOON,
    PLAN_VERSION,
    bucket,
    forwarded,
    inbound,
    moment,
)
from tests.billing.plans import plan

NEW_YORK = "America/New_York"
CYCLE = billing_cycle(17, datetime(2026, 3, 20, tzinfo=UTC), NEW_YORK)
HUNDRED = {"minutes": 100, "price": "5.00"}
NO_MONEY = {"manual": False, "card": False}


def terms(**topup: Any) -> Any:
    more = {"pool": {"minutes": 500, "scope": "agency_shared", "leg_scope": ["inbound"]}}
    return plan(topup=topup, **more).terms


def a_bundle(remaining_seconds: int = 6_000, **changes: Any) -> Bucket:
    usual: dict[str, Any] = {
        "bucket_id": UUID(int=9),
        "owner_id": ACME,
        "remaining_seconds": remaining_seconds,
        "starts_at": NOON - timedelta(days=1),
        "ends_at": NOON + MONTH,
    }
    return bundle_bucket(terms(bundles=[HUNDRED]), **(usual | changes))


def test_s4_11_no_single_minutes_and_no_money_where_the_plan_sells_none() -> None:
    refused = may_buy_bundle(terms(**NO_MONEY), 100)
    assert refused == Refused(
        RefusalReason.NOT_FOR_SALE, "Your plan sells no single minutes: ask for a larger plan."
    )
    by_card, by_hand = (may_top_up(terms(**NO_MONEY), by_card=card) for card in (True, False))
    assert isinstance(by_card, Refused) and "ask for a larger plan" in by_card.words
    assert isinstance(by_hand, Refused) and "adjustment with its reason" in by_hand.words


@pytest.mark.parametrize(
    "topup, card, hand",
    [
        pytest.param({}, True, True, id="C6 both where the plan says nothing"),
        pytest.param({"manual": False}, True, False, id="C6 by card alone"),
        pytest.param({"card": False}, False, True, id="C6 by hand alone"),
    ],
)
def test_each_way_in_is_a_word_of_the_plan(topup: dict[str, Any], card: bool, hand: bool) -> None:
    ways = [may_top_up(terms(**topup), by_card=by_card) == Allowed() for by_card in (True, False)]
    assert ways == [card, hand]


def test_s4_11_bundles_are_sold_in_the_sizes_that_the_plan_lists() -> None:
    sold = terms(bundles=[HUNDRED, {"minutes": 500, "price": "20.00", "valid_days": 90}])
    assert may_buy_bundle(sold, 100) == Bundle(100, 5_000_000)
    assert may_buy_bundle(sold, 500) == Bundle(500, 20_000_000, 90)
    other = may_buy_bundle(sold, 150)
    assert isinstance(other, Refused) and "bundles of 100, 500 minutes" in other.words
    instead = may_top_up(terms(bundles=[HUNDRED], card=False), by_card=True)
    assert isinstance(instead, Refused) and "buy a bundle of minutes" in instead.words


@pytest.mark.parametrize(
    "bundles, path",
    [
        pytest.param([HUNDRED, HUNDRED], "/topup/bundles/1/minutes", id="S4-11 one size twice"),
        pytest.param([HUNDRED | {"valid_days": 0}], "/topup/bundles/0/valid_days", id="no day"),
        pytest.param([{"minutes": 0, "price": "1.00"}], "/topup/bundles/0/minutes", id="none"),
    ],
)
def test_a_bundle_that_cannot_be_sold_is_refused_at_its_field(bundles: Any, path: str) -> None:
    with pytest.raises(PlanInvalid) as refusal:
        terms(bundles=bundles)
    assert path in {error.path for error in refusal.value.errors}


def test_s4_11_a_bundle_lasts_to_the_end_of_the_cycle_or_for_its_days() -> None:
    now = datetime(2026, 3, 20, 18, 30, tzinfo=UTC)
    assert bundle_ends_at(Bundle(100, 1), CYCLE, NEW_YORK, now) == CYCLE.ends_at
    ninety = bundle_ends_at(Bundle(100, 1, 90), CYCLE, NEW_YORK, now)
    assert ninety == local_midnight(date(2026, 6, 18), NEW_YORK)
    before_dst = datetime(2026, 3, 7, 5, 1, tzinfo=UTC)  # a minute into the day
    two = bundle_ends_at(Bundle(100, 1, 2), CYCLE, NEW_YORK, before_dst)
    assert two == datetime(2026, 3, 9, 4, 0, tzinfo=UTC), "midnight, by the clock after the change"


def test_s4_11_a_bundle_is_drawn_behind_the_pool_and_every_package() -> None:
    pool = bucket(2, 20, kind="pool", number_type=None, overdrawn=True)
    package = bucket(3, 30, priority=1_000, expires_at=NOON + 2 * MONTH)
    met = draw(83, inbound(), [a_bundle(40), package, pool], moment())
    assert [(one.bucket_id.int, one.seconds) for one in met.draws] == [(2, 20), (3, 30), (9, 33)]
    over = draw(120, inbound(120), [a_bundle(40), package, pool], moment())
    assert [(one.bucket_id.int, one.seconds) for one in over.draws] == [(2, 50), (3, 30), (9, 40)]
    assert over.overrun_seconds == 30, "S4-08: the pool is what is overdrawn"


def test_s4_11_a_bundle_serves_the_legs_and_clients_of_the_pool() -> None:
    assert may_draw(a_bundle(), inbound(), moment())
    assert not may_draw(a_bundle(), forwarded(), moment())
    assert may_draw(a_bundle(), inbound(), moment(account_id=BOLT, shares_with=ACME))
    assert not may_draw(a_bundle(), inbound(), moment(account_id=BOLT))
    alone = bundle_bucket(
        plan(topup={"bundles": [HUNDRED]}).terms,
        bucket_id=UUID(int=9),
        owner_id=ACME,
        remaining_seconds=1,
        starts_at=NOON,
        ends_at=NOON + MONTH,
    )
    assert may_draw(alone, forwarded(), moment())
    assert not may_draw(alone, forwarded(), moment(account_id=BOLT, shares_with=ACME))


def test_s1_02_a_call_that_began_before_the_purchase_draws_nothing_of_it() -> None:
    assert not may_draw(a_bundle(starts_at=NOON + timedelta(seconds=1)), inbound(), moment())


def test_s4_03_minutes_bought_after_an_overrun_are_there_whole() -> None:
    figures = pool_figures(30_000 + 6_000, [-63, 6_000], CYCLE)
    assert (figures.remaining_seconds, figures.overrun_seconds) == (6_000, 63)
    assert figures.used_seconds == 30_063
    refusing = plan(pool={"minutes": 500}, exhaustion="block_new").terms
    assert may_start_on_pool(refusing, figures.remaining_seconds) == Allowed()


def test_the_same_purchase_is_the_same_bucket_and_the_same_line() -> None:
    assert bundle_id(ACME, "k") == bundle_id(ACME, "k") != bundle_id(BOLT, "k")
    line = bundle_price_posting(
        Bundle(100, 5_000_000),
        a_bundle(),
        unit="USD",
        at=NOON,
        balance_before=7_000_000,
        plan_version_id=PLAN_VERSION,
        actor="ann@acme.test",
        description="Bundle of 100 minutes",
    )
    assert line is not None
    assert (line.key, line.amount, line.balance_after) == (
        f"bundle:{UUID(int=9)}",
        5_000_000,
        2_000_000,
    )
    assert (line.debit, line.actor) == (f"wallet:{ACME.hex}", "ann@acme.test")
