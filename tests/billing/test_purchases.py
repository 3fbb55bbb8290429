from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.minutes import (
    carry_posting,
    draw_posting,
    expire_posting,
    issue_posting,
    package_key,
    package_price_posting,
)
from billing.packages import Draw
from billing.postings import SECONDS, PostingKind, wallet
from billing.purchases import (
    Package,
    Purchaser,
    PurchaseRefusal,
    PurchaseRefused,
    carried_over,
    may_buy,
    may_expire,
    package_renewals_due,
    stop_renewal,
    undo_stop,
)
from billing.renewals import RenewalOutcome, renewal_outcome, renewal_shortfall
from billing.terms import PackageOffer, Rollover
from tests.billing.buckets import ACME, NOON, PLAN_VERSION, bucket, inbound

NEW_YORK = "America/New_York"
MICROSECOND = timedelta(microseconds=1)


def offer(**changes: Any) -> PackageOffer:
    usual: dict[str, Any] = {
        "code": "local_10k",
        "number_type": "local",
        "region_set": None,
        "minutes": 10_000,
        "price_micros": 350_000_000,
        "leg_scope": frozenset({"inbound"}),
        "renews": True,
        "priority": 100,
    }
    return PackageOffer(**(usual | changes))


def package(**changes: Any) -> Package:
    """Bought by Acme on the evening of 31 January in New York, already February in UTC."""
    usual: dict[str, Any] = {
        "id": UUID(int=7),
        "owner_id": ACME,
        "offer": offer(),
        "zone": NEW_YORK,
        "anchor": date(2026, 1, 31),
        "purchased_at": datetime(2026, 2, 1, 2, 30, tzinfo=UTC),
        "purchaser": Purchaser("user-1", "Ann Acme"),
    }
    return Package(**(usual | changes))


def midnight(month: int, day: int, hour: int) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_s1_07_a_package_of_the_31st_renews_at_every_months_end_and_returns_to_31() -> None:
    starts = [package().period(n).starts_on for n in range(1, 5)]
    assert starts == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]
    assert package().next_renewal_on(midnight(2, 28, 4)) == date(2026, 2, 28)
    assert package().next_renewal_on(midnight(2, 28, 5)) == date(2026, 3, 31)


def test_s1_07_the_first_month_starts_with_the_purchase_the_others_at_local_midnight() -> None:
    first, second = package().period(0), package().period(1)
    assert first.starts_at == package().purchased_at
    assert first.ends_at == second.starts_at == midnight(2, 28, 5)
    assert package().period(2).starts_at == midnight(3, 31, 4), "summer time"


@pytest.mark.parametrize(
    "balance, credit, missing",
    [
        pytest.param(350_000_000, 0, None, id="S1-02 exactly the price"),
        pytest.param(349_999_999, 0, "0.000001", id="S1-02 a micro short"),
        pytest.param(-1_000_000, 0, "351.00", id="S1-02 below zero"),
        pytest.param(0, 350_000_000, None, id="C8 on credit"),
    ],
)
def test_a_package_is_sold_only_to_a_balance_that_covers_it(
    balance: int, credit: int, missing: str | None
) -> None:
    answer = may_buy("The package", offer().price_micros, balance, credit, "USD")
    if missing is None:
        assert answer is None
    else:
        assert isinstance(answer, PurchaseRefused)
        assert answer.reason == PurchaseRefusal.BALANCE_TOO_LOW
        assert f"top up {missing} USD first" in answer.words


def test_s1_09_the_purchaser_is_who_it_was_then_with_who_acted_for_them() -> None:
    assert package().purchaser.words == "Ann Acme"
    assert Purchaser("user-1", "Ann Acme", "Olga").words == "Ann Acme (by Olga)"


@pytest.mark.parametrize(
    "stopped_at, renews_into_1, renews_into_2",
    [
        pytest.param(None, True, True, id="S1-13 never stopped"),
        pytest.param(midnight(2, 10, 12), False, False, id="S1-10 stopped in the first month"),
        pytest.param(midnight(2, 28, 5) - MICROSECOND, False, False, id="S1-10 just in time"),
        pytest.param(midnight(2, 28, 5), True, False, id="S1-10 in the second of the renewal"),
        pytest.param(midnight(3, 10, 12), True, False, id="S1-10 in the second month"),
    ],
)
def test_a_stop_holds_for_the_renewals_after_it(
    stopped_at: datetime | None, renews_into_1: bool, renews_into_2: bool
) -> None:
    stopped = package(stopped_at=stopped_at)
    assert [stopped.renews_into(n) for n in (0, 1, 2)] == [True, renews_into_1, renews_into_2]


