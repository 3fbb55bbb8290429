"""Who rings, in which order, and what is left of a call that nobody took: through real webhooks."""

import datetime as dt
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from world import BOTH_PHONES, CALLER, FRONT_DESK, MOBILE, VOICEMAIL, WAREHOUSE, World

from gateway.sandbox.callbacks import Callback, Faults
from gateway.sandbox.people import Outcome
from gateway.sandbox.poster import Reply, Request
from gateway.services import forwarding, settlement
from gateway.services.preview import SAMPLE_CALL_SID, Scenario
from gateway.store.audit import AuditRow
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow
from gateway.store.receipts import ReceiptRow
from gateway.store.recordings import RecordingRow


def phone(address: str, **more: Any) -> dict[str, Any]:
    return {"type": "number", "address": address, **more}


def ring(*addresses: str) -> dict[str, Any]:
    return {"pattern": "simultaneous", "targets": [phone(address) for address in addresses]}


def dialled(document: str) -> list[str]:
    """The numbers in a document, in its order."""
    return re.findall(r"<Number [^>]*>([^<]+)</Number>", document)


def rung(stage: World, member: Any) -> list[str]:
    legs = [leg for leg in stage.rows(LegRow, member.scope) if leg.kind == "forwarded"]
    return [leg.to_address for leg in sorted(legs, key=lambda leg: leg.started_at)]


def settled(stage: World) -> None:
    """Every question asked, every leg priced."""
    stage.settle()
    stage.sweep()
    stage.settle()
    stage.work()


# Nobody is there.


def test_a_voicemail_is_kept_here_with_its_sound_and_costs_one_leg(stage: World) -> None:
    acme = stage.join("Acme")
    stage.nobody(FRONT_DESK, MOBILE)
    call_sid = stage.call(acme.e164, message_seconds=8)
    settled(stage)
    (call,) = stage.rows(CallRow, acme.scope)
    assert (call.call_sid, call.voicemail, call.won_leg_sid) == (call_sid, True, None)
    (recording,) = stage.rows(RecordingRow, acme.scope)
    assert (recording.status, recording.duration_seconds) == ("completed", 8)
    assert recording.media_type == "audio/x-wav" and recording.media
    charged = {leg.kind for leg in stage.rows(LegRow, acme.scope) if leg.charge_micros}
    assert charged == {"inbound"}
    stage.prove_ledger()


def test_a_caller_who_says_nothing_leaves_no_recording(stage: World) -> None:
    acme = stage.join("Acme")
    stage.nobody(FRONT_DESK, MOBILE)
    stage.call(acme.e164, message_seconds=0)
    settled(stage)
    assert [r for r in stage.rows(RecordingRow, acme.scope) if r.media] == []
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.status == "completed"


def test_s4_14_an_unanswered_call_costs_nothing_however_long_it_rings(stage: World) -> None:
    acme = stage.join("Acme", document=ring(FRONT_DESK))
    stage.nobody(FRONT_DESK)
    stage.call(acme.e164, hangs_up_after_seconds=15)
    settled(stage)
    assert stage.balance(acme.scope) == 50_000_000
    assert {leg.charge_micros for leg in stage.rows(LegRow, acme.scope)} == {0}


# Whisper and press 1.

CONFIRMED = {
    "pattern": "simultaneous",
    "targets": [phone(FRONT_DESK, whisper="A call for Acme.", confirm=True)],
    "otherwise": ring(MOBILE),
}


