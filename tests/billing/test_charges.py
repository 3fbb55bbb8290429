import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from billing.charges import (
    HARD_DECLINES,
    KEY_LIFE,
    NOT_FOUND,
    OPEN_STATES,
    TRIES_PER_CARD_MAX,
    ActionRequired,
    AnswerLost,
    Ask,
    Cancel,
    CardChoice,
    ChargeDeed,
    ChargeEvent,
    ChargeIntent,
    ChargeState,
    Credit,
    Decline,
    Declined,
    NotFound,
    Submit,
    Submitting,
    Succeeded,
    TellAction,
    TellDeclined,
    TimePassed,
    card_to_charge,
    is_hard,
    next_step,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TWENTY = 20_000_000
PAID = Succeeded("pi_1", TWENTY)
CONFIRM = ActionRequired("pi_1", "https://bank.example/confirm")


def intent(n: int = 1, *, amount: int = TWENTY) -> ChargeIntent:
    return ChargeIntent(UUID(int=n), amount, "USD", "card_1", NOON)


def after(*events: ChargeEvent, hours: float = 0) -> ChargeIntent:
    current = intent()
    for event in events:
        current = next_step(current, event, NOON + timedelta(hours=hours)).intent
    return current


@pytest.mark.parametrize(
    "events, state",
    [
        pytest.param([], ChargeState.PENDING, id="E1 written before the provider hears of it"),
        pytest.param([Submitting()], ChargeState.UNKNOWN, id="E1 unknown while it is called"),
        pytest.param([Submitting(), AnswerLost()], ChargeState.UNKNOWN, id="E1 answer lost"),
        pytest.param([Submitting(), PAID], ChargeState.OK, id="C6 paid"),
        pytest.param([Submitting(), AnswerLost(), PAID], ChargeState.OK, id="E1 found by asking"),
        pytest.param([Submitting(), Declined("x")], ChargeState.FAILED, id="S2-13 declined"),
        pytest.param([Submitting(), CONFIRM], ChargeState.REQUIRES_ACTION, id="C6 3-D Secure"),
        pytest.param([Submitting(), CONFIRM, PAID], ChargeState.OK, id="C6 confirmed"),
        pytest.param(
            [Submitting(), CONFIRM, NotFound()], ChargeState.FAILED, id="C6 never confirmed"
        ),
        pytest.param([Submitting(), NotFound()], ChargeState.UNKNOWN, id="E1 sent once more"),
        pytest.param([PAID], ChargeState.OK, id="E5 webhook before our own commit"),
        pytest.param([Submitting(), PAID, Declined("x")], ChargeState.OK, id="E5 paid stays paid"),
        pytest.param(
            [Submitting(), Declined("x"), PAID], ChargeState.OK, id="E5 paid after a decline"
        ),
        pytest.param(
            [Submitting(), Declined("x"), CONFIRM], ChargeState.FAILED, id="E5 failed stays so"
        ),
    ],
)
def test_a_charge_goes_from_intent_to_money(events: list[ChargeEvent], state: ChargeState) -> None:
    assert after(*events).state == state


def test_s2_11_a_success_that_is_told_three_times_is_credited_once() -> None:
    current, deeds = intent(), []
    for event in (Submitting(), PAID, PAID, AnswerLost(), TimePassed(), PAID):
        step = next_step(current, event, NOON)
        current, deeds = step.intent, [*deeds, *step.deeds]
    assert [deed for deed in deeds if isinstance(deed, Credit)] == [Credit(TWENTY)]


def test_e1_a_charge_is_submitted_once_however_often_it_is_begun() -> None:
    assert next_step(after(Submitting()), Submitting(), NOON).deeds == ()


def test_e5_what_the_provider_took_is_what_is_credited() -> None:
    step = next_step(after(Submitting()), Succeeded("pi_1", TWENTY - 1), NOON)
    assert step.deeds == (Credit(TWENTY - 1),)


def test_s2_13_a_decline_that_is_told_twice_is_mailed_once() -> None:
    first = next_step(after(Submitting()), Declined("insufficient_funds"), NOON)
    assert first.deeds == (TellDeclined("insufficient_funds"),)
    assert next_step(first.intent, Declined("insufficient_funds"), NOON).deeds == ()


def test_e1_the_same_key_is_sent_again_only_while_the_provider_remembers_it() -> None:
    unknown = after(Submitting())
    soon = next_step(unknown, NotFound(), NOON + timedelta(hours=1))
    assert [type(deed) for deed in soon.deeds] == [Submit, Ask]
    late = next_step(unknown, NotFound(), NOON + KEY_LIFE - timedelta(minutes=30))
    assert [type(deed) for deed in late.deeds] == [Ask]
    assert late.intent.state == ChargeState.UNKNOWN
    over = next_step(unknown, NotFound(), NOON + KEY_LIFE)
    assert (over.intent.state, over.intent.decline_code) == (ChargeState.FAILED, NOT_FOUND)
    assert over.deeds == ()


def test_e1_the_sweep_takes_up_what_a_dead_worker_left() -> None:
    assert isinstance(next_step(intent(), TimePassed(), NOON).deeds[0], Submit)
    assert next_step(after(Submitting()), TimePassed(), NOON).deeds == (Ask(NOON),)
    waiting = after(Submitting(), CONFIRM)
    assert next_step(waiting, TimePassed(), NOON).deeds == ()
    late = NOON + timedelta(hours=25)
    assert next_step(waiting, TimePassed(), late).deeds == (Cancel(), Ask(late))


def test_c6_the_customer_is_sent_to_the_bank_once() -> None:
    first = next_step(after(Submitting()), CONFIRM, NOON)
    assert first.deeds[0] == TellAction(CONFIRM.url)
    assert next_step(first.intent, CONFIRM, NOON).deeds == ()


def test_e1_questions_come_ever_later() -> None:
    current, waits = after(Submitting()), []
    for _ in range(8):
        step = next_step(current, AnswerLost(), NOON)
        current = step.intent
        (question,) = step.deeds
        assert isinstance(question, Ask)
        waits.append((question.at - NOON).total_seconds())
    assert waits == [5, 15, 60, 300, 1_800, 7_200, 7_200, 7_200]


def decline(days_ago: float, code: str = "insufficient_funds", card: str = "visa") -> Decline:
    return Decline(card, code, NOON - timedelta(days=days_ago))


@pytest.mark.parametrize(
    "cards, declines, choice",
    [
        pytest.param(["visa"], [], ("visa", 0), id="C6 a fresh card is charged now"),
        pytest.param([], [], None, id="C6 no card"),
        pytest.param(["visa"], [decline(0)], ("visa", 1), id="E4 soft: again after a day"),
        pytest.param(
            ["visa"], [decline(1), decline(0)], ("visa", 3), id="E4 soft twice: after three more"
        ),
        pytest.param(
            ["visa"],
            [decline(4), decline(3), decline(0)],
            ("visa", 7),
            id="E4 soft three times: after seven more",
        ),
        pytest.param(
            ["visa"],
            [decline(11), decline(10), decline(7), decline(0)],
            ("visa", 19),
            id="E4 four in 30 days are the most",
        ),
        pytest.param(["visa"], [decline(31)], ("visa", 0), id="E4 after 30 days it is forgotten"),
        pytest.param(["visa"], [decline(90, "lost_card")], None, id="E4 hard: never again"),
        pytest.param(
            ["visa", "backup"], [decline(0, "lost_card")], ("backup", 0), id="C6 backup card"
        ),
        pytest.param(
            ["visa", "backup"], [decline(0)], ("backup", 0), id="C6 backup while the first rests"
        ),
        pytest.param(
            ["visa", "backup"],
            [decline(1.5), decline(0, card="backup")],
            ("visa", 0),
            id="C6 back to the first when it is rested",
        ),
        pytest.param(
            ["visa", "backup"],
            [decline(0, "stolen_card"), decline(0, "expired_card", "backup")],
            None,
            id="E4 both barred",
        ),
    ],
)
def test_a_declined_card_rests_or_is_given_up(
    cards: list[str], declines: list[Decline], choice: tuple[str, int] | None
) -> None:
    found = card_to_charge(cards, declines, NOON)
    if choice is None:
        assert found is None
        return
    assert isinstance(found, CardChoice)
    assert (found.card_id, max(found.free_at, NOON)) == (
        choice[0],
        NOON + timedelta(days=choice[1]),
    )


def test_e4_no_card_is_tried_more_than_four_times_in_any_30_days() -> None:
    tried: list[datetime] = []
    now, declines = NOON, list[Decline]()
    while now < NOON + timedelta(days=365):
        choice = card_to_charge(["visa"], declines, now)
        assert choice is not None
        if choice.free_at <= now:
            tried.append(now)
            declines.append(Decline("visa", "insufficient_funds", now))
        now += timedelta(hours=6)
    assert len(tried) > TRIES_PER_CARD_MAX
    for first, fifth in zip(tried, tried[TRIES_PER_CARD_MAX:], strict=False):
        assert fifth - first >= timedelta(days=30)


@pytest.mark.parametrize("code", ["insufficient_funds", "do_not_honor", "a code of next year"])
def test_e4_an_unknown_code_is_soft_and_bounded(code: str) -> None:
    assert not is_hard(code) and code not in HARD_DECLINES


@dataclass
class Bank:
    """A provider that is idempotent by key and loses answers: the truth is what it took."""

    took: dict[UUID, int] = field(default_factory=dict)
    refused: set[UUID] = field(default_factory=set)

    def charge(self, charged: ChargeIntent, *, accept: bool) -> ChargeEvent:
        if charged.id not in self.took and charged.id not in self.refused:
            if accept:
                self.took[charged.id] = charged.amount_micros
            else:
                self.refused.add(charged.id)
        return self.ask(charged.id)

    def ask(self, key: UUID) -> ChargeEvent:
        if key in self.took:
            return Succeeded(f"pi_{key.int}", self.took[key])
        return Declined("insufficient_funds") if key in self.refused else NotFound()


class LostAnswers(RuleBasedStateMachine):
    """Requests and answers vanish, webhooks repeat, workers die: charged equals credited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.bank = Bank()
        self.intents: dict[UUID, ChargeIntent] = {}
        self.todo: deque[tuple[UUID, ChargeDeed]] = deque()
        self.credited: dict[UUID, int] = {}

    def happen(self, key: UUID, event: ChargeEvent) -> None:
        step = next_step(self.intents[key], event, self.now)
        self.intents[key] = step.intent
        for deed in step.deeds:
            if isinstance(deed, Credit):  # the same transaction as the state
                assert key not in self.credited
                self.credited[key] = deed.amount_micros
            else:
                self.todo.append((key, deed))

    @rule(amount=st.integers(1, 500_000_000))
    def decide_to_charge(self, amount: int) -> None:
        if any(found.state in OPEN_STATES for found in self.intents.values()):
            return
        new = intent(len(self.intents) + 1, amount=amount)
        self.intents[new.id] = new
        self.happen(new.id, Submitting())

    @rule(request_arrives=st.booleans(), lost=st.integers(0, 9), accept=st.integers(0, 9))
    def work(self, request_arrives: bool, lost: int, accept: int) -> None:
        if not self.todo:
            return
        key, deed = self.todo.popleft()
        answer: ChargeEvent = AnswerLost()
        if isinstance(deed, Submit) and request_arrives and self.now < deed.not_after:
            answer = self.bank.charge(self.intents[key], accept=accept < 7)
        elif isinstance(deed, Ask):
            answer = self.bank.ask(key)
        self.happen(key, AnswerLost() if lost < 4 else answer)

    @rule()
    def a_worker_dies(self) -> None:
        self.todo.clear()

    @rule(which=st.integers(0, 9))
    def a_webhook_repeats(self, which: int) -> None:
        if self.bank.took:
            key = list(self.bank.took)[which % len(self.bank.took)]
            self.happen(key, self.bank.ask(key))

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.sweep()

    def sweep(self) -> None:
        for key, found in list(self.intents.items()):
            if found.state in OPEN_STATES:
                self.happen(key, TimePassed())

    @invariant()
    def never_more_is_credited_than_was_charged(self) -> None:
        assert all(self.bank.took.get(key) == micros for key, micros in self.credited.items())
        assert sum(found.state in OPEN_STATES for found in self.intents.values()) <= 1

    def teardown(self) -> None:
        """The network heals, and a day goes by: every cent that was taken is credited."""
        self.now += timedelta(hours=30)
        self.sweep()
        for key, found in list(self.intents.items()):
            if found.state in OPEN_STATES:
                self.happen(key, self.bank.ask(key))
        assert self.credited == self.bank.took
        assert all(found.state not in OPEN_STATES for found in self.intents.values())


TestLostAnswers = LostAnswers.TestCase
TestLostAnswers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_e1_100_000_charges_with_40_percent_lost_answers_are_credited_to_the_cent() -> None:
    chance, bank, credited = random.Random(11), Bank(), dict[UUID, int]()
    for n in range(1, 100_001):
        current = intent(n, amount=chance.randint(1, 90_000_000))
        now = NOON
        todo: list[ChargeDeed] = []
        event: ChargeEvent = Submitting()
        while True:
            step = next_step(current, event, now)
            current = step.intent
            credited.update((current.id, d.amount_micros) for d in step.deeds if type(d) is Credit)
            todo = [d for d in step.deeds if isinstance(d, Submit | Ask)] or todo
            if current.state not in OPEN_STATES:
                break
            deed = todo.pop(0)
            now = max(now, deed.at) if isinstance(deed, Ask) else now
            event = AnswerLost()
            if isinstance(deed, Ask):
                event = bank.ask(current.id)
            elif chance.random() < 0.8:  # the others never arrive
                event = bank.charge(current, accept=chance.random() < 0.7)
            event = AnswerLost() if chance.random() < 0.4 else event
    assert len(bank.took) > 60_000 and len(bank.took) + len(bank.refused) > 95_000
    assert credited == bank.took
