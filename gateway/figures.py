"""Money, seconds, instants and phone numbers as people read them; the only place where micros
become text on a page. Templates get these as filters.
"""

import datetime as dt
import re
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from flask import Flask, g
from markupsafe import Markup

from routing.geography import country_names
from routing.numbering import pretty

LOCALE = "en_US"
MICROS = Decimal(1_000_000)
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
EXACT = "¤#,##0.00####"  # every micro that is not zero is shown
RATE = "¤#,##0.0000##"
COLUMN = "¤#,##0.000000"
INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)")


def money(micros: int | None, currency: str) -> str:
    """The exact amount: "$49.930834"; a real minus sign before the currency."""
    return _currency(micros, currency, EXACT)


def money_column(micros: int | None, currency: str) -> str:
    """The exact amount with all six places, so that a column of amounts lines up."""
    return _currency(micros, currency, COLUMN)


def rate(micros: int | None, currency: str) -> str:
    """A price per minute, with four places at least: "$0.0500"."""
    return _currency(micros, currency, RATE)


def money_short(micros: int | None, currency: str) -> str:
    """Whole cents, rounded down: never promises money that is not there."""
    if micros is None:
        return NONE
    cents = (Decimal(micros) / MICROS).quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
    return _currency(int(cents * MICROS), currency, "¤#,##0.00")


def _currency(micros: int | None, currency: str, pattern: str) -> str:
    if micros is None:
        return NONE
    text = format_currency(
        abs(Decimal(micros)) / MICROS, currency, pattern, locale=LOCALE, currency_digits=False
    )
    return f"{MINUS}{text}" if micros < 0 else text


def count(number: int | None) -> str:
    return NONE if number is None else format_decimal(number, locale=LOCALE)


def seconds(value: int | None) -> str:
    """ "83 s", and from two minutes on "2 min 05 s"; an overdrawn pool stands below zero."""
    if value is None:
        return NONE
    if value < 0:
        return f"{MINUS}{seconds(-value)}"
    if value < 120:
        return f"{value} s"
    minutes, rest = divmod(value, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def phone(e164: str | None) -> str:
    """As people of its country write it; what is no phone number stays as it is."""
    if not e164:
        return "Withheld"
    if not e164.startswith("+"):
        return e164
    return pretty(e164)


def country(code: str) -> str:
    return country_names().get(code, code)


def city(zone: str) -> str:
    """The city that a time zone is named by: "Los Angeles"."""
    return zone.rpartition("/")[2].replace("_", " ")


def told(words: str) -> Markup:
    """An explanation, with its instants by the clock of the account instead of ISO 8601 in UTC."""
    parts = INSTANT.split(words)
    return Markup("").join(
        instant(dt.datetime.fromisoformat(part), style="full") if INSTANT.fullmatch(part) else part
        for part in parts
    )


def in_words(name: str) -> str:
    """What the code calls it, to be read: "plan.not_moved" is "Plan: not moved"."""
    words = name.replace(".", ": ").replace("_", " ")
    return words[:1].upper() + words[1:]


def local(at: dt.datetime, zone: str) -> dt.datetime:
    return at.astimezone(ZoneInfo(zone))


def instant(at: dt.datetime | None, zone: str | None = None, style: str = "short") -> Markup:
    """A `<time>` in the account's zone; its title is UTC, its machine form ISO 8601.

    `style`: "short" (Nov 22, 2:46 PM), "full" (with year, seconds and zone), "clock" (seconds).
    """
    if at is None:
        return Markup(NONE)
    zone = zone or account_zone()
    shown = format_datetime(local(at, zone), PATTERNS[style], locale=LOCALE)
    utc = at.astimezone(dt.UTC).replace(microsecond=0)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat().replace("+00:00", "Z"), utc.strftime("%Y-%m-%d %H:%M:%S"), shown
    )


PATTERNS = {
    "short": "MMM d, h:mm a",
    "full": "MMM d, y, h:mm:ss a zzz",
    "clock": "h:mm:ss a",
    "day": "EEE, MMM d",
}


def day(on: dt.date) -> str:
    return format_date(on, "MMM d", locale=LOCALE)


def account_zone() -> str:
    account = g.get("account")
    return account.time_zone if account is not None else "UTC"


def install(app: Flask) -> None:
    filters: dict[str, Any] = {
        "money": money,
        "money_short": money_short,
        "money_column": money_column,
        "rate": rate,
        "count": count,
        "seconds": seconds,
        "phone": phone,
        "country": country,
        "city": city,
        "told": told,
        "in_words": in_words,
        "instant": instant,
        "day": day,
    }
    app.jinja_env.filters.update(filters)