@pytest.mark.parametrize(
    "how, takes_it",
    [
        pytest.param({"presses": ("1",)}, True, id="S3-14 presses 1"),
        pytest.param({"presses": ("2",)}, False, id="S3-14 presses another key"),
        pytest.param({"presses": ()}, False, id="S3-14 presses nothing"),
        pytest.param(
            {"outcome": Outcome.MACHINE, "presses": ()}, False, id="S3-14 a mailbox answers"
        ),
    ],
)
def test_only_a_pressed_one_takes_a_call_that_asks_for_it(
    stage: World, how: dict[str, Any], takes_it: bool
) -> None:
    acme = stage.join("Acme", document=CONFIRMED)
    stage.behave(FRONT_DESK, answers_after_seconds=3, talks_seconds=40, **how)
    stage.person(MOBILE, talks=50)
    stage.call(acme.e164)
    settled(stage)
    (call,) = stage.rows(CallRow, acme.scope)
    legs = {leg.to_address: leg for leg in stage.rows(LegRow, acme.scope)}
    winner = legs[FRONT_DESK if takes_it else MOBILE]
    assert call.won_leg_sid == winner.leg_sid
    assert (MOBILE in legs) is not takes_it
    assert legs[FRONT_DESK].confirmed is takes_it
    stage.prove_ledger()


def test_the_whisper_is_heard_by_the_phone_and_by_nobody_else(stage: World) -> None:
    acme = stage.join("Acme", document=CONFIRMED)
    first = stage.ask(acme.e164)
    assert "A call for Acme" not in first
    url = re.search(r'<Number [^>]*[^k]url="([^"]+)"', first)
    assert url is not None
    path = url[1].replace("&amp;", "&").removeprefix("http://gateway.test")
    call_sid = path.split("/")[5]
    form = {"CallSid": "CA" + "7" * 32, "ParentCallSid": call_sid, "CallStatus": "in-progress"}
    heard = stage.post(path, form).text
    assert "A call for Acme. Press 1" in heard
    assert "<Dial" not in heard, "a Dial is not allowed in a whisper"


# One after the other.

ROTA = {
    "pattern": "sequential",
    "targets": [
        phone(FRONT_DESK, ring_seconds=10),
        phone(MOBILE, ring_seconds=15),
        phone(WAREHOUSE, ring_seconds=20),
    ],
    "otherwise": VOICEMAIL,
}


def test_s3_15_the_next_phone_rings_when_the_one_before_did_not_take_it(stage: World) -> None:
    acme = stage.join("Acme", document=ROTA)
    stage.nobody(FRONT_DESK)
    stage.behave(MOBILE, outcome=Outcome.BUSY)
    stage.person(WAREHOUSE, talks=30)
    began = stage.carrier.clock.now()
    stage.call(acme.e164)
    settled(stage)
    assert rung(stage, acme) == [FRONT_DESK, MOBILE, WAREHOUSE]
    legs = {leg.to_address: leg for leg in stage.rows(LegRow, acme.scope)}
    # The carrier rings up to five seconds longer than it was asked to.
    assert 10 <= (legs[MOBILE].started_at - began).total_seconds() <= 16
    assert (legs[WAREHOUSE].started_at - legs[MOBILE].started_at).total_seconds() <= 2
    assert [legs[a].status for a in (FRONT_DESK, MOBILE, WAREHOUSE)] == [
        "no-answer", "busy", "completed",
    ]  # fmt: skip
    assert legs[WAREHOUSE].charge_micros == 25_000
    assert legs[FRONT_DESK].charge_micros == legs[MOBILE].charge_micros == 0


def test_s3_15_a_caller_who_hangs_up_stops_the_round(stage: World) -> None:
    acme = stage.join("Acme", document=ROTA)
    stage.nobody(FRONT_DESK, MOBILE, WAREHOUSE)
    stage.call(acme.e164, hangs_up_after_seconds=20)
    settled(stage)
    assert rung(stage, acme) == [FRONT_DESK, MOBILE]
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.ended_at is not None and call.check_at is None


def test_s3_15_when_nobody_takes_it_the_caller_may_leave_a_message(stage: World) -> None:
    acme = stage.join("Acme", document=ROTA)
    stage.nobody(FRONT_DESK, MOBILE, WAREHOUSE)
    stage.call(acme.e164)
    settled(stage)
    assert rung(stage, acme) == [FRONT_DESK, MOBILE, WAREHOUSE]
    assert len(stage.rows(RecordingRow, acme.scope)) == 1


