"""One charge of a card from intent to money, through lost answers and declines (E1 to E5).

The intent's row is committed before the provider hears of it, and its id is the provider's
idempotency key. An answer that was lost is found by asking, never by charging anew.

    pending -> unknown -> ok | failed        unknown -> requires_action -> ok | failed
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class ChargeState(StrEnum):
    PENDING = "pending"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    OK = "ok"
    FAILED = "failed"


OPEN_STATES = frozenset({ChargeState.PENDING, ChargeState.UNKNOWN, ChargeState.REQUIRES_ACTION})
"""One charge in these states per account at a time."""

CHARGE_MIN_MICROS = 500_000
"""Half a dollar or a euro: docs.stripe.com/currencies, minimum and maximum charge amounts."""

KEY_LIFE = timedelta(hours=24)
"""How long a provider remembers an idempotency key at the least: docs.stripe.com/idempotency."""
_SUBMIT_WITHIN = KEY_LIFE - timedelta(hours=1)
"""A call made this long after the first is certain to arrive while the key is remembered."""
ACTION_LIFE = timedelta(hours=24)
"""How long a customer has to confirm a charge with the bank (3-D Secure) before it is dropped."""
ASK_AFTER_SECONDS = (5, 15, 60, 300, 1_800, 7_200)
"""Seconds between questions about a charge whose answer was lost; the last one repeats."""


@dataclass(frozen=True, slots=True)
class ChargeIntent:
    """A charge that was decided; `provider_id` is known once the provider has told it.

    `amount_micros` is what the card is charged, tax included; the top-up posts its net.
    `submitted_at` is the first time that the provider was called; `asked` counts questions.
    """

    id: UUID
    amount_micros: int
    currency: str
    card_id: str
    created_at: datetime
    state: ChargeState = ChargeState.PENDING
    submitted_at: datetime | None = None
    asked: int = 0
    provider_id: str | None = None
    decline_code: str | None = None
    action_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Submitting:
    """We are about to call the provider: this is committed first, then the call is made."""


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """The call timed out or broke off: it may or may not have charged."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The provider took money: from the answer, a webhook, or a question; maybe all three."""

    provider_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Declined:
    code: str


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The bank wants the customer to confirm, at `url`."""

    provider_id: str
    url: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """Asked, the provider knows of no such charge."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The clock looks at an open charge."""


ChargeEvent = (
    Submitting | AnswerLost | Succeeded | Declined | ActionRequired | NotFound | TimePassed
)


@dataclass(frozen=True, slots=True)
class Submit:
    """Call the provider with the intent's id as the key; again with the same key is safe.

    Not after that instant: then only questions are.
    """

    not_after: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the provider what became of the intent, at that time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Credit:
    """Post the top-up `topup:<intent id>` of what the provider took, less the tax in it."""

    amount_micros: int


@dataclass(frozen=True, slots=True)
class TellDeclined:
    """One e-mail for this decline, with the reason and a link (S2-13)."""

    code: str


