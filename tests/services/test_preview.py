"""What would happen: one imagined call, decided, rendered and rated like a real one."""

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing.metering import LegStatus
from gateway.links import PublicLinks
from gateway.services import forwarding, ledger
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.services.numbers import Number
from gateway.services.preview import Answer, Preview, Scenario
from gateway.uow import UnitsOfWork

OFFICE = "+14155550101"
MOBILE = "+14155550102"
CALLER = "+12125550199"
NIGHT = dt.datetime(2026, 3, 5, 4, 0, tzinfo=dt.UTC)  # 23:00 in New York

BOTH = {
    "pattern": "simultaneous",
    "targets": [
        {"type": "number", "address": OFFICE, "ring_seconds": 20},
        {"type": "number", "address": MOBILE, "ring_seconds": 20},
    ],
    "otherwise": {"pattern": "voicemail", "say": "Please leave a message."},
}
IN_TURN = {**BOTH, "pattern": "sequential"}
HOURS = {
    "pattern": "hours",
    "time_zone": "America/New_York",
    "open": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
    "then": BOTH,
    "otherwise": {"pattern": "reject", "reason": "busy"},
}
Play = Callable[..., Preview]


@pytest.fixture
def play(units: UnitsOfWork, acme: Account, desk: Number, links: PublicLinks) -> Play:
    def imagine(document: Any, *answers: Answer, caller: str | None = CALLER, **more: Any) -> Any:
        scenario = Scenario(at=more.pop("at", units.clock()), caller=caller, answers=answers)
        with units.read() as uow:
            return forwarding.what_would_happen(
                uow, acme.scope, links, desk.id, replace(scenario, **more), document
            )

    return imagine


def statuses(preview: Preview) -> list[tuple[str, LegStatus, int, int]]:
    return [(leg.to, leg.status, leg.ring_seconds, leg.talk_seconds) for leg in preview.legs]


def test_the_first_to_answer_takes_the_call_and_both_legs_are_priced(play: Play) -> None:
    preview = play(BOTH, Answer(MOBILE, after_seconds=6, talk_seconds=83))
    assert statuses(preview) == [
        ("+14155550100", LegStatus.COMPLETED, 6, 83),
        (OFFICE, LegStatus.CANCELED, 6, 0),
        (MOBILE, LegStatus.COMPLETED, 6, 83),
    ]
    inbound, loser, winner = preview.legs
    assert inbound.charge_micros == 69_166, "83 s at 0.05 a minute, rounded down (S5-02)"
    assert loser.charge_micros == 0 and loser.cost_micros == 0
    assert preview.total_micros == inbound.charge_micros + winner.charge_micros
    assert preview.cost_micros == (inbound.cost_micros or 0) + (winner.cost_micros or 0) > 0
    assert preview.margin_micros == preview.total_micros - preview.cost_micros
    assert (preview.outcome, preview.duration_seconds) == ("talked", 89)


def test_nobody_answers_and_the_message_is_paid_on_the_callers_leg_alone(play: Play) -> None:
    preview = play(BOTH, message_seconds=30)
    assert preview.outcome == "voicemail"
    inbound, *targets = preview.legs
    assert inbound.status == LegStatus.COMPLETED and inbound.ring_seconds == 20
    assert inbound.talk_seconds == 30 + 2, "four words, and the message"
    assert {leg.status for leg in targets} == {LegStatus.NO_ANSWER}
    assert preview.total_micros == inbound.charge_micros
    assert [step.after_seconds for step in preview.steps] == [0, 20]


def test_one_after_the_other_rings_the_second_when_the_first_did_not_answer(play: Play) -> None:
    preview = play(IN_TURN, Answer(MOBILE, after_seconds=5, talk_seconds=60))
    assert statuses(preview) == [
        ("+14155550100", LegStatus.COMPLETED, 25, 60),
        (OFFICE, LegStatus.NO_ANSWER, 20, 0),
        (MOBILE, LegStatus.COMPLETED, 5, 60),
    ]


def test_an_answer_after_the_ringing_ended_is_no_answer(play: Play) -> None:
    preview = play(BOTH, Answer(OFFICE, after_seconds=20))
    assert preview.outcome == "voicemail"