def test_a_call_goes_on_by_the_version_that_it_began_with(stage: World) -> None:
    """The rota is replaced while the first phone rings: the second is still the old plan's."""
    acme = stage.join("Acme", document=ROTA)
    stage.nobody(FRONT_DESK)
    stage.person(MOBILE, talks=10)
    began_with = stage.ring(acme.e164, seconds=5)
    stage.publish(acme.scope, acme.number.id, ring(WAREHOUSE))
    stage.carrier.run_until_idle()
    settled(stage)
    assert rung(stage, acme) == [FRONT_DESK, MOBILE]
    stage.person(WAREHOUSE, talks=10)
    afterwards = stage.call(acme.e164)
    with stage.units.read() as uow:
        versions = {
            version.id: version.version
            for version in forwarding.versions(uow, acme.scope, acme.number.id)
        }
    kept = {
        row.call_sid: versions[row.forwarding_version_id] for row in stage.rows(CallRow, acme.scope)
    }
    assert kept == {began_with: 1, afterwards: 2}


FROZEN = ("posting", "receipt", "plan_version", "forwarding_version", "audit")


@pytest.mark.parametrize("table", FROZEN)
def test_what_was_published_or_written_down_is_changed_by_nobody_not_even_by_hand(
    stage: World, table: str
) -> None:
    acme = stage.join("Acme")
    stage.person(FRONT_DESK, talks=10)
    stage.call(acme.e164)
    settled(stage)
    for deed in (
        f"update {table} set id = id" if table != "posting" else "update posting set seq = seq",
        f"delete from {table}",
        f"truncate {table} cascade",
    ):
        with stage.units.begin() as uow, pytest.raises(DBAPIError, match="is append-only"):
            assert uow.connection.scalar(text(f"select count(*) from {table}"))
            uow.connection.execute(text(deed))


# Where the caller is, and when.

GEOGRAPHIC = {
    "pattern": "geographic",
    "rules": [
        {"states": ["NV", "CA"], "then": ring(FRONT_DESK)},
        {"area_codes": ["212"], "then": ring(WAREHOUSE)},
        {"postal_codes": ["891"], "then": ring(MOBILE)},
    ],
    "otherwise": ring(FRONT_DESK, MOBILE),
}


@pytest.mark.parametrize(
    "caller, form, rings",
    [
        pytest.param("+17755550100", {}, [FRONT_DESK], id="S3-16 Reno by its area code"),
        pytest.param("+12125550100", {}, [WAREHOUSE], id="S3-16 Manhattan"),
        pytest.param(
            "+17755550100", {"FromZip": "89101", "FromState": "NV", "FromCountry": "US"},
            [MOBILE], id="S3-16 the ZIP code is more specific than the state",
        ),
        pytest.param("+13125550100", {}, [FRONT_DESK, MOBILE], id="S3-16 Chicago is in no rule"),
        pytest.param("anonymous", {}, [FRONT_DESK, MOBILE], id="S3-16 withheld"),
        pytest.param("+442079460000", {}, [FRONT_DESK, MOBILE], id="S3-16 London"),
    ],
)  # fmt: skip
def test_the_callers_place_decides_who_rings(
    stage: World, caller: str, form: dict[str, str], rings: list[str]
) -> None:
    acme = stage.join("Acme", document=GEOGRAPHIC)
    assert dialled(stage.ask(acme.e164, from_=caller, **form)) == rings