def test_s1_10_a_second_stop_changes_nothing_and_a_stop_can_be_undone_in_time() -> None:
    stopped = stop_renewal(package(), midnight(2, 10, 12))
    assert stop_renewal(stopped, midnight(2, 20, 12)) == stopped
    assert stopped.next_renewal_on(midnight(2, 11, 12)) is None
    assert stopped.ends_at(midnight(2, 11, 12)) == midnight(2, 28, 5)
    assert undo_stop(stopped, midnight(2, 28, 5) - MICROSECOND) == package()
    assert undo_stop(package(), midnight(2, 11, 12)) == package()


@pytest.mark.parametrize("now", [midnight(2, 28, 5), midnight(5, 1, 0)])
def test_s1_10_a_stop_is_not_undone_once_the_minutes_have_ended(now: datetime) -> None:
    stopped = stop_renewal(package(), midnight(2, 10, 12))
    answer = undo_stop(stopped, now)
    assert isinstance(answer, PurchaseRefused) and answer.reason == PurchaseRefusal.PERIOD_OVER
    assert "2026-02-28" in answer.words


def test_s1_11_after_a_stop_the_minutes_last_to_the_end_of_their_month() -> None:
    stopped = stop_renewal(package(), midnight(2, 10, 12))
    assert package_renewals_due(stopped, posted=0, now=midnight(6, 1, 0)) == ()
    assert stopped.bucket(0, 600_000).expires_at == midnight(2, 28, 5)
    assert package().ends_at(midnight(2, 10, 12)) is None


def test_s1_13_each_month_is_due_once_also_after_a_day_of_downtime() -> None:
    due = [
        [p.n for p in package_renewals_due(package(), posted=posted, now=now)]
        for posted, now in [
            (-1, package().purchased_at),
            (0, midnight(2, 28, 5) - MICROSECOND),
            (0, midnight(2, 28, 5)),
            (0, midnight(3, 1, 5)),
            (1, midnight(3, 1, 5)),
            (0, midnight(5, 1, 5)),
        ]
    ]
    assert due == [[0], [], [1], [1], [], [1, 2, 3]]
    assert package_key(UUID(int=7), 1) == f"package:{UUID(int=7)}:1"


def test_s1_13_a_long_downtime_is_caught_up_in_goes_of_limited_length() -> None:
    later = midnight(2, 1, 0) + timedelta(days=5 * 365)
    first = package_renewals_due(package(), posted=0, now=later)
    second = package_renewals_due(package(), posted=first[-1].n, now=later)
    assert [p.n for p in (*first, *second)] == list(range(1, 25))


def test_s1_13_a_package_that_does_not_renew_is_sold_for_one_month() -> None:
    once = package(offer=offer(renews=False))
    assert [p.n for p in package_renewals_due(once, posted=-1, now=midnight(6, 1, 0))] == [0]


@pytest.mark.parametrize(
    "balance, policy, outcome",
    [
        pytest.param(350_000_000, "drop", RenewalOutcome.POST, id="S1-13 covered: renewed"),
        pytest.param(349_999_999, "post_anyway", RenewalOutcome.POST, id="C7 short: renewed"),
        pytest.param(349_999_999, "suspend", RenewalOutcome.WAIT, id="C7 short: suspended"),
        pytest.param(349_999_999, "drop", RenewalOutcome.DROP, id="C7 short: it ends"),
    ],
)
def test_what_happens_to_a_renewal_without_balance_is_a_rule_of_the_plan(
    balance: int, policy: Any, outcome: RenewalOutcome
) -> None:
    assert renewal_outcome(renewal_shortfall(350_000_000, balance), policy) == outcome


