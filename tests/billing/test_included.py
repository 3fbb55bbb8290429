"""Credit that the access fee includes: what is drawn, what is left, what an upgrade adds."""

from datetime import UTC, date, datetime
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendar import Period, billing_cycle
from billing.explain_entries import explain_included
from billing.formulas import evaluate
from billing.included import (
    Stretch,
    cycle_grant,
    drawn_micros,
    expiry_posting,
    grant_posting,
    included_of,
    undrawn_micros,
    upgrade_grant,
)
from billing.plan_checks import plan_warnings
from billing.plan_diff import compare
from billing.postings import PostingKind
from billing.rate_page import rate_page
from tests.billing.plans import catalogue_plan, document, plan

ACME, VERSION = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)
APRIL = billing_cycle(1, NOON, "America/New_York")  # 30 days
MICROS = st.integers(0, 10**12)


@pytest.mark.parametrize(
    "granted, charged, drawn",
    [
        pytest.param(10, 0, 0, id="nothing was used"),
        pytest.param(10, 4, 4, id="the credit pays first"),
        pytest.param(10, 10, 10, id="all of it"),
        pytest.param(10, 15, 10, id="the rest is the customer's own"),
        pytest.param(10, -3, 0, id="what is given back never adds to it"),
        pytest.param(0, 5, 0, id="without credit there is nothing to draw"),
    ],
)
def test_the_credit_is_drawn_before_the_customers_own_money(
    granted: int, charged: int, drawn: int
) -> None:
    assert drawn_micros(granted, charged) == drawn
    assert undrawn_micros(granted, charged) == granted - drawn


@given(MICROS, st.lists(st.integers(-(10**9), 10**9), max_size=20), MICROS)
def test_what_expires_leaves_the_wallet_as_it_were_without_the_credit(
    granted: int, charges: list[int], own: int
) -> None:
    """The law: own money and credit go in, charges go out, the expiry takes the rest of the
    credit; what is left is the own money less what the credit did not reach."""
    charged = sum(charges)
    left = undrawn_micros(granted, charged)
    assert 0 <= left <= granted
    balance = own + granted - charged - left
    assert balance == own - (charged - drawn_micros(granted, charged))
    assert balance <= own or charged < 0
    assert balance >= own - charged, "never less than without the credit"


@pytest.mark.parametrize(
    "credit, own, before, on, added",
    [
        pytest.param(20, 10, 0, 1, 10, id="for all of its days: the whole difference"),
        pytest.param(20, 10, 0, 16, 5, id="from the 16th on: 15 of 30 days of it"),
        pytest.param(20, 10, 5, 16, 0, id="up and down again: not twice"),
        pytest.param(20, 10, 5, 20, 0, id="nor a smaller part later"),
        pytest.param(40, 10, 5, 16, 10, id="a still greater plan adds what exceeds"),
        pytest.param(20, 0, 0, 1, 20, id="from a plan without any: all of it"),
        pytest.param(5, 10, 0, 1, 0, id="a plan with less takes nothing away"),
    ],
)
def test_an_upgrade_adds_the_difference_once(
    credit: int, own: int, before: int, on: int, added: int
) -> None:
    grant = upgrade_grant(
        credit * 1_000_000,
        APRIL,
        date(2026, 4, on),
        own_micros=own * 1_000_000,
        added_micros=before * 1_000_000,
    )
    assert grant.micros == added * 1_000_000


@given(MICROS, st.lists(MICROS, max_size=6), st.integers(1, 30), st.integers(1, 30))
def test_a_cycle_is_never_granted_more_than_its_greatest_plan_has(
    own: int, plans: list[int], begun: int, day: int
) -> None:
    """For the days that it has: behind another day of the cycle they are fewer."""
    first = cycle_grant(own, APRIL, date(2026, 4, begun))
    assert evaluate(first.formula) == first.micros, "the sum on the line comes out"
    added = 0
    for credit in plans:
        on = date(2026, 4, max(begun, day))
        grant = upgrade_grant(credit, APRIL, on, own_micros=own, added_micros=added)
        if grant.micros:
            assert evaluate(grant.formula) == grant.micros
        added += grant.micros
    most = cycle_grant(max([own, *plans]), APRIL, date(2026, 4, begun)).micros
    assert first.micros <= first.micros + added <= most


