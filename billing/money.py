"""Amounts as whole micros; text only where it enters or leaves."""

import re
from typing import Literal

MICROS = 1_000_000
"""Micros in one unit of currency: a voice minute at 0.0085 is exactly 8_500."""

RoundingMode = Literal["down", "up", "half_even"]

_AMOUNT = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?")


class InvalidAmount(ValueError):
    """The text is no amount; the message says how to write one."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide, rounding towards plus infinity."""
    return -(-numerator // denominator)


def round_ratio(numerator: int, denominator: int, mode: RoundingMode) -> int:
    """One exact division, rounded once; "down" and "up" go by value, not away from zero."""
    if mode == "down":
        return numerator // denominator
    if mode == "up":
        return -(-numerator // denominator)
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2 == 1):
        return quotient + 1
    return quotient


def parse_amount(text: str) -> int:
    """Micros of a plain decimal such as "50", "0.0085" or "-12.50"; nothing is rounded.

    At most 12 digits before the point, so that every amount and every sum of a tenant's
    life fits a BIGINT.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise InvalidAmount(_complaint(text))
    sign, units, decimals = match.groups()
    micros = int(units) * MICROS + int((decimals or "").ljust(6, "0"))
    return -micros if sign else micros


def format_amount(micros: int) -> str:
    """Decimal text with 2 to 6 decimals: the inverse of `parse_amount`."""
    return _decimals(micros, at_least=2)


def format_rate(per_minute_micros: int) -> str:
    """A price per minute as people read it, 4 to 6 decimals: 0.0500."""
    return _decimals(per_minute_micros, at_least=4)


def _decimals(micros: int, *, at_least: int) -> str:
    units, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06d}".rstrip("0").ljust(at_least, "0")
    return f"{'-' if micros < 0 else ''}{units}.{decimals}"


def _complaint(text: str) -> str:
    shown = ascii(text if len(text) <= 40 else text[:40] + "…")
    cure = 'write plain digits with a point, such as "50.00" or "0.0085"'
    if "," in text:
        return f"{shown} has a comma: {cure}"
    if re.fullmatch(r"-?[0-9]+\.[0-9]{7,}", text):
        return f"{shown} has more than 6 decimals: an amount is kept in millionths, so shorten it"
    if re.fullmatch(r"-?[0-9]{13,}(\.[0-9]*)?", text):
        return f"{shown} is too large: at most 12 digits stand before the point"
    return f"{shown} is not an amount: {cure}"
