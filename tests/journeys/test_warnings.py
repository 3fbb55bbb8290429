"""Warnings by text and by a call: at the carrier, once per crossing, and on nobody's bill (C20)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.alerts import Gauge, Threshold
from billing.catalogue import load_catalogue
from billing.dunning import Delivery
from gateway.config import SANDBOX_ALERT_NUMBER
from gateway.sandbox.people import Behaviour, Outcome
from gateway.services import alerts, dunning, ledger, operations, plans, reconciling
from gateway.services.errors import Invalid
from gateway.store.base import new_id
from gateway.store.calls import CallRow
from gateway.store.messages import MessageRow
from tests.journeys.test_texts import lose_answers
from workers import carrier as carrier_queue

PHONE = "+14155550177"
TWENTY = [Threshold(Gauge.MONEY, 20_000_000)]


def watch(stage: World, member: Member, *channels: str, phone: str = PHONE) -> None:
    with stage.units.begin() as uow:
        alerts.change_settings(
            uow,
            member.scope,
            thresholds=TWENTY,
            channels=channels,
            hook_url="",
            phone=phone,
            actor="ann",
        )


def spend(stage: World, member: Member, micros: int) -> None:
    with stage.units.begin() as uow:
        ledger.adjust(
            uow,
            member.scope,
            amount_micros=-micros,
            reason="spent",
            actor="olga",
            idempotency_key=str(new_id()),
        )


def texted(stage: World) -> list[str]:
    """What the carrier brought to the phone."""
    found = stage.carrier.messages.by_sid.values()
    return [text.body for text in found if text.to == PHONE and text.from_ == SANDBOX_ALERT_NUMBER]


def called(stage: World) -> list[Any]:
    calls = stage.carrier.books.calls.values()
    return [call for call in calls if call.to == PHONE and call.from_ == SANDBOX_ALERT_NUMBER]


@pytest.fixture
def acme(stage: World) -> Member:
    return stage.join("Acme", document=ONE_PHONE)


@pytest.fixture(autouse=True)
def proven(stage: World) -> Iterator[None]:
    yield
    stage.prove_ledger()


def test_c20_a_crossing_is_texted_and_called_once_and_costs_the_account_nothing(
    stage: World, acme: Member
) -> None:
    watch(stage, acme, "sms", "call")
    stage.person(PHONE, talks=20)
    spend(stage, acme, 30_000_000)
    spend(stage, acme, 1_000_000)
    for _ in range(2):
        carrier_queue.drain(stage.tools)
        stage.carrier.run_for(90)
    assert texted(stage) == ["Acme: The balance has reached 20.00 USD."]
    (call,) = called(stage)
    assert (call.direction, call.status) == ("outbound-api", "completed")
    stage.settle()
    assert stage.balance(acme.scope) == 19_000_000
    assert stage.rows(MessageRow, acme.scope) == stage.rows(CallRow, acme.scope) == []
    stage.top_up(acme.scope, 50_000_000)
    spend(stage, acme, 50_000_000)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(90)
    assert (len(texted(stage)), len(called(stage))) == (2, 2), "it rose above, and fell again"


def test_c20_the_night_finds_nothing_to_charge_for_a_warning(stage: World, acme: Member) -> None:
    watch(stage, acme, "sms", "call")
    stage.person(FRONT_DESK, talks=60)
    stage.call(acme.e164)
    stage.settle()
    before = stage.balance(acme.scope)
    spend(stage, acme, 40_000_000)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(90)
    stage.wait_until(dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC))
    reconciling.reconcile_due(stage.units, stage.telephony)
    stage.settle()
    assert len(called(stage)) == 1
    assert stage.balance(acme.scope) == before - 40_000_000
    with stage.units.read() as uow:
        assert reconciling.list_drifts(uow).items == ()


def test_r8_after_a_lost_answer_the_carrier_is_asked_and_nobody_is_warned_twice(
    stage: World, acme: Member
) -> None:
    watch(stage, acme, "sms", "call")
    stage.person(PHONE, talks=20)
    lose_answers(stage, 2)
    spend(stage, acme, 40_000_000)
    for _ in range(4):
        carrier_queue.drain(stage.tools)
        stage.carrier.run_for(60)
    assert (len(texted(stage)), len(called(stage))) == (1, 1)
    assert dead(stage) == []


def test_c20_a_phone_that_nobody_takes_rings_half_a_minute(stage: World, acme: Member) -> None:
    watch(stage, acme, "call")
    stage.carrier.people.tell(PHONE, Behaviour(Outcome.NO_ANSWER))
    spend(stage, acme, 40_000_000)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(31)
    (call,) = called(stage)
    assert call.status == "no-answer"


def dead(stage: World) -> list[str]:
    with stage.units.read() as uow:
        return [deed.last_error or "" for deed in operations.dead_deeds(uow).items]


@pytest.mark.parametrize(
    "number, words",
    [
        pytest.param("", "set ALERT_NUMBER", id="C20 the house has no number"),
        pytest.param("acme", "is a tracking number", id="C20 a customer's number is not taken"),
    ],
)
def test_a_warning_that_cannot_go_is_shown_to_staff_and_charged_to_nobody(
    stage: World, acme: Member, number: str, words: str
) -> None:
    watch(stage, acme, "sms", "call")
    spend(stage, acme, 40_000_000)
    chosen = {"alert_number": acme.e164 if number == "acme" else number}
    settings = stage.settings.model_copy(update=chosen)
    runtime = dataclasses.replace(stage.runtime, settings=settings)
    carrier_queue.drain(dataclasses.replace(stage.tools, runtime=runtime))
    assert len(dead(stage)) == 2 and all(words in error for error in dead(stage))
    assert texted(stage) == called(stage) == []


@pytest.mark.parametrize(
    "channels, phone, path",
    [
        pytest.param(("sms",), "", "/phone", id="C20 nobody to text"),
        pytest.param(("call",), "555", "/phone", id="no number at all"),
        pytest.param(("call",), "+19005550100", "/phone", id="F premium: the house would pay"),
        pytest.param(("call",), "+8613800138000", "/phone", id="F a country it may not call"),
        pytest.param(("sms",), "acme", "/phone", id="C20 its own tracking number"),
    ],
)
def test_a_phone_that_must_not_be_called_is_refused_at_its_field(
    stage: World, acme: Member, channels: tuple[str, ...], phone: str, path: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        watch(stage, acme, *channels, phone=acme.e164 if phone == "acme" else phone)
    assert {error.path for error in refusal.value.errors} == {path}


def test_c20_the_ladder_of_arrears_uses_the_phone_too(stage: World) -> None:
    notices = [{"day": 0, "channels": ["sms", "call", "webhook"]}]
    document = load_catalogue()["payg"] | {"suspension": {"notices": notices, "suspend_day": 30}}
    with stage.units.begin() as uow:
        plans.publish_plan(uow, "ladder", document, "Olga")
    bolt = stage.join("Bolt", plan="ladder", document=None)
    watch(stage, bolt, "sms")
    spend(stage, bolt, 60_000_000)
    stage.wait_until(dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC))
    with stage.units.begin() as uow:
        dunning.look(uow, bolt.scope)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(90)
    with stage.units.read() as uow:
        state = dunning.state_of(uow, bolt.scope)
    assert state is not None
    assert {sent.channel: sent.delivery for sent in state.notices} == {
        "sms": Delivery.DELIVERED,
        "call": Delivery.DELIVERED,
        "webhook": Delivery.BOUNCED,
    }
    assert any("in arrears since" in body for body in texted(stage))
