from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from billing.calendar import period
from billing.fees import access_posting, plan_change_posting
from billing.formulas import evaluate
from billing.pools import Given
from billing.postings import PostingKind, wallet
from billing.subscriptions import (
    Subscription,
    TermNotOffered,
    access_fees_due,
    access_key,
    cancel,
    preview_change,
)
from billing.terms import Term
from tests.billing.buckets import ACME, NOON, PLAN_VERSION
from tests.billing.plans import plan

NEW_YORK = "America/New_York"
MICROSECOND = timedelta(microseconds=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def subscription(anchor: date, term: Term = "month", **changes: Any) -> Subscription:
    """Started at 15:00 UTC of its day, which is the same day in New York."""
    usual: dict[str, Any] = {
        "id": UUID(int=5),
        "account_id": ACME,
        "term": term,
        "zone": NEW_YORK,
        "anchor": anchor,
        "started_at": datetime(anchor.year, anchor.month, anchor.day, 15, tzinfo=UTC),
    }
    return Subscription(**(usual | changes))


def test_s3_04_months_and_years_renew_at_local_midnight_of_the_kept_day() -> None:
    monthly = subscription(date(2026, 1, 31))
    yearly = subscription(date(2028, 2, 29), "year")
    assert [monthly.period(n).starts_at for n in (1, 2)] == [
        utc(2026, 2, 28, 5),
        utc(2026, 3, 31, 4),
    ]
    assert [yearly.period(n).starts_on for n in (1, 4)] == [date(2029, 2, 28), date(2032, 2, 29)]
    assert monthly.next_renewal_on(utc(2026, 2, 1)) == date(2026, 2, 28)


@pytest.mark.parametrize(
    "term, anchor, cancelled_at, ends_at",
    [
        pytest.param(
            "month",
            date(2026, 1, 31),
            utc(2026, 2, 10),
            utc(2026, 2, 28, 5),
            id="S3-01 a month ends with its period",
        ),
        pytest.param(
            "month",
            date(2026, 1, 31),
            utc(2026, 2, 28, 5),
            utc(2026, 3, 31, 4),
            id="S3-01 cancelled in the second of the renewal: one more month",
        ),
        pytest.param(
            "year",
            date(2026, 3, 10),
            utc(2026, 6, 1),
            utc(2027, 3, 11, 5),
            id="S3-02 a year lasts through its anniversary",
        ),
        pytest.param(
            "year",
            date(2028, 2, 29),
            utc(2028, 3, 1),
            utc(2029, 3, 1, 5),
            id="S3-02 from 29 Feb through 28 Feb",
        ),
        pytest.param(
            "year",
            date(2027, 2, 28),
            utc(2027, 3, 1),
            utc(2028, 2, 29, 5),
            id="S3-02 from 28 Feb through 28 Feb of a leap year",
        ),
    ],
)
def test_access_lasts_to_the_end_of_what_was_paid(
    term: Term, anchor: date, cancelled_at: datetime, ends_at: datetime
) -> None:
    ended = cancel(subscription(anchor, term), cancelled_at, "period_end")
    assert ended.access_ends_at == ends_at
    assert ended.gives_access_at(ends_at - MICROSECOND)
    assert not ended.gives_access_at(ends_at)
    assert ended.next_renewal_on(cancelled_at) is None


def test_s3_02_the_last_second_of_an_annual_term_is_23_59_59_of_the_anniversary() -> None:
    ended = cancel(subscription(date(2026, 3, 10), "year"), utc(2026, 6, 1), "period_end")
    assert ended.access_ends_at is not None
    last = (ended.access_ends_at - timedelta(seconds=1)).astimezone(ZoneInfo(NEW_YORK))
    assert last.isoformat() == "2027-03-10T23:59:59-05:00"


def test_s3_01_a_cancellation_may_be_immediate_and_happens_once() -> None:
    monthly = subscription(date(2026, 1, 31))
    at_once = cancel(monthly, utc(2026, 2, 10), "now")
    assert at_once.access_ends_at == utc(2026, 2, 10)
    assert cancel(at_once, utc(2026, 2, 11), "period_end") == at_once
    assert monthly.access_ends_at is None
    assert monthly.gives_access_at(utc(2030, 1, 1))
    assert not monthly.gives_access_at(utc(2026, 1, 31, 14, 59))


def test_s3_04_each_term_is_charged_once_and_none_after_a_cancellation() -> None:
    yearly = subscription(date(2026, 3, 10), "year")
    assert [p.n for p in access_fees_due(yearly, posted=-1, now=yearly.started_at)] == [0]
    assert access_fees_due(yearly, posted=0, now=utc(2027, 3, 10, 4, 59)) == ()
    assert [p.n for p in access_fees_due(yearly, posted=0, now=utc(2027, 3, 10, 5))] == [1]
    ended = cancel(yearly, utc(2026, 6, 1), "period_end")
    assert access_fees_due(ended, posted=0, now=utc(2029, 1, 1)) == ()
    assert access_key(yearly.id, 1) == f"access:{yearly.id}:1"


def upgraded(fee: str, allowance: str, on: date, **more: Any) -> Any:
    small = plan(name="Small", access_fee={"month": "10.00"})
    large = plan(
        name="Large",
        access_fee={"month": "41.00"},
        pool={"minutes": 500},
        upgrade={"fee": fee, "allowance": allowance, "channel": "self"},
    )
    march = period(date(2026, 3, 1), 0, NEW_YORK)
    return preview_change(small, large, term_period=march, cycle=march, on=on, **more)


@pytest.mark.parametrize(
    "fee, allowance, on, fee_micros, seconds",
    [
        pytest.param(
            "full", "full", date(2026, 3, 31), 31_000_000, 30_000, id="S4-05 full on the last day"
        ),
        pytest.param(
            "prorated", "full", date(2026, 3, 31), 1_000_000, 30_000, id="C12 fee for a day of 31"
        ),
        pytest.param(
            "prorated", "prorated", date(2026, 3, 16), 16_000_000, 15_483, id="C12 16 days of 31"
        ),
        pytest.param(
            "full", "prorated", date(2026, 3, 1), 31_000_000, 30_000, id="C12 on the first day"
        ),
    ],
)
def test_a_change_of_plan_is_previewed_in_full_or_by_calendar_days(
    fee: str, allowance: str, on: date, fee_micros: int, seconds: int
) -> None:
    preview = upgraded(fee, allowance, on)
    assert (preview.fee_micros, preview.allowance_seconds) == (fee_micros, seconds)
    assert evaluate(preview.formula) == fee_micros, "the sum explains the fee"
    assert (preview.next_fee_micros, preview.next_fee_on) == (41_000_000, date(2026, 4, 1))
    assert preview.channel == "self"


def test_s4_05_a_second_upgrade_in_a_cycle_is_shown_to_grant_nothing() -> None:
    again = upgraded("full", "full", date(2026, 3, 20), given=Given(500, stays=True))
    assert again.allowance_seconds == 0
    over = upgraded("full", "full", date(2026, 3, 20), given=None)
    assert over.allowance_seconds == 0, "the next cycle begins by itself, with all of them"


def test_s3_06_a_cheaper_plan_costs_nothing_now_and_gives_nothing_back() -> None:
    march = period(date(2026, 3, 1), 0, NEW_YORK)
    large, payg = plan(access_fee={"month": "41.00"}), plan()
    preview = preview_change(large, payg, term_period=march, cycle=march, on=date(2026, 3, 2))
    assert (preview.fee_micros, preview.allowance_seconds, preview.next_fee_micros) == (0, 0, 0)
    assert preview.channel == "ops_request", "S3-03 by request, unless the plan says otherwise"


def test_s3_02_a_plan_without_a_yearly_price_is_not_sold_by_the_year() -> None:
    march = period(date(2026, 3, 1), 0, NEW_YORK)
    with pytest.raises(TermNotOffered, match="not sold by the year"):
        preview_change(
            plan(), plan(), term_period=march, cycle=march, on=date(2026, 3, 2), term="year"
        )


def test_access_and_changes_of_plan_are_lines_of_their_own() -> None:
    fee = access_posting(
        subscription(date(2026, 1, 31)),
        2,
        amount=39_000_000,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=50_000_000,
        description="Access, March",
        plan_version_id=PLAN_VERSION,
    )
    assert (fee.kind, fee.balance_after) == (PostingKind.ACCESS_FEE, 11_000_000)
    assert fee.key == access_key(UUID(int=5), 2)
    change = plan_change_posting(
        UUID(int=6),
        amount=1_000_000,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=11_000_000,
        description="Upgrade to Large",
        plan_version_id=PLAN_VERSION,
        actor="Olga",
        formula="max(0, 3000000 - 2000000)",
    )
    assert change.signed_for(wallet(ACME)) == -1_000_000
    assert (change.key, change.balance_after) == (f"change:{UUID(int=6)}", 10_000_000)