@pytest.mark.parametrize(
    "caller, rings",
    [
        pytest.param("+17755550100", FRONT_DESK, id="Reno is near San Francisco"),
        pytest.param("+12015550100", WAREHOUSE, id="Jersey City is near New York"),
        pytest.param("anonymous", MOBILE, id="withheld is near nothing"),
    ],
)
def test_the_nearest_office_rings(stage: World, caller: str, rings: str) -> None:
    nearest = {
        "pattern": "nearest",
        "offices": [
            {"postal_code": "94105", "country": "US", "then": ring(FRONT_DESK)},
            {"postal_code": "10001", "country": "US", "then": ring(WAREHOUSE)},
        ],
        "otherwise": ring(MOBILE),
    }
    acme = stage.join("Acme", document=nearest)
    assert dialled(stage.ask(acme.e164, from_=caller)) == [rings]


def test_office_hours_are_those_of_the_office(stage: World) -> None:
    hours = {
        "pattern": "hours",
        "time_zone": "America/New_York",
        "open": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                  "from": "09:00", "to": "17:00"}],
        "then": ring(FRONT_DESK),
        "otherwise": VOICEMAIL,
    }  # fmt: skip
    acme = stage.join("Acme", document=hours)
    day = stage.carrier.clock.now().replace(minute=0, second=0, microsecond=0) + dt.timedelta(
        days=2
    )
    seen = {}
    for hour in (13, 14, 21, 22):  # UTC; New York is five hours behind in winter
        stage.carrier.run_until(day.replace(hour=hour))
        seen[hour] = bool(dialled(stage.ask(acme.e164)))
    assert seen == {13: False, 14: True, 21: True, 22: False}


def test_j2_a_target_that_became_our_own_number_is_left_out_at_call_time(stage: World) -> None:
    """On save it was somebody else's; then Bolt bought it. Ringing it could go round for ever."""
    acme = stage.join("Acme", document=None, area_code="646")
    offered = stage.telephony.search_numbers(
        country="US", number_type="local", area_code="646", contains="", limit=1
    )[0].e164
    stage.publish(acme.scope, acme.number.id, {**ring(offered, MOBILE), "otherwise": VOICEMAIL})
    assert dialled(stage.ask(acme.e164)) == [offered, MOBILE]
    bolt = stage.join("Bolt", document=ring(acme.e164 and FRONT_DESK), area_code="646")
    assert bolt.e164 == offered
    assert dialled(stage.ask(acme.e164)) == [MOBILE]
    stage.person(MOBILE, talks=10)
    stage.call(acme.e164)
    settled(stage)
    assert stage.rows(CallRow, bolt.scope) == []


# What the preview shows is what the carrier gets.


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(BOTH_PHONES, id="both phones"),
        pytest.param(ROTA, id="one after the other"),
        pytest.param(CONFIRMED, id="whisper and confirm"),
        pytest.param(GEOGRAPHIC, id="geographic"),
        pytest.param({"pattern": "say", "text": "Hello & <welcome>", "then": ROTA}, id="say"),
        pytest.param({"pattern": "reject", "reason": "busy"}, id="reject"),
    ],
)
def test_what_would_happen_shows_the_webhooks_answers_byte_for_byte(
    stage: World, document: dict[str, Any]
) -> None:
    acme = stage.join("Acme", plan="payg_cut", document=document)
    with stage.units.read() as uow:
        shown = forwarding.what_would_happen(
            uow, acme.scope, stage.runtime.links, acme.number.id,
            Scenario(at=uow.now, caller=CALLER),
        )  # fmt: skip
    answers = [stage.ask(acme.e164, call_sid=SAMPLE_CALL_SID)]
    while (action := re.search(r'<Dial action="([^"]+)"', answers[-1])) is not None:
        parts = urlsplit(action[1].replace("&amp;", "&"))
        form = {
            "CallSid": SAMPLE_CALL_SID, "CallStatus": "in-progress",
            "DialCallStatus": "no-answer", "DialBridged": "false",
        }  # fmt: skip
        answers.append(stage.post(f"{parts.path}?{parts.query}", form).text)
    assert [step.twiml for step in shown.steps] == answers


