"""The statement of a period: every figure follows from the postings, to the micro (S5-16).

Opening balance, charges by kind and number with their rates, credits, tax, closing balance.
A prepaid statement owes nothing, whatever its balance (S5-17): the charges are paid from the
credit, and a balance below zero is shown as overdrawn and made good by the next top-up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.calendar import Period, billing_cycle, cycle_anchor, periods_starting
from billing.included import NOTHING_INCLUDED, Included
from billing.minutes import SECONDS
from billing.money import format_amount, format_rate
from billing.postings import AccountKind, Posting, PostingKind
from billing.terms import Mode, Statements

_CALENDAR_MONTH = 1
_CREDIT_KEYS = ("topup:", "adjust:", "refund:")


def anchor_day(terms: Statements) -> int:
    """The day of the month on which a statement's period begins (C14)."""
    return terms.anchor_day if terms.period == "cycle" else _CALENDAR_MONTH


def statement_period(terms: Statements, instant: datetime, zone: str) -> Period:
    return billing_cycle(anchor_day(terms), instant, zone)


def periods_closed(
    terms: Statements, after: datetime, until: datetime, zone: str
) -> Iterator[Period]:
    """Periods that ended later than `after` and not later than `until`: each owes a statement.

    Two stretches of time that meet share no period and miss none, also after downtime.
    """
    anchor = cycle_anchor(anchor_day(terms))
    for following in periods_starting(anchor, after, until, zone):
        yield billing_cycle(anchor_day(terms), _last_moment(following), zone)


def _last_moment(following: Period) -> datetime:
    return following.starts_at - following.starts_at.resolution


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """Charges of one kind, number and rate together; a correction has a negative amount.

    `rate_micros` is per minute (of a message, per unit); `seconds` are those billed.
    """

    kind: PostingKind
    description: str
    number: str | None
    rate_micros: int | None
    count: int
    seconds: int
    amount_micros: int


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One credit by itself, with the balance after it; negative where it was taken back. What
    included credit paid is a line without a key: it stands among the charges, the other way
    round, and no balance is behind it."""

    key: str | None
    at: datetime
    kind: PostingKind
    description: str
    amount_micros: int
    balance_after_micros: int | None


@dataclass(frozen=True, slots=True)
class SecondsLine:
    """Seconds that were issued, drawn or expired in packages and pools."""

    kind: PostingKind
    seconds: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The figures of one account and period; amounts in micros of `currency`.

    `vat_micros` is the tax taken with the credits of the period; it never was in the balance.
    `included_left_micros` of the closing balance are credit that the access fee includes.
    """

    mode: Mode
    currency: str
    period: Period
    opening_micros: int
    charges: tuple[ChargeLine, ...]
    credits: tuple[CreditLine, ...]
    seconds: tuple[SecondsLine, ...]
    vat_micros: int
    closing_micros: int
    included_left_micros: int = 0

    @property
    def charges_micros(self) -> int:
        return sum(line.amount_micros for line in self.charges)

    @property
    def credits_micros(self) -> int:
        return sum(line.amount_micros for line in self.credits)

    @property
    def paid_from_credit_micros(self) -> int:
        """Of the period's charges, what is not left to be paid for."""
        return self.charges_micros if self.mode == "prepaid" else 0

    @property
    def owed_micros(self) -> int:
        """Prepaid: always 0 (S5-17). Else what the account's own money stands below zero (C8):
        included credit that is left pays for calls to come, and for no fee."""
        own_micros = self.closing_micros - self.included_left_micros
        return 0 if self.mode == "prepaid" else max(0, -own_micros)

    @property
    def overdrawn_micros(self) -> int:
        """How far a prepaid balance is below zero: shown, not owed."""
        return max(0, -self.closing_micros) if self.mode == "prepaid" else 0


class StatementDiffers(ValueError):
    """The postings do not lead from the opening balance to what the ledger says."""

    def __init__(self, key: str, expected: int, found: int) -> None:
        words = f"after {key} the ledger says {format_amount(found)}"
        super().__init__(f"{words}, the statement {format_amount(expected)}")
        self.key, self.expected_micros, self.found_micros = key, expected, found


_Group = tuple[PostingKind, str, str | None, int | None]


