import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import (
    InvalidAmount,
    ceil_div,
    format_amount,
    format_rate,
    parse_amount,
    round_ratio,
)


@pytest.mark.parametrize(
    "text, micros",
    [
        pytest.param("50", 50_000_000, id="whole units"),
        pytest.param("50.00", 50_000_000, id="with cents"),
        pytest.param("0.0085", 8_500, id="a carrier's minute is exact"),
        pytest.param("0.000001", 1, id="the smallest amount"),
        pytest.param("-12.5", -12_500_000, id="an adjustment may take"),
        pytest.param("999999999999.999999", 999_999_999_999_999_999, id="the largest amount"),
    ],
)
def test_plain_decimals_become_micros(text: str, micros: int) -> None:
    assert parse_amount(text) == micros


@pytest.mark.parametrize(
    "text, words",
    [
        pytest.param("", "is not an amount", id="nothing"),
        pytest.param("abc", "is not an amount", id="letters"),
        pytest.param("1e3", "is not an amount", id="an exponent"),
        pytest.param("NaN", "is not an amount", id="not a number"),
        pytest.param("Infinity", "is not an amount", id="infinity"),
        pytest.param("\uff15\uff10", "is not an amount", id="full-width digits"),
        pytest.param("\u0665", "is not an amount", id="arabic digits"),
        pytest.param(" 50", "is not an amount", id="a space"),
        pytest.param("50\n", "is not an amount", id="a line end"),
        pytest.param("+50", "is not an amount", id="a plus sign"),
        pytest.param("$50", "is not an amount", id="a currency sign"),
        pytest.param(".5", "is not an amount", id="no digit before the point"),
        pytest.param("5.", "is not an amount", id="no digit after the point"),
        pytest.param("1_000", "is not an amount", id="an underscore"),
        pytest.param("1,000.00", "comma", id="a thousands separator"),
        pytest.param("0.0000001", "more than 6 decimals", id="finer than the ledger"),
        pytest.param("1000000000000", "too large", id="more than the ledger holds"),
    ],
)
def test_anything_else_is_refused_with_a_cure(text: str, words: str) -> None:
    with pytest.raises(InvalidAmount, match=words):
        parse_amount(text)


@pytest.mark.parametrize(
    "micros, text",
    [
        pytest.param(50_000_000, "50.00", id="two decimals at least"),
        pytest.param(49_930_834, "49.930834", id="six where they count"),
        pytest.param(8_500, "0.0085", id="trailing zeros go"),
        pytest.param(-1, "-0.000001", id="one micro below zero shows"),
        pytest.param(0, "0.00", id="nothing"),
    ],
)
def test_amounts_leave_as_short_decimals(micros: int, text: str) -> None:
    assert format_amount(micros) == text


def test_s5_01_a_price_per_minute_shows_four_decimals() -> None:
    assert (format_rate(50_000), format_rate(8_500), format_rate(12_345)) == (
        "0.0500",
        "0.0085",
        "0.012345",
    )


@given(st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1))
def test_an_amount_survives_leaving_and_coming_back(micros: int) -> None:
    assert parse_amount(format_amount(micros)) == micros


@given(st.text())
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        assert isinstance(parse_amount(text), int)
    except InvalidAmount as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    "numerator, mode, rounded",
    [
        pytest.param(7, "down", 3, id="down"),
        pytest.param(7, "up", 4, id="up"),
        pytest.param(7, "half_even", 4, id="3.5 to the even 4"),
        pytest.param(5, "half_even", 2, id="2.5 to the even 2"),
        pytest.param(6, "up", 3, id="an exact ratio stays up"),
        pytest.param(6, "down", 3, id="an exact ratio stays down"),
        pytest.param(-7, "down", -4, id="down goes by value"),
    ],
)
def test_a_half_is_rounded_the_way_the_tariff_says(numerator: int, mode: str, rounded: int) -> None:
    assert round_ratio(numerator, 2, mode) == rounded  # type: ignore[arg-type]


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_every_rounding_lies_between_down_and_up(numerator: int, denominator: int) -> None:
    down = round_ratio(numerator, denominator, "down")
    up = round_ratio(numerator, denominator, "up")
    assert up - down in (0, 1)
    assert up == ceil_div(numerator, denominator)
    assert round_ratio(numerator, denominator, "half_even") in (down, up)
