from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.included import NOTHING_INCLUDED, Included, cycle_grant, grant_posting
from billing.minutes import SECONDS
from billing.postings import (
    AccountKind,
    Posting,
    PostingKind,
    adjustment_posting,
    reverse,
    topup_posting,
    wallet,
)
from billing.statements import (
    LEG_COLUMNS,
    ChargeLine,
    LegLine,
    SecondsLine,
    Statement,
    StatementDiffers,
    leg_cells,
    periods_closed,
    statement_of,
    statement_period,
)
from billing.terms import Mode, Statements

ACME, WALLET = UUID(int=1), wallet(UUID(int=1))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALENDAR, CYCLE = Statements(), Statements("cycle", 17)
DOLLAR = 1_000_000
NEW_YORK = "America/New_York"


def usage(
    n: int, amount: int, balance: int, *, number: str = "+1415", rate: int = 50_000
) -> Posting:
    return Posting(
        key=f"usage:CA{n}:0",
        kind=PostingKind.USAGE,
        debit=WALLET,
        credit=AccountKind.REVENUE,
        amount=amount,
        at=NOON,
        account_id=ACME,
        description="Inbound leg",
        balance_after=balance,
        call_sid=number,
        rate_micros=rate,
        billed_seconds=83,
    )


def topup(n: int, amount: int, before: int) -> Posting:
    return topup_posting(
        UUID(int=n),
        amount=amount,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=before,
        description="Card",
        actor="Acme",
    )


def tax(amount: int) -> Posting:
    return Posting(
        key="vat:1",
        kind=PostingKind.VAT,
        debit=AccountKind.CASH,
        credit=AccountKind.TAX,
        amount=amount,
        at=NOON,
        account_id=ACME,
        description="VAT",
    )


def drawn(seconds: int) -> Posting:
    return Posting(
        key="draw:1",
        kind=PostingKind.DRAW,
        debit="package:1",
        credit=AccountKind.SECONDS_USED,
        amount=seconds,
        at=NOON,
        account_id=ACME,
        unit=SECONDS,
    )


def made(
    postings: list[Posting],
    opening: int = 0,
    mode: Mode = "prepaid",
    included: Included = NOTHING_INCLUDED,
) -> Statement:
    return statement_of(
        postings,
        ledger_account=WALLET,
        number_of=lambda posting: posting.call_sid,
        mode=mode,
        currency="USD",
        period=statement_period(CALENDAR, NOON, NEW_YORK),
        opening_micros=opening,
        included=included,
    )


def test_s5_16_a_statement_shows_charges_by_kind_and_number_with_their_rates() -> None:
    statement = made(
        [
            topup(1, 50 * DOLLAR, 0),
            tax(10 * DOLLAR),
            usage(1, 69_166, 49_930_834),
            usage(2, 69_166, 49_861_668),
            usage(3, 83_000, 49_778_668, number="+1800", rate=60_000),
            drawn(83),
            drawn(17),
        ]
    )
    legs = (PostingKind.USAGE, "Inbound leg")
    assert statement.charges == (
        ChargeLine(*legs, "+1415", 50_000, count=2, seconds=166, amount_micros=138_332),
        ChargeLine(*legs, "+1800", 60_000, count=1, seconds=83, amount_micros=83_000),
    )
    assert [line.amount_micros for line in statement.credits] == [50 * DOLLAR]
    assert statement.seconds == (SecondsLine(PostingKind.DRAW, 100),)
    assert statement.vat_micros == 10 * DOLLAR
    assert (statement.opening_micros, statement.closing_micros) == (0, 49_778_668)


def test_s5_16_a_month_without_usage_has_a_statement_too() -> None:
    statement = made([], opening=7 * DOLLAR)
    assert (statement.charges, statement.credits) == ((), ())
    assert statement.opening_micros == statement.closing_micros == 7 * DOLLAR
    assert (statement.charges_micros, statement.owed_micros) == (0, 0)