def test_what_is_missing_for_a_renewal_is_known_before_it_happens() -> None:
    assert renewal_shortfall(350_000_000, 100_000_000) == 250_000_000
    assert renewal_shortfall(350_000_000, -5_000_000) == 350_000_000
    assert renewal_shortfall(350_000_000, -5_000_000, 400_000_000) == 0
    assert renewal_shortfall(0, -5_000_000) == 0


def test_s1_02_a_purchase_is_one_line_of_money_and_one_of_seconds() -> None:
    bought = package()
    money = package_price_posting(
        bought,
        0,
        unit="USD",
        at=NOON,
        balance_before=400_000_000,
        plan_version_id=PLAN_VERSION,
        description="Package local_10k",
    )
    minutes = issue_posting(
        bought.bucket(0, 0),
        seconds=bought.offer.size_seconds,
        at=NOON,
        plan_version_id=PLAN_VERSION,
        description="10,000 minutes",
    )
    assert money is not None
    assert (money.signed_for(wallet(ACME)), money.balance_after) == (-350_000_000, 50_000_000)
    assert (minutes.unit, minutes.amount, minutes.balance_after) == (SECONDS, 600_000, 600_000)
    assert minutes.credit == f"package:{bought.bucket_id(0).hex}"
    assert money.actor == "Ann Acme"


def test_a_package_that_costs_nothing_has_no_line_of_money() -> None:
    gift = package(offer=offer(price_micros=0))
    posting = package_price_posting(
        gift, 0, unit="USD", at=NOON, balance_before=0, plan_version_id=PLAN_VERSION, description=""
    )
    assert posting is None


def test_s1_13_every_month_has_a_bucket_of_its_own_and_always_the_same() -> None:
    ids = [package().bucket_id(n) for n in range(12)]
    assert len(set(ids)) == 12
    assert ids == [replace(package(), stopped_at=NOON).bucket_id(n) for n in range(12)]
    assert [package().bucket(n, 0).continues for n in (0, 1)] == [False, True]


def test_s1_08_used_and_remaining_are_sums_of_the_ledger() -> None:
    full = bucket(remaining_seconds=600_000)
    line = draw_posting(
        inbound(),
        Draw(full.id, 83),
        full,
        at=NOON,
        account_id=ACME,
        call_sid="CA01",
        leg_sid="CA01",
        plan_version_id=PLAN_VERSION,
        receipt_id=None,
    )
    name = f"package:{full.id.hex}"
    assert (line.signed_for(name), line.balance_after) == (-83, 599_917)
    assert 600_000 + line.signed_for(name) + line.signed_for("seconds_used") == 600_000


def test_s1_16_what_is_left_expires_with_a_line_of_its_own() -> None:
    left = bucket(remaining_seconds=120)
    line = expire_posting(left, seconds=120, at=NOON)
    assert (line.kind, line.credit, line.balance_after) == (PostingKind.EXPIRE, "expired", 0)
    assert line.key == f"expire:{left.id}"


def test_c4_what_rolls_over_moves_and_the_remainder_expires() -> None:
    assert carried_over(Rollover(), 120) == (0, 120)
    assert carried_over(Rollover("capped", 1), 120) == (60, 60)
    assert carried_over(Rollover("unlimited"), 120) == (120, 0)
    assert carried_over(Rollover("unlimited"), -5) == (0, 0)
    assert carried_over(Rollover("capped", 2), 120, before_seconds=50) == (70, 50)
    assert carried_over(Rollover("capped", 1), 120, before_seconds=90) == (0, 120)
    assert carried_over(Rollover("unlimited"), 120, before_seconds=90) == (120, 0)
    old, new = bucket(1, 120), bucket(2, 0)
    line = carry_posting(old, new, seconds=60, at=NOON)
    assert (line.debit, line.credit) == (f"package:{old.id.hex}", f"package:{new.id.hex}")
    assert line.balance_after == 60


def test_s1_16_a_bucket_expires_only_when_every_leg_of_its_time_is_settled() -> None:
    over = bucket(expires_at=NOON)
    assert may_expire(over, NOON - MICROSECOND, None) is False
    assert may_expire(over, NOON, NOON - MICROSECOND) is False
    assert may_expire(over, NOON, NOON) is True
    assert may_expire(over, NOON, None) is True