# What goes wrong on the way.


def test_a_call_that_the_fallback_answered_is_metered_from_its_end_alone(stage: World) -> None:
    """We were down when it came; the carrier said our apology, and takes money for it."""
    acme = stage.join("Acme")
    real = stage.carrier.poster

    def down(request: Request) -> Reply:
        if request.url.endswith("/voice"):
            return Reply(503, error_code=11200)
        return real(request)

    stage.carrier.poster = stage.carrier.exchange.poster = down
    try:
        call_sid = stage.call(acme.e164)
    finally:
        stage.carrier.poster = stage.carrier.exchange.poster = real
    settled(stage)
    (call,) = stage.rows(CallRow, acme.scope)
    assert (call.call_sid, call.status) == (call_sid, "completed")
    (leg,) = stage.rows(LegRow, acme.scope)
    assert leg.talk_seconds > 0
    assert leg.charge_micros == leg.talk_seconds * 50_000 // 60
    assert stage.balance(acme.scope) == 50_000_000 - leg.charge_micros


def test_a_leg_without_a_price_is_charged_nothing_and_says_so(stage: World) -> None:
    acme = stage.join("Acme")
    stage.ask(acme.e164, call_sid="CA" + "d" * 32)
    path = f"/webhooks/twilio/calls/{acme.scope.tenant_id.hex}/CA{'d' * 32}/leg?at=!0&n=0"
    form = {"CallSid": "CA" + "e" * 32, "CallStatus": "completed", "CallDuration": "60"}
    assert stage.post(path, {**form, "To": "+88212345678"}).status_code == 204
    stage.settle()
    (leg,) = [leg for leg in stage.rows(LegRow, acme.scope) if leg.kind == "forwarded"]
    assert (leg.charge_micros, leg.rate_micros) == (0, None)
    notes = [row for row in stage.rows(AuditRow, acme.scope) if row.action == "leg.unrated"]
    assert [note.subject for note in notes] == [leg.leg_sid]


@pytest.mark.parametrize("late", ["completed", "initiated ringing in-progress completed"])
def test_a_plan_without_ivr_time_waits_for_the_leg_that_its_price_needs(
    stage: World, late: str
) -> None:
    """The parent's end overtakes the forwarded leg's callbacks, and a drain runs in between."""
    acme = stage.join("Acme", plan="answered_minutes", document=ring(FRONT_DESK))
    stage.person(FRONT_DESK, talks=83)

    def script(callback: Callback) -> list[float]:
        slow = callback.kind == "leg" and callback.params["CallStatus"] in late.split()
        return [100.0 if slow else 0.0]

    stage.carrier.faults = Faults(script=script)
    try:
        stage.ring(acme.e164, seconds=95)
        stage.settle()
        stage.carrier.run_until_idle()
    finally:
        stage.carrier.faults = Faults()
    settled(stage)
    legs = {leg.kind: leg for leg in stage.rows(LegRow, acme.scope)}
    assert legs["inbound"].charge_micros == 69_166
    assert stage.balance(acme.scope) == 50_000_000 - 69_166
    stage.prove_ledger()