@dataclass(frozen=True, slots=True)
class TellAction:
    """Send the customer to the bank's page."""

    url: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the provider that an unconfirmed charge is not wanted any more, then ask."""


ChargeDeed = Submit | Ask | Credit | TellDeclined | TellAction | Cancel


@dataclass(frozen=True, slots=True)
class NextStep:
    """The intent as it now stands, and the deeds that are due with the same commit."""

    intent: ChargeIntent
    deeds: tuple[ChargeDeed, ...] = ()


NOT_FOUND = "not_found"
"""The decline code of a charge that never reached the provider."""


def next_step(intent: ChargeIntent, event: ChargeEvent, now: datetime) -> NextStep:
    """What an event does to a charge. The same event again does nothing more.

    Success wins over everything, however late it comes: where the provider has taken money,
    the customer has it credited, once. Nothing else leaves `ok`, and a charge that failed
    stays so.
    """
    if isinstance(event, Succeeded):
        return _succeed(intent, event)
    if intent.state not in OPEN_STATES:
        return NextStep(intent)
    match event:
        case Submitting():
            return _submit(intent, now)
        case AnswerLost():
            return _ask_later(intent, now)
        case Declined(code):
            failed = replace(intent, state=ChargeState.FAILED, decline_code=code)
            return NextStep(failed, (TellDeclined(code),))
        case ActionRequired(provider_id, url):
            return _require_action(intent, provider_id, url, now)
        case NotFound():
            return _not_found(intent, now)
        case TimePassed():
            return _time_passed(intent, now)


def _succeed(intent: ChargeIntent, event: Succeeded) -> NextStep:
    if intent.state == ChargeState.OK:
        return NextStep(intent)
    done = replace(intent, state=ChargeState.OK, provider_id=event.provider_id, decline_code=None)
    return NextStep(done, (Credit(event.amount_micros),))


def _submit(intent: ChargeIntent, now: datetime) -> NextStep:
    if intent.state != ChargeState.PENDING:
        return NextStep(intent)
    return NextStep(
        replace(intent, state=ChargeState.UNKNOWN, submitted_at=now),
        (Submit(now + _SUBMIT_WITHIN), Ask(now + timedelta(seconds=ASK_AFTER_SECONDS[0]))),
    )


def _ask_later(intent: ChargeIntent, now: datetime) -> NextStep:
    if intent.state == ChargeState.PENDING:
        return NextStep(intent)
    wait = ASK_AFTER_SECONDS[min(intent.asked, len(ASK_AFTER_SECONDS) - 1)]
    asked = replace(intent, asked=intent.asked + 1)
    return NextStep(asked, (Ask(now + timedelta(seconds=wait)),))


def _require_action(intent: ChargeIntent, provider_id: str, url: str, now: datetime) -> NextStep:
    if intent.state == ChargeState.REQUIRES_ACTION:
        return NextStep(intent)
    until = now + ACTION_LIFE
    waiting = replace(
        intent, state=ChargeState.REQUIRES_ACTION, provider_id=provider_id, action_until=until
    )
    return NextStep(waiting, (TellAction(url), Ask(until)))


def _not_found(intent: ChargeIntent, now: datetime) -> NextStep:
    """While the provider remembers keys, the same key may be sent again; after that, never."""
    if intent.state == ChargeState.PENDING:
        return NextStep(intent)
    assert intent.submitted_at is not None
    if intent.state == ChargeState.REQUIRES_ACTION or now >= intent.submitted_at + KEY_LIFE:
        return NextStep(replace(intent, state=ChargeState.FAILED, decline_code=NOT_FOUND))
    later = _ask_later(intent, now)
    not_after = intent.submitted_at + _SUBMIT_WITHIN
    return NextStep(later.intent, (Submit(not_after), *later.deeds)) if now < not_after else later


def _time_passed(intent: ChargeIntent, now: datetime) -> NextStep:
    """What a sweep does with a charge that nobody is working on any more."""
    if intent.state == ChargeState.PENDING:
        return _submit(intent, now)
    if intent.state == ChargeState.UNKNOWN:
        return NextStep(intent, (Ask(now),))
    assert intent.action_until is not None
    return (
        NextStep(intent, (Cancel(), Ask(now))) if now >= intent.action_until else NextStep(intent)
    )


# The codes are those of docs.stripe.com/declines/codes; that these bar a card is our reading
# of their next steps. Every other code is soft, and its retries are bounded all the same.
HARD_DECLINES = frozenset(
    {
        "card_not_supported",
        "currency_not_supported",
        "do_not_try_again",
        "expired_card",
        "fraudulent",
        "incorrect_cvc",
        "incorrect_number",
        "invalid_account",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "not_permitted",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)

TRIES_PER_CARD_MAX = 4
"""In 30 days, the first included; far below what Visa and Mastercard begin to fine."""
_TRIES_WITHIN = timedelta(days=30)
RETRY_AFTER_DAYS = (1, 3, 7)
"""Days from a card's nth soft decline to its next try."""


def is_hard(code: str) -> bool:
    return code in HARD_DECLINES


@dataclass(frozen=True, slots=True)
class Decline:
    card_id: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CardChoice:
    """The card to charge, and from when on."""

    card_id: str
    free_at: datetime


def card_to_charge(
    card_ids: Sequence[str], declines: Iterable[Decline], now: datetime
) -> CardChoice | None:
    """The first card, primary before backup, that may be charged soonest; None if none may.

    A hard decline bars its card for good: a renewed card is a new card with a new id. A soft
    one bars it for the days of the schedule, and the fourth until one of the 30 days is over.
    `declines` are those since the card's last success.
    """
    noted = list(declines)
    choices = [
        CardChoice(card_id, free_at)
        for card_id in card_ids
        if (free_at := _free_at([d for d in noted if d.card_id == card_id], now)) is not None
    ]
    return min(choices, key=lambda choice: max(choice.free_at, now), default=None)


def _free_at(declines: list[Decline], now: datetime) -> datetime | None:
    if any(is_hard(decline.code) for decline in declines):
        return None
    recent = sorted(decline.at for decline in declines if decline.at > now - _TRIES_WITHIN)
    if not recent:
        return now
    if len(recent) >= TRIES_PER_CARD_MAX:
        return recent[-TRIES_PER_CARD_MAX] + _TRIES_WITHIN
    return recent[-1] + timedelta(days=RETRY_AFTER_DAYS[len(recent) - 1])