def statement_of(
    postings: Iterable[Posting],
    *,
    ledger_account: str,
    number_of: Callable[[Posting], str | None],
    mode: Mode,
    currency: str,
    period: Period,
    opening_micros: int,
    included: Included = NOTHING_INCLUDED,
) -> Statement:
    """The statement of an account from all its postings of the period, in the ledger's order:
    those of its wallet (`ledger_account`), of its tax and of its minutes. `included` is what
    credit that the access fee includes paid of the charges: they are less by so much, tax and all.

    Read once and grouped as they come: memory grows with numbers and rates, not with legs.
    Every line's balance is checked on the way; raises `StatementDiffers` at the first that
    disagrees. Without postings it is a statement of zero usage, and just as valid.
    """
    groups: dict[_Group, list[int]] = {}
    credit_lines: list[CreditLine] = []
    seconds: dict[PostingKind, int] = {}
    balance, vat = opening_micros, 0
    for posting in postings:
        if posting.unit == SECONDS:
            seconds[posting.kind] = seconds.get(posting.kind, 0) + posting.amount
            continue
        vat += posting.signed_for(AccountKind.TAX)
        moved = posting.signed_for(ledger_account)
        if not moved:
            continue
        balance += moved
        if posting.owned == ledger_account and posting.balance_after not in (None, balance):
            raise StatementDiffers(posting.key, balance, posting.balance_after or 0)
        if _is_credit(posting, moved):
            credit_lines.append(_credit_line(posting, moved))
        else:
            _add(groups, posting, number_of(posting), -moved)
    charges = _charge_lines(groups)
    if included.drawn_micros:
        charges += (_paid_by_included(included.drawn_micros),)
        credit_lines.append(_drawn_line(included.drawn_micros, period))
    return Statement(
        mode=mode,
        currency=currency,
        period=period,
        opening_micros=opening_micros,
        charges=charges,
        credits=tuple(credit_lines),
        seconds=tuple(SecondsLine(kind, seconds[kind]) for kind in sorted(seconds)),
        vat_micros=vat,
        closing_micros=balance,
        included_left_micros=included.left_micros,
    )


def _paid_by_included(drawn: int) -> ChargeLine:
    return ChargeLine(
        PostingKind.INCLUDED_CREDIT, "Paid by included credit", None, None, 1, 0, -drawn
    )


def _drawn_line(drawn: int, period: Period) -> CreditLine:
    return CreditLine(
        key=None,
        at=period.ends_at,
        kind=PostingKind.INCLUDED_CREDIT,
        description="Included credit used for calls and texts",
        amount_micros=-drawn,
        balance_after_micros=None,
    )


def _is_credit(posting: Posting, moved: int) -> bool:
    """A top-up or a gift, its reversal and its refund, and what the access fee includes, both ways;
    a corrected charge stays with the charges."""
    if posting.kind == PostingKind.REVERSAL:
        return (posting.reverses_key or "").startswith(_CREDIT_KEYS)
    return moved > 0 or posting.kind in (PostingKind.CREDIT_EXPIRY, PostingKind.REFUND)


def _credit_line(posting: Posting, moved: int) -> CreditLine:
    return CreditLine(
        key=posting.key,
        at=posting.at,
        kind=posting.kind,
        description=posting.description,
        amount_micros=moved,
        balance_after_micros=posting.balance_after,
    )


def _add(
    groups: dict[_Group, list[int]], posting: Posting, number: str | None, amount: int
) -> None:
    group = groups.setdefault(
        (posting.kind, posting.description, number, posting.rate_micros), [0, 0, 0]
    )
    group[0] += 1
    group[1] += posting.billed_seconds or 0
    group[2] += amount


def _charge_lines(groups: dict[_Group, list[int]]) -> tuple[ChargeLine, ...]:
    """Sorted by number, kind, words and rate, so that a statement made twice is the same."""
    ordered = sorted(groups, key=lambda group: (group[2] or "", group[0], group[1], group[3] or 0))
    return tuple(ChargeLine(*group, *groups[group]) for group in ordered)


@dataclass(frozen=True, slots=True)
class LegLine:
    """One leg of the period; a leg that nobody answered is a line with a charge of 0."""

    started_at: datetime
    call_sid: str
    leg_sid: str
    number: str
    far_end: str
    kind: str
    talk_seconds: int
    billed_seconds: int
    package_seconds: int
    rate_micros: int | None
    surcharge_micros: int
    charge_micros: int  # the surcharge included


LEG_COLUMNS: Sequence[str] = (
    *("started_at", "call_sid", "leg_sid", "number", "far_end", "leg", "talk_seconds"),
    *("billed_seconds", "package_seconds", "rate_per_minute"),
    *("surcharge", "charge", "currency"),
)


def leg_cells(leg: LegLine, currency: str) -> tuple[str, ...]:
    """The leg as one row under `LEG_COLUMNS`: instants in UTC, amounts as plain decimals.

    Free text and numbers with "+" are as they are: the writer of the file makes every cell
    safe for spreadsheets. Amounts are charges and never begin with a sign.
    """
    assert leg.charge_micros >= 0, "a leg never pays its customer"
    return (
        leg.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        leg.call_sid,
        leg.leg_sid,
        leg.number,
        leg.far_end,
        leg.kind,
        str(leg.talk_seconds),
        str(leg.billed_seconds),
        str(leg.package_seconds),
        "" if leg.rate_micros is None else format_rate(leg.rate_micros),
        format_amount(leg.surcharge_micros),
        format_amount(leg.charge_micros),
        currency,
    )
