from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.explain import (
    Explanation,
    ReceiptRef,
    Step,
    StepWrong,
    explain,
    explain_entry,
    increment_words,
)
from billing.formulas import evaluate
from billing.ledger import adjustment_posting, reverse, topup_posting
from billing.lifecycle import price_overrun
from billing.metering import LegStatus, LegUsage
from billing.money import format_amount
from billing.rates import Increment, Tariff
from billing.rating import rate_leg
from tests.billing.plans import catalogue_plan, plan, tariff

NOON = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
RECEIPT = ReceiptRef("completed", NOON)


def leg(kind: Any = "inbound", **more: Any) -> LegUsage:
    usage = LegUsage(
        kind=kind,
        status=LegStatus.COMPLETED,
        talk_seconds=83,
        number_country="US",
        number_type="local",
        target_kind=None if kind == "inbound" else "number",
        target_address="" if kind == "inbound" else "+14155550101",
    )
    return usage._replace(**more)


def explained(usage: LegUsage, scheme: Tariff, **more: Any) -> Explanation:
    facts = {"currency": "USD", "plan_name": "PAYG", "plan_version": 3} | more
    return explain(usage, rate_leg(usage, scheme), scheme, **facts)


PAYG = catalogue_plan("payg").tariff
UNANSWERED = LegStatus.NO_ANSWER


@pytest.mark.parametrize(
    "usage, scheme, words",
    [
        pytest.param(
            leg(),
            PAYG,
            "83 s × $0.0500/min, inbound leg, per second, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="S5-02 S5-09 an inbound leg by the second",
        ),
        pytest.param(
            leg("forwarded"),
            tariff(60, 60),
            "120 s × $0.0500/min, forwarded leg, per started minute, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="S5-10 C1 a forwarded leg by the minute",
        ),
        pytest.param(
            leg("transfer"),
            tariff(30, 6, connect_fee="0.01"),
            "84 s × $0.0500/min + $0.01 to connect, transferred leg, "
            "first 30 s, then per started 6 s, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="C1 a transfer with a connect fee",
        ),
        pytest.param(
            leg("forwarded", status=UNANSWERED, talk_seconds=0),
            PAYG,
            "not charged, the leg was not answered (no-answer), forwarded leg, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="S4-14 nobody answered",
        ),
        pytest.param(
            leg(talk_seconds=30),
            tariff(free_until_seconds=30),
            "30 s, not longer than the free 30 s, inbound leg, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="S4-13 a wrong number",
        ),
        pytest.param(
            leg("forwarded"),
            tariff(billable_legs={"forwarded": False}),
            "not charged under the plan, forwarded leg, plan PAYG v3, "
            "caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="S2-03 C9 only inbound is charged",
        ),
        pytest.param(
            leg("forwarded", target_address="+882161234567"),
            PAYG,
            "83 s not charged, no rate for +882161234567, shown to staff, forwarded leg, "
            "plan PAYG v3, caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="a destination without a price",
        ),
        pytest.param(
            leg(number_country="FR"),
            PAYG,
            "83 s not charged, no rate for FR local numbers, shown to staff, inbound leg, "
            "plan PAYG v3, caused by webhook completed at 2026-03-01T12:00:05+00:00",
            id="a number without a price",
        ),
    ],
)
def test_a_charge_is_explained_where_it_stands(usage: LegUsage, scheme: Tariff, words: str) -> None:
    explanation = explained(usage, scheme, receipts=[RECEIPT])
    assert explanation.words == words
    assert explanation.recompute() == explanation.amount_micros


def test_s5_02_the_sums_of_83_s_can_be_repeated_by_hand() -> None:
    assert explained(leg(), PAYG).steps == (
        Step("Seconds the plan looks at", "83", 83),
        Step("Billed seconds", "83", 83),
        Step("Charge in millionths", "floor(50000 × 83 / 60)", 69_166),
    )


def test_s4_08_an_overrun_that_the_plan_forgives_is_a_step_of_its_own() -> None:
    explanation = explained(leg(), PAYG, forgiven_micros=9_166)
    assert explanation.steps[-1] == Step("Less what lies past zero", "69166 - 9166", 60_000)
    assert explanation.words.endswith("$0.009166 past zero is free under the plan")
    assert explanation.recompute() == explanation.amount_micros == 60_000


def test_an_altered_step_is_named() -> None:
    explanation = explained(leg(), PAYG)
    *others, last = explanation.steps
    forged = replace(explanation, steps=(*others, replace(last, value=69_167)))
    with pytest.raises(StepWrong, match=r"Charge in millionths: .* is 69166, not 69167"):
        forged.recompute()