@given(MICROS, st.integers(1, 31), st.integers(1, 31), st.dates(date(2024, 1, 1)))
def test_another_day_of_the_cycle_pays_for_each_day_once(
    credit: int, old: int, new: int, day: date
) -> None:
    """The days up to the new day, and those that belong to the cycle before, are one cycle's."""
    noon = datetime(day.year % 100 + 2000, day.month, day.day, 12, tzinfo=UTC)
    on = billing_cycle(old, noon, "UTC").ends_on
    cycle = billing_cycle(new, datetime(on.year, on.month, on.day, tzinfo=UTC), "UTC")
    assert cycle.starts_on <= on < cycle.ends_on, "no day without credit"
    grant = cycle_grant(credit, cycle, on)
    assert evaluate(grant.formula) == grant.micros
    daily = credit * (cycle.ends_on - on).days / cycle.days
    assert grant.micros <= credit and abs(grant.micros - daily) <= 1 + credit / 1e12


@given(MICROS, st.lists(MICROS, min_size=1, max_size=8))
def test_stretches_that_meet_say_together_what_the_whole_says(
    granted: int, charges: list[int]
) -> None:
    """However a cycle is cut into statements, what they say was drawn adds up."""
    sums = list(accumulate(charges, initial=0))
    parts = [Stretch(granted, granted, *ends, is_open=True) for ends in pairwise(sums)]
    whole = Stretch(granted, granted, 0, sums[-1], is_open=True)
    assert included_of(parts).drawn_micros == whole.drawn_between_micros
    assert included_of([whole]).left_micros == granted - drawn_micros(granted, sums[-1])


def test_credit_that_expired_is_left_no_more() -> None:
    over = Stretch(10, 10, 4, 4, is_open=False)
    assert included_of([over]).left_micros == 0
    assert included_of([over]).drawn_micros == 0


def postings(granted: int, charged: int, cycle: Period = APRIL) -> list[Any]:
    grant = grant_posting(
        cycle_grant(granted, cycle, cycle.starts_on),
        account_id=ACME,
        cycle=cycle,
        number=24_316,
        place=0,
        unit="USD",
        at=NOON,
        balance_before=7,
        plan_version_id=VERSION,
    )
    expiry = expiry_posting(
        granted,
        charged,
        account_id=ACME,
        starts_on=cycle.starts_on,
        number=24_316,
        unit="USD",
        at=NOON,
        balance_before=grant.amount + 7 - charged,
        plan_version_id=VERSION,
    )
    return [grant, expiry]


def test_grant_and_expiry_stand_between_the_wallet_and_an_account_of_their_own() -> None:
    grant, expiry = postings(10_000_000, 4_000_000)
    assert (grant.debit, grant.credit) == ("included_credit", f"wallet:{ACME.hex}")
    assert (expiry.debit, expiry.credit) == (grant.credit, grant.debit)
    assert (grant.key, expiry.key) == (f"included:{ACME}:24316:0", f"included_end:{ACME}:24316")
    assert grant.balance_after == 10_000_007
    assert (expiry.amount, expiry.balance_after) == (6_000_000, 7), "the own money is whole"
    assert all(len(kind) <= 16 for kind in PostingKind), "the width of the column"


def test_nothing_expires_where_nothing_is_left() -> None:
    assert postings(10, 12)[1] is None


@given(st.integers(1, 10**12), MICROS)
def test_both_lines_are_explained_by_sums_that_come_out(granted: int, charged: int) -> None:
    for posting in postings(granted, charged):
        if posting is None:
            continue
        why = explain_included(
            posting.amount,
            description=posting.description,
            formula=posting.reason,
            expires=posting.kind == PostingKind.CREDIT_EXPIRY,
            plan=plan(),
            plan_version=2,
        )
        assert why.recompute() == posting.amount == why.amount_micros
        assert "plan Smallest v2" in why.words


def test_the_rate_page_the_checks_and_the_comparison_name_the_credit() -> None:
    generous = {"included": {"credit": "10.00"}, "access_fee": {"month": "8.00"}}
    (access,) = [row for row in rate_page(plan(**generous)) if row.section == "access"]
    assert access.note == "$10.00 for calls and texts in each cycle"
    free = [row for row in rate_page(plan(included={"credit": "1.00"})) if row.section == "access"]
    assert [(row.price_micros, row.note) for row in free] == [
        (0, "$1.00 for calls and texts in each cycle")
    ]
    carrier = catalogue_plan("carrier_cost")
    paths = [warning.path for warning in plan_warnings(plan(**generous), carrier)]
    assert paths.count("/included/credit") == 1
    fair = generous | {"access_fee": {"month": "10.00"}}
    assert "/included/credit" not in [one.path for one in plan_warnings(plan(**fair), carrier)]
    (line,) = compare(document(included={"credit": "5.00"}), document(included={"credit": "10.00"}))
    assert line.words == "/included/credit: 5.00 → 10.00"