@pytest.mark.parametrize(
    "mode, opening, owed, paid, overdrawn",
    [
        pytest.param("prepaid", 100, 0, 60, 0, id="S5-17 prepaid: paid from the credit"),
        pytest.param("prepaid", 60, 0, 60, 0, id="S5-17 prepaid: down to zero"),
        pytest.param("prepaid", 10, 0, 60, 50, id="S5-17 C8 prepaid below zero: owed 0, overdrawn"),
        pytest.param("postpaid", 0, 60, 0, 0, id="S5-18 postpaid: the charges are owed"),
        pytest.param("postpaid", -40, 100, 0, 0, id="S5-18 postpaid: with what was open before"),
        pytest.param("postpaid", 100, 0, 0, 0, id="S5-18 postpaid: paid ahead"),
        pytest.param("card_daily", 0, 60, 0, 0, id="C8 a card in arrears owes what is not charged"),
    ],
)
def test_what_is_owed_follows_from_the_mode(
    mode: Mode, opening: int, owed: int, paid: int, overdrawn: int
) -> None:
    statement = made([usage(1, 60, opening - 60)], opening, mode)
    assert statement.owed_micros == owed
    assert statement.paid_from_credit_micros == paid
    assert statement.overdrawn_micros == overdrawn
    if mode == "prepaid":
        assert statement.charges_micros - statement.paid_from_credit_micros == 0


def test_c10_a_reversal_lowers_the_charges_and_a_taken_back_top_up_the_credits() -> None:
    charge, credit = usage(1, 500, 99_500), topup(1, 100_000, 0)
    given_back, taken_back = (
        reverse(
            wrong,
            key=f"reverse:{wrong.key}",
            reason="wrong",
            actor="Olga",
            at=NOON,
            balance_after=after,
        )
        for wrong, after in ((charge, 100_000), (credit, 0))
    )
    statement = made([credit, charge, given_back, taken_back])
    assert [(line.kind, line.amount_micros) for line in statement.charges] == [
        (PostingKind.REVERSAL, -500),
        (PostingKind.USAGE, 500),
    ]
    assert [line.amount_micros for line in statement.credits] == [100_000, -100_000]
    assert statement.closing_micros == statement.charges_micros == statement.credits_micros == 0


def test_s5_16_a_statement_that_differs_from_the_ledger_is_not_made() -> None:
    wrong = usage(2, 70, 860)._replace(balance_after=861)
    with pytest.raises(StatementDiffers, match="usage:CA2:0"):
        made([usage(1, 70, 930), wrong], opening=1_000)


@given(
    st.lists(
        st.tuples(st.sampled_from(["use", "top", "fix"]), st.integers(1, 10**9), st.integers(0, 3)),
        max_size=40,
    ),
    st.integers(-(10**9), 10**9),
)
def test_every_statement_equals_the_ledger_to_the_micro(
    story: list[tuple[str, int, int]], opening: int
) -> None:
    balance, postings = opening, list[Posting]()
    for n, (what, amount, number) in enumerate(story):
        if what == "use":
            postings.append(usage(n, amount, balance - amount, number=str(number)))
        elif what == "top":
            postings.append(topup(n, amount, balance))
        else:
            signed = amount if number % 2 else -amount
            postings.append(
                adjustment_posting(
                    UUID(int=n),
                    amount=signed,
                    unit="USD",
                    at=NOON,
                    account_id=ACME,
                    balance_before=balance,
                    actor="Olga",
                    reason="goodwill",
                )
            )
        balance += postings[-1].signed_for(WALLET)
    statement = made(postings, opening)
    assert statement.closing_micros == balance
    assert opening + statement.credits_micros - statement.charges_micros == balance
    assert sum(line.count for line in statement.charges) + len(statement.credits) == len(story)