def test_legs_that_wait_for_a_fact_do_not_keep_later_ones_from_being_settled(
    stage: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole batch of them stands at the head of the queue."""
    monkeypatch.setattr(settlement, "LEGS_PER_TRANSACTION", 2)
    acme = stage.join("Acme", plan="answered_minutes", document=ring(FRONT_DESK))
    stage.person(FRONT_DESK, talks=83)

    def script(callback: Callback) -> list[float]:
        return [1_000.0 if callback.kind == "leg" else 0.0]

    stage.carrier.faults = Faults(script=script)
    try:
        for _ in range(2):
            stage.ring(acme.e164, seconds=95)
        stage.carrier.faults = Faults()
        told = stage.ring(acme.e164, seconds=95)
        assert stage.settle() == 2
        charged = {leg.call_sid for leg in stage.rows(LegRow, acme.scope) if leg.charge_micros}
        assert charged == {told}
        stage.carrier.run_until_idle()
    finally:
        stage.carrier.faults = Faults()
    settled(stage)
    assert stage.balance(acme.scope) == 50_000_000 - 3 * 69_166
    stage.prove_ledger()


def test_a_leg_of_which_nothing_was_told_is_found_and_charged(stage: World) -> None:
    """Every callback of the winner is lost: the sweep asks the carrier who else was on the call."""
    acme = stage.join("Acme", document=ring(FRONT_DESK))
    stage.person(FRONT_DESK, talks=83)
    stage.carrier.faults = Faults(script=lambda c: [] if c.kind == "leg" else [0.0])
    try:
        stage.call(acme.e164)
    finally:
        stage.carrier.faults = Faults()
    assert [leg.kind for leg in stage.rows(LegRow, acme.scope)] == ["inbound"]
    settled(stage)
    assert stage.balance(acme.scope) == 50_000_000 - 2 * 69_166
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.won_leg_sid is not None


# Everything once more.


def test_a8_a_days_requests_sent_again_change_nothing(stage: World) -> None:
    """Captured, shuffled by nobody, replayed an hour later, three times: same rows, same money."""
    seen = stage.poster.seen
    start = len(seen)
    acme = stage.join("Acme", document=ROTA)
    for number in range(8):
        stage.nobody(*(FRONT_DESK, MOBILE)[: number % 3])
        stage.person(WAREHOUSE, talks=10 + number)
        stage.call(acme.e164)
        stage.person(FRONT_DESK), stage.person(MOBILE)
    settled(stage)
    requests = [r for r in seen[start:] if r.url.startswith("http://gateway.test/webhooks")]
    assert len(requests) > 80
    tables = (CallRow, LegRow, PostingRow, ReceiptRow, RecordingRow)
    before = {table: stage.rows(table, acme.scope) for table in tables}
    digest = stage.ledger_digest(acme.scope)
    stage.carrier.run_for(3_600)
    for order in (requests, requests[::-1], requests):
        for request in order:
            assert stage.poster(request).status in (200, 204)
        settled(stage)
    assert stage.ledger_digest(acme.scope) == digest
    for table in tables:
        assert stage.rows(table, acme.scope) == before[table], table.__tablename__
    stage.prove_ledger()


def test_a6_a_call_of_which_nothing_arrived_is_found_in_the_carriers_list(stage: World) -> None:
    """Our web processes were away from its first webhook to its last callback."""
    acme = stage.join("Acme", document=ring(FRONT_DESK))
    stage.person(FRONT_DESK, talks=83)
    real = stage.carrier.poster

    def away(request: Request) -> Reply:
        if "/voice" in request.url:
            return real(request)  # the phones ring, and then the answer to it is all we lost
        return Reply(0, error_code=11205)

    stage.carrier.poster = stage.carrier.exchange.poster = away
    stage.carrier.courier._poster = away
    try:
        call_sid = stage.call(acme.e164)
    finally:
        stage.carrier.poster = stage.carrier.exchange.poster = real
        stage.carrier.courier._poster = real
    with stage.units.begin() as uow:  # as if the transaction of that one had been lost as well
        for table in ("leg", "call"):
            uow.connection.exec_driver_sql(f"delete from {table} where call_sid = '{call_sid}'")
    assert stage.settle() == 0
    for _ in range(2):  # found, then asked for its legs
        settled(stage)
    (call,) = stage.rows(CallRow, acme.scope)
    assert (call.call_sid, call.status, call.check_at) == (call_sid, "completed", None)
    assert stage.balance(acme.scope) == 50_000_000 - 2 * 69_166
    settled(stage)
    assert stage.balance(acme.scope) == 50_000_000 - 2 * 69_166
    stage.prove_ledger()
