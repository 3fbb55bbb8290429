from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.formulas import evaluate
from billing.postings import AccountKind, wallet
from billing.refunds import (
    NotRefundable,
    RefundParts,
    SettledPayment,
    refund_of,
    refund_posting,
    refund_vat_posting,
    refundable_micros,
    refused_by_plan,
    seconds_to_next_question,
)
from billing.terms import NO_TERMS, Terms
from billing.vat import VatSplit

CENT = 10_000
ACME, REFUND, CHARGE = UUID(int=7), UUID(int=1), UUID(int=2)
AT = datetime(2026, 3, 4, tzinfo=UTC)
NOTHING = VatSplit(0, 0)


def paid(
    net: int = 20_000_000,
    vat: int = 3_800_000,
    *,
    back: VatSplit = NOTHING,
    own: int = 100_000_000,
    below: int | None = None,
) -> SettledPayment:
    return SettledPayment(VatSplit(net, vat), back, own, own, below)


def test_c10_no_plan_gives_anything_back_unless_it_says_so() -> None:
    refused = refused_by_plan(NO_TERMS)
    assert refused is not None
    assert refused.words == "The plan gives nothing back: post an adjustment."
    assert refused_by_plan(Terms(refunds="card_payments")) is None


@pytest.mark.parametrize(
    "payment, net, vat",
    [
        pytest.param(paid(), 20_000_000, 3_800_000, id="C10 all of it, with all of its tax"),
        pytest.param(paid(), 5_000_000, 950_000, id="C10 a quarter"),
        pytest.param(paid(vat=0), 5_000_000, 0, id="C10 no tax came in, none goes back"),
        pytest.param(
            paid(30_000, 10_000), 10_000, 0, id="C10 a third of a cent of tax is no cent"
        ),
        pytest.param(
            paid(30_000, 10_000, back=VatSplit(10_000, 0)), 10_000, 10_000,
            id="C10 two thirds are one, less what went back",
        ),
        pytest.param(
            paid(30_000, 10_000, back=VatSplit(20_000, 10_000)), 10_000, 0,
            id="C10 the last part takes what is left of the tax",
        ),
        pytest.param(
            paid(own=5_000_000), 5_000_000, 950_000, id="C10 the last of the customer's money"
        ),
        pytest.param(
            paid(own=30_000_000, below=10_000_000), 20_000_000, 3_800_000,
            id="C10 down to the recharge's minimum, not below it",
        ),
    ],
)  # fmt: skip
def test_c10_tax_goes_back_in_proportion(payment: SettledPayment, net: int, vat: int) -> None:
    parts = refund_of(payment, net, CENT)
    assert isinstance(parts, RefundParts)
    assert (parts.net_micros, parts.vat_micros) == (net, vat)
    assert evaluate(parts.formula) == vat


@pytest.mark.parametrize(
    "payment, net, words",
    [
        pytest.param(paid(), 20_010_000, "At most 20.00 can be given back", id="C10 than paid"),
        pytest.param(
            paid(back=VatSplit(15_000_000, 2_850_000)), 5_010_000, "At most 5.00",
            id="C10 than left",
        ),
        pytest.param(paid(own=4_999_999), 5_000_000, "At most 4.99", id="C10 than the wallet has"),
        pytest.param(paid(own=0), 10_000, "post an adjustment", id="C10 nothing of their own left"),
        pytest.param(paid(own=-1), 10_000, "post an adjustment", id="C10 they owe"),
        pytest.param(
            paid(back=VatSplit(20_000_000, 3_800_000)), 10_000, "given back already",
            id="C10 all gone",
        ),
        pytest.param(paid(), 0, "multiple of 0.01", id="C10 nothing"),
        pytest.param(paid(), -10_000, "multiple of 0.01", id="C10 less than nothing"),
        pytest.param(paid(), 15_000, "multiple of 0.01", id="C10 a part of a coin"),
        pytest.param(
            paid(own=29_990_000, below=10_000_000), 20_000_000, "have the recharge turned off",
            id="C10 the card would be charged again",
        ),
    ],
)  # fmt: skip
def test_c10_no_more_than_there_is(payment: SettledPayment, net: int, words: str) -> None:
    parts = refund_of(payment, net, CENT)
    assert isinstance(parts, NotRefundable) and words in parts.words


@given(
    net_cents=st.integers(1, 10**7),
    basis_points=st.integers(0, 3_000),
    own_cents=st.integers(-(10**4), 10**7),
    tries=st.lists(st.tuples(st.integers(1, 10**7), st.booleans()), max_size=12),
)
def test_c10_however_many_refunds_never_more_than_paid_nor_than_own_money(
    net_cents: int, basis_points: int, own_cents: int, tries: list[tuple[int, bool]]
) -> None:
    """Some fail later, and their money is there again."""
    all_of_it = VatSplit(net_cents * CENT, net_cents * basis_points // 10_000 * CENT)
    own = own_cents * CENT
    kept: list[VatSplit] = []

    def payment() -> SettledPayment:
        back = VatSplit(sum(x.net_micros for x in kept), sum(x.vat_micros for x in kept))
        return SettledPayment(all_of_it, back, own, own)

    for cents, fails in tries:
        parts = refund_of(payment(), cents * CENT, CENT)
        if isinstance(parts, NotRefundable):
            assert cents * CENT > refundable_micros(payment(), CENT)
            continue
        assert parts.net_micros <= own and parts.vat_micros >= 0
        assert parts.vat_micros % CENT == 0 and evaluate(parts.formula) == parts.vat_micros
        if not fails:
            kept.append(VatSplit(parts.net_micros, parts.vat_micros))
            own -= parts.net_micros
    assert payment().given_back.net_micros <= all_of_it.net_micros
    assert payment().given_back.vat_micros <= all_of_it.vat_micros
    own = all_of_it.net_micros
    rest = refund_of(payment(), all_of_it.net_micros - payment().given_back.net_micros, CENT)
    if isinstance(rest, RefundParts):
        kept.append(VatSplit(rest.net_micros, rest.vat_micros))
    assert payment().given_back == all_of_it, "all of the money takes all of the tax with it"


def test_c10_the_lines_point_at_those_of_the_payment() -> None:
    money = refund_posting(
        REFUND, CHARGE, amount=5, unit="EUR", at=AT, account_id=ACME, balance_before=8,
        description="Refund", actor="Olga", reason="goodwill",
    )  # fmt: skip
    assert (money.key, money.reverses_key) == (f"refund:{REFUND}", f"topup:{CHARGE}")
    assert (money.debit, money.credit) == (wallet(ACME), AccountKind.CASH)
    assert (money.balance_after, money.owned) == (3, wallet(ACME))
    tax = refund_vat_posting(
        REFUND, CHARGE, amount=1, unit="EUR", at=AT, account_id=ACME, note="VAT 19 % (DE)."
    )
    assert (tax.debit, tax.credit, tax.owned) == (AccountKind.TAX, AccountKind.CASH, None)
    assert tax.reverses_key == f"vat:{CHARGE}"


def test_the_provider_is_asked_ever_more_seldom_and_never_not() -> None:
    waits = [seconds_to_next_question(asked) for asked in range(1, 20)]
    assert waits == sorted(waits) and waits[0] == 5 and waits[-1] == 7_200