@pytest.mark.parametrize(
    "terms, starts_on, ends_on",
    [
        pytest.param(CALENDAR, date(2026, 11, 1), date(2026, 12, 1), id="S5-16 end of the month"),
        pytest.param(CYCLE, date(2026, 11, 17), date(2026, 12, 17), id="C14 billing cycle"),
        pytest.param(
            Statements("calendar", 17), date(2026, 11, 1), date(2026, 12, 1), id="C14 two anchors"
        ),
    ],
)
def test_a_statement_covers_a_month_or_a_cycle(
    terms: Statements, starts_on: date, ends_on: date
) -> None:
    period = statement_period(terms, NOON, NEW_YORK)
    assert (period.starts_on, period.ends_on) == (starts_on, ends_on)


@given(
    st.sampled_from([CALENDAR, CYCLE, Statements("cycle", 31)]),
    st.sampled_from([NEW_YORK, "Europe/Berlin", "Pacific/Apia", "UTC"]),
    st.lists(st.integers(1, 2_000), min_size=1, max_size=10),
)
def test_every_period_is_closed_once(terms: Statements, zone: str, hours: list[int]) -> None:
    looks = [NOON]
    for gap in hours:
        looks.append(looks[-1] + timedelta(hours=gap))
    closed = [
        period
        for after, until in pairwise(looks)
        for period in periods_closed(terms, after, until, zone)
    ]
    assert all(NOON < period.ends_at <= looks[-1] for period in closed)
    assert all(before.ends_at == after.starts_at for before, after in pairwise(closed))
    whole = list(periods_closed(terms, NOON, looks[-1], zone))
    assert [period.starts_on for period in closed] == [period.starts_on for period in whole]
    assert bool(closed) == (statement_period(terms, NOON, zone).ends_at <= looks[-1])


def test_s5_01_every_leg_is_a_row_with_seconds_rate_and_charge() -> None:
    leg = LegLine(
        NOON, "CA1", "CA2", "+14155550100", "=cmd()", "forwarded", 83, 83, 20, 50_000, 0, 52_500
    )
    row = dict(zip(LEG_COLUMNS, leg_cells(leg, "USD"), strict=True))
    assert row["started_at"] == "2026-11-20T12:00:00Z"
    assert (row["talk_seconds"], row["billed_seconds"], row["package_seconds"]) == (
        "83",
        "83",
        "20",
    )
    assert (row["rate_per_minute"], row["charge"], row["currency"]) == ("0.0500", "0.0525", "USD")
    dear = replace(leg, surcharge_micros=1_383_333, charge_micros=1_435_833)
    row = dict(zip(LEG_COLUMNS, leg_cells(dear, "USD"), strict=True))
    assert (row["surcharge"], row["charge"]) == ("1.383333", "1.435833"), (
        "S2-18 a column of its own"
    )
    unanswered = replace(leg, talk_seconds=0, billed_seconds=0, rate_micros=None, charge_micros=0)
    row = dict(zip(LEG_COLUMNS, leg_cells(unanswered, "USD"), strict=True))
    assert (row["rate_per_minute"], row["charge"]) == ("", "0.00")


def test_what_included_credit_paid_stands_on_both_sides_and_what_is_left_covers_nothing() -> None:
    """10 granted, 4 used of it, 6 left; a fee of 20: that is what is owed, and what is billed."""
    period = statement_period(CALENDAR, NOON, NEW_YORK)
    lines = [
        grant_posting(
            cycle_grant(10_000_000, period, period.starts_on),
            account_id=ACME,
            cycle=period,
            number=24_315,
            place=0,
            unit="USD",
            at=NOON,
            balance_before=0,
            plan_version_id=UUID(int=9),
        ),
        usage(1, 20_000_000, -10_000_000),
        usage(2, 4_000_000, -14_000_000),
    ]
    found = made(lines, mode="postpaid", included=Included(4_000_000, 6_000_000))
    assert found.charges_micros == 20_000_000 == found.owed_micros
    assert [line.amount_micros for line in found.credits] == [10_000_000, -4_000_000]
    moved = found.credits_micros - found.charges_micros
    assert found.opening_micros + moved == found.closing_micros == -14_000_000
    assert made(lines, mode="postpaid").owed_micros == 14_000_000, "without it, too little"
