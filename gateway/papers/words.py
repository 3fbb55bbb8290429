"""Figures and words as papers print them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from billing.money import MICROS

MINUS = "\N{MINUS SIGN}"

KINDS = {
    "usage": "Calls",
    "rental": "Number rental",
    "sms": "Texts",
    "access_fee": "Access",
    "package": "Package of minutes",
    "plan_change": "Change of plan",
    "surcharge": "Surcharge",
    "adjustment": "Adjustment",
    "included_credit": "Included credit",
    "reversal": "Correction",
}
SECONDS_WORDS = {
    "issue": "Added",
    "draw": "Used by calls",
    "expire": "Expired",
    "reversal": "Taken back",
}
TOTALS = (
    ("opening_micros", "Balance at the beginning", 1),
    ("charges_micros", "Charges", -1),
    ("credits_micros", "Credits", 1),
    ("closing_micros", "Balance at the end", 1),
    ("vat_micros", "VAT, taken with the credits (not part of the balance)", 1),
)


def amount(micros: int | None, *, at_least: int = 6) -> str:
    """Six decimals, so that columns line up and no micro is lost; "1,234.500000"."""
    if micros is None:
        return ""
    whole, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06d}"
    kept = decimals.rstrip("0").ljust(at_least, "0")
    return f"{MINUS if micros < 0 else ''}{whole:,}.{kept}"


def duration(seconds: int) -> str:
    """ "83 s", "12 min 05 s", "31 h 07 min 09 s"."""
    minutes, rest = divmod(seconds, 60)
    if minutes < 2:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02} s"
    return f"{hours:,} h {minutes:02} min {rest:02} s"


def day(iso: str) -> str:
    """ "22 November 2026": no country reads it another way."""
    found = dt.date.fromisoformat(iso)
    return f"{found.day} {found:%B %Y}"


def period(first: str, last: str) -> str:
    return f"{day(first)} to {day(last)}"


def rate_words(kind: str) -> str:
    return "each" if kind == "sms" else "/ min"


def title(document: Mapping[str, Any]) -> str:
    """A quiet month's statement is no invoice."""
    return "Invoice and statement" if document.get("invoice") else "Statement"


def invoice_rows(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How the invoice comes to what is due; what is 0 and explains nothing is left out."""
    found = document["invoice"]
    rows = [
        ("Charges of this period, net", found["net_micros"]),
        (document["tax"]["note"].removesuffix("."), found["vat_micros"]),
        ("Total", found["total_micros"]),
    ]
    if found["paid_micros"]:
        rows.append(("Paid already, from your credit", -found["paid_micros"]))
    if found["rounding_micros"]:
        rows.append(("Rounding of the payment to whole coins", found["rounding_micros"]))
    return rows


def closing_note(document: Mapping[str, Any]) -> str:
    """Why so much is owed (S5-17, S5-18)."""
    return _owed_note(document) + _included_note(document)


def _included_note(document: Mapping[str, Any]) -> str:
    """Why the balance is more than what was paid and less what is owed."""
    left = document.get("included_left_micros", 0)
    if not left:
        return ""
    words = f"{amount(left, at_least=2)} {document['currency']}"
    return f" {words} of the balance at the end is included credit, for calls and texts alone."


def _owed_note(document: Mapping[str, Any]) -> str:
    currency = document["currency"]
    if document["mode"] == "prepaid":
        note = "Prepaid: all charges were paid from your credit, so there is nothing to pay."
        over = document["overdrawn_micros"]
        if over:
            note += (
                f" The balance is {amount(over, at_least=2)} {currency} below zero;"
                " your next top-up makes it good."
            )
        return note
    if not document["owed_micros"]:
        return "Everything is paid: there is nothing to pay."
    if document["due_on"]:
        payable = f"{amount(document['payable_micros'], at_least=2)} {currency}"
        debit = document.get("debit")
        if debit:
            return (
                f"We collect {debit['amount']} {currency}, tax included, from {debit['iban']} on"
                f" {day(debit['collect_on'])} by SEPA direct debit under your mandate"
                f" {debit['mandate']} of {day(debit['signed_on'])}; there is nothing for you to do."
            )
        return (
            f"Please pay {payable}, tax included, by {day(document['due_on'])} and write"
            f" {document['number']} as the reference."
        )
    return "Your card is charged for what is owed as agreed; there is nothing for you to do."
