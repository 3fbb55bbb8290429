"""Debits by mandate: whose account may be debited, when, and why a bank gave one back (S5-18).

SEPA's own words: a mandate is the customer's signature, a return ("R-transaction") is a debit
that the bank took back, for a reason code of ISO 20022 (ExternalReturnReason1Code).
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from billing.calendar import next_business_day
from billing.plan_reader import FieldError
from billing.settling import Locale

CURRENCY = "EUR"  # SEPA debits nothing else (EPC016-06, section 2)
LEAD_DAYS = 2  # banks take a file the day before the collection at the latest; one is in hand
REFERENCE = re.compile(r"[A-Za-z0-9+?/\-:().,']{1,35}")  # EPC: AT-01, no spaces
HOLDER_LENGTH_MAX = 70
_DEBIT = re.compile(r"(?<![0-9A-F])([0-9A-F]{8}-[0-9]{6,9}-[0-9]{1,3})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Mandate:
    """As signed; `iban` is compact and its check digits fit."""

    reference: str
    signed_on: date
    holder: str
    iban: str


def mandate_problems(
    *, reference: str, signed_on: date, holder: str, iban: str, today: date
) -> tuple[FieldError, ...]:
    """What is wrong with what was typed, with the cure; nothing where it may be kept."""
    found: list[FieldError] = []
    if REFERENCE.fullmatch(reference) is None:
        found.append(
            FieldError("/reference", "write the mandate's reference: 1 to 35 letters and digits")
        )
    if signed_on > today:
        found.append(FieldError("/signed_on", "write the day on which it was signed, not later"))
    if not 1 <= len(holder) <= HOLDER_LENGTH_MAX or not holder.isprintable():
        found.append(FieldError("/holder", "write whose account it is, in at most 70 characters"))
    if not is_iban(iban):
        found.append(FieldError("/iban", "check it: the check digits of this IBAN do not fit"))
    return tuple(found)


def compact_iban(text: str) -> str:
    return "".join(text.split()).upper()


def is_iban(text: str) -> bool:
    # Not at the top: most processes look at no IBAN.
    from stdnum import iban

    return bool(iban.is_valid(text))


def masked_iban(iban: str) -> str:
    """Country and check digits, and the last four: enough for its holder to recognise it."""
    return f"{iban[:4]} •••• {iban[-4:]}"


def collection_day(due_on: date, today: date, place: Locale) -> date:
    """The day the money is taken: when it is due, or as soon as the bank can after that."""
    soonest = max(due_on, today + timedelta(days=LEAD_DAYS))
    return next_business_day(soonest, place.country, place.subdivision)


def end_to_end_id(label: str, attempt: int) -> str:
    """What the bank hands back with the money, and with a return: "9F3A01BC-000123-1"."""
    return f"{label}-{attempt}"


def debits_in(text: str) -> tuple[str, ...]:
    """Our end-to-end ids in a reference; each once."""
    return tuple(dict.fromkeys(_DEBIT.findall(text.upper())))


_RETURNS = {
    "AC01": ("The account number is wrong.", True),
    "AC04": ("The account is closed.", True),
    "AC06": ("The account is blocked.", True),
    "AC13": ("The account is a consumer's and cannot be debited under this scheme.", True),
    "AG01": ("The account cannot be debited.", True),
    "AM04": ("There was too little money in the account.", False),
    "MD01": ("There is no valid mandate.", True),
    "MD02": ("The mandate's data are not those that the bank knows.", True),
    "MD06": ("The holder of the account asked for the money back.", False),
    "MD07": ("The holder of the account has died.", True),
    "MS02": ("The holder of the account refused the debit.", True),
    "MS03": ("The bank gave no reason.", False),
    "SL01": ("The holder of the account blocks debits of ours.", True),
}
"""EPC Rulebook SEPA Core Direct Debit, 4.3.4; True where trying again is of no use."""


def return_words(code: str) -> str:
    words, _ = _RETURNS.get(code, ("The bank gave the debit back.", False))
    return f"{words} ({code})" if code else words


def ends_mandate(code: str) -> bool:
    """Nothing more may be taken under the mandate until somebody has looked."""
    return _RETURNS.get(code, ("", False))[1]