def test_whoever_does_not_press_one_is_billed_for_listening_and_does_not_take_the_call(
    play: Play,
) -> None:
    target = {"type": "number", "address": OFFICE, "confirm": True, "whisper": "Sales call."}
    plan = {"pattern": "sequential", "targets": [target], "otherwise": BOTH["otherwise"]}
    preview = play(plan, Answer(OFFICE, after_seconds=4, takes=False))
    assert statuses(preview)[1] == (OFFICE, LegStatus.COMPLETED, 4, 8)
    assert preview.outcome == "voicemail"
    assert play(plan, Answer(OFFICE, after_seconds=4)).outcome == "talked"


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        pytest.param(dt.datetime(2026, 3, 4, 17, tzinfo=dt.UTC), "talked", id="at noon"),
        pytest.param(NIGHT, "rejected", id="at night"),
    ],
)
def test_hours_decide_by_the_time_that_is_asked_about(
    play: Play, at: dt.datetime, outcome: str
) -> None:
    preview = play(HOURS, Answer(OFFICE), at=at)
    assert preview.outcome == outcome
    if outcome == "rejected":
        assert preview.total_micros == 0 and preview.legs[0].talk_seconds == 0
        assert "<Reject" in preview.steps[0].twiml


@pytest.mark.parametrize(
    ("caller", "rung"),
    [
        pytest.param("+17025550123", OFFICE, id="S3-15 a caller from Nevada"),
        pytest.param("+12125550123", MOBILE, id="a caller from New York"),
        pytest.param(None, MOBILE, id="S3-16 a withheld number takes otherwise"),
    ],
)
def test_geography_follows_the_callers_number(play: Play, caller: str | None, rung: str) -> None:
    def only(address: str) -> dict[str, Any]:
        return {"pattern": "simultaneous", "targets": [{"type": "number", "address": address}]}

    plan = {
        "pattern": "geographic",
        "rules": [{"states": ["NV"], "then": only(OFFICE)}],
        "otherwise": only(MOBILE),
    }
    preview = play(plan, caller=caller)
    assert [leg.to for leg in preview.legs[1:]] == [rung]
    assert preview.path[0].words


def test_every_document_is_valid_and_carries_the_calls_own_links(play: Play, acme: Account) -> None:
    preview = play(IN_TURN)
    assert len(preview.steps) == 3
    for step in preview.steps:
        ET.fromstring(step.twiml)
        assert f"https://calls.test/webhooks/twilio/calls/{acme.tenant_id.hex}/CA0" in step.twiml
    assert "/dial?at=%211" in preview.steps[0].twiml


def test_the_price_spans_whoever_might_answer(play: Play) -> None:
    plan = {
        "pattern": "sequential",
        "targets": [
            {"type": "number", "address": OFFICE},
            {"type": "number", "address": "+447400123456"},
        ],
    }
    preview = play(plan, Answer(OFFICE, talk_seconds=120))
    abroad = play(plan, Answer("+447400123456", talk_seconds=120))
    nobody = play(plan)
    assert preview.dearest_micros == abroad.total_micros
    assert preview.cheapest_micros == nobody.total_micros
    assert nobody.total_micros < preview.total_micros < abroad.total_micros


def test_the_plan_in_force_is_played_when_no_other_is_given(
    units: UnitsOfWork, acme: Account, desk: Number, play: Play
) -> None:
    with pytest.raises(Invalid):
        play(None)
    with units.begin() as uow:
        forwarding.publish(uow, acme.scope, desk.id, BOTH, "ann")
    assert play(None) == play(BOTH)


def test_an_invalid_draft_is_refused_with_its_path(play: Play) -> None:
    with pytest.raises(Invalid) as refusal:
        play({"pattern": "simultaneous", "targets": []})
    assert refusal.value.errors[0].path == "/targets"


def test_a_call_that_the_gate_would_refuse_says_why_and_shows_the_path_anyway(
    units: UnitsOfWork, acme: Account, play: Play
) -> None:
    assert play(BOTH).refusal is None
    with units.begin() as uow:
        ledger.adjust(
            uow,
            acme.scope,
            amount_micros=-60_000_000,
            reason="test",
            actor="olga",
            idempotency_key="a",
        )
    preview = play(BOTH, Answer(OFFICE))
    assert preview.refusal and preview.outcome == "talked"


def test_nothing_is_stored(units: UnitsOfWork, acme: Account, desk: Number, play: Play) -> None:
    play(BOTH, Answer(OFFICE))
    with units.read() as uow:
        assert forwarding.current(uow, acme.scope, desk.id) is None