SCHEMES = st.builds(
    tariff,
    st.integers(1, 120),
    st.integers(1, 120),
    free_until_seconds=st.integers(0, 90),
    threshold_mode=st.sampled_from(["all_or_nothing", "excess_only"]),
    rounding=st.fixed_dictionaries(
        {"mode": st.sampled_from(["down", "up", "half_even"]), "scale": st.integers(0, 6)}
    ),
    connect_fee=st.sampled_from(["0", "0.01", "0.000007"]),
    billable_legs=st.fixed_dictionaries(
        {name: st.booleans() for name in ("inbound", "forwarded", "ring_time", "ivr_time")}
    ),
    inbound=st.integers(0, 10**7).map(
        lambda micros: [
            {"country": "US", "number_type": "local", "per_minute": format_amount(micros)}
        ]
    ),
)
LEGS = st.builds(
    leg,
    st.sampled_from(["inbound", "forwarded", "transfer"]),
    status=st.sampled_from([LegStatus.COMPLETED, LegStatus.COMPLETED, UNANSWERED]),
    talk_seconds=st.integers(0, 20_000),
    ring_seconds=st.integers(0, 120),
    bridged_seconds=st.integers(0, 20_000),
    number_country=st.sampled_from(["US", "US", "FR"]),
)


@given(LEGS, SCHEMES, st.integers(0, 100_000))
def test_recomputing_from_the_explanation_alone_gives_the_same_micros(
    usage: LegUsage, scheme: Tariff, balance_micros: int
) -> None:
    rated = rate_leg(usage, scheme)
    terms = plan(suspend_when="lte_zero", in_call={"overrun_price": "zero"})
    overrun = price_overrun(terms, rated.charge_micros, balance_micros)
    explanation = explained(usage, scheme, forgiven_micros=overrun.forgiven_micros)
    assert explanation.amount_micros == overrun.charged_micros
    assert explanation.recompute() == overrun.charged_micros


@pytest.mark.parametrize(
    "increment, words",
    [
        pytest.param(Increment(1, 1), "per second", id="C1 1/1"),
        pytest.param(Increment(60, 60), "per started minute", id="C1 60/60"),
        pytest.param(Increment(60, 1), "first 60 s, then per second", id="C1 60/1"),
        pytest.param(Increment(30, 6), "first 30 s, then per started 6 s", id="C1 30/6"),
        pytest.param(Increment(6, 6), "per started 6 s", id="C1 6/6"),
    ],
)
def test_increments_have_words(increment: Increment, words: str) -> None:
    assert increment_words(increment) == words


def test_lines_without_a_rate_are_explained_too() -> None:
    acme = UUID(int=0xACE)
    money_in = topup_posting(
        UUID(int=1),
        amount=50_000_000,
        unit="USD",
        at=NOON,
        account_id=acme,
        balance_before=0,
        description="Manual top-up",
        actor="Olga",
        reason="invoice 7",
    )
    taken = adjustment_posting(
        UUID(int=2),
        amount=-1_500_000,
        unit="EUR",
        at=NOON,
        account_id=acme,
        balance_before=0,
        actor="Olga",
        reason="typing mistake",
    )
    undone = reverse(
        taken, key="reverse:2", reason="it was right", actor="Olga", at=NOON, balance_after=0
    )
    explanations = [
        explain_entry(money_in, currency="USD"),
        explain_entry(taken, currency="EUR"),
        explain_entry(undone, currency="EUR"),
    ]
    assert [explanation.words for explanation in explanations] == [
        "Manual top-up: $50.00, by Olga, because: invoice 7",
        "Adjustment: EUR 1.50, by Olga, because: typing mistake",
        f"Reversal of Adjustment: EUR 1.50, undoes {taken.key}, by Olga, because: it was right",
    ]
    assert [each.recompute() for each in explanations] == [50_000_000, 1_500_000, 1_500_000]


@pytest.mark.parametrize(
    "formula, value",
    [
        pytest.param("floor(50000 × 83 / 60)", 69_166, id="down"),
        pytest.param("ceil(50000 × 83 / 60)", 69_167, id="up"),
        pytest.param("round(5 / 2)", 2, id="a half goes to the even neighbour"),
        pytest.param("60 + ceil((83 - 60) / 60) × 60", 120, id="blocks"),
        pytest.param("31 if 31 > 30 else 0", 31, id="over the threshold"),
        pytest.param("30 if 30 > 30 else 0", 0, id="at the threshold"),
        pytest.param("max(0, 20 - 30)", 0, id="never below nothing"),
    ],
)
def test_a_formula_is_exact(formula: str, value: int) -> None:
    assert evaluate(formula) == value


@pytest.mark.parametrize(
    "formula",
    ["__import__('os')", "0.1 + 0.2", "x", "floor.__class__", "2 ** 99", "'a'", "pow(2, 9)"],
)
def test_a_formula_can_do_sums_and_nothing_else(formula: str) -> None:
    with pytest.raises(ValueError, match="no part of a formula"):
        evaluate(formula)
