from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.decisions import (
    Dial,
    Hangup,
    Reject,
    Say,
    Voicemail,
    after_dial,
    decide,
    foresee,
    parse_cursor,
    target_at,
)
from routing.facts import CallFacts
from routing.patterns.geographic import GeographicStep
from routing.plans import find_step, plan_targets
from routing.speech import SORRY
from tests.routing.cast import (
    BUSY,
    FRONT_DESK,
    LONDONER,
    MOBILE,
    MONDAY_NOON_NEW_YORK,
    NEVADAN,
    SUNDAY_NOON_NEW_YORK,
    TRACKING,
    VOICEMAIL,
    call_from,
    phone,
    plan,
    ring,
    say,
)
from tests.routing.documents import documents

NOON = MONDAY_NOON_NEW_YORK


def spoken(decision):
    """What the caller hears first: tells branches apart."""
    return [act.text for act in decision.acts if isinstance(act, Say)][:1]


def rung(decision):
    return [target.address for target in decision.dial.targets] if decision.dial else []


def words(decision):
    return [line.words for line in decision.trace]


def test_s3_14_phones_ring_together_and_the_carrier_gets_one_dial():
    together = plan(
        ring(
            phone(),
            {"type": "client", "address": "alice"},
            {"type": "sip", "address": "sip:desk@pbx.example.com"},
            otherwise=VOICEMAIL,
        )
    )
    decision = decide(together, call_from(NEVADAN), NOON)
    assert rung(decision) == [FRONT_DESK, "alice", "sip:desk@pbx.example.com"]
    assert decision.acts == (
        Dial(
            targets=tuple(target for _, target in plan_targets(together)),
            indexes=(0, 1, 2),
            ring_seconds=20,
            position="!0",
            cursor="!1",
            time_limit_seconds=14_400,
            caller_id=None,
        ),
    )


def test_together_means_as_long_as_the_most_patient():
    decision = decide(
        plan(ring(phone(ring_seconds=10), phone(MOBILE, ring_seconds=45))), call_from(NEVADAN), NOON
    )
    assert decision.dial is not None and decision.dial.ring_seconds == 45


def test_s3_15_phones_ring_in_order_each_for_its_own_time():
    queue = plan(
        ring(
            phone(ring_seconds=10),
            phone(MOBILE, ring_seconds=30),
            pattern="sequential",
            otherwise=VOICEMAIL,
        )
    )
    first, second, last = foresee(queue, call_from(NEVADAN), NOON, lambda target: False)
    assert (rung(first), first.dial.ring_seconds) == ([FRONT_DESK], 10)
    assert (rung(second), second.dial.ring_seconds) == ([MOBILE], 30)
    assert last.acts == (Voicemail("Please leave a message.", "/otherwise!0"),)


def test_s3_15_whoever_answers_ends_the_sequence():
    queue = plan(ring(phone(), phone(MOBILE), pattern="sequential", otherwise=VOICEMAIL))
    decisions = foresee(queue, call_from(NEVADAN), NOON, lambda target: target.address == MOBILE)
    assert [rung(decision) for decision in decisions] == [[FRONT_DESK], [MOBILE], []]
    assert decisions[-1].acts == (Hangup(),)


@pytest.mark.parametrize(
    "status, bridged, goes_on",
    [
        pytest.param("completed", True, False, id="they talked"),
        pytest.param("completed", None, False, id="they talked, says an older carrier"),
        pytest.param("completed", False, True, id="S3-14 answered the whisper and declined"),
        pytest.param("no-answer", False, True, id="S3-15 nobody answered"),
        pytest.param("busy", False, True, id="S3-15 busy gives way at once"),
        pytest.param("failed", None, True, id="S3-15 failed gives way at once"),
        pytest.param("canceled", False, True, id="the dial was canceled"),
        pytest.param("future-status", None, True, id="a status we do not know is not a talk"),
    ],
)
def test_what_happens_after_a_dial(status, bridged, goes_on):
    read = plan(ring(otherwise=VOICEMAIL))
    decision = after_dial(read, call_from(NEVADAN), NOON, "!1", status, bridged)
    assert isinstance(decision.acts[0], Voicemail if goes_on else Hangup)


def test_s3_15_a_caller_who_hung_up_stops_the_sequence():
    queue = plan(ring(phone(), phone(MOBILE), pattern="sequential"))
    gone = after_dial(queue, call_from(NEVADAN), NOON, "!1", "no-answer", False, caller_gone=True)
    assert gone.acts == (Hangup(),)
    assert words(gone) == ["The caller hung up."]


def test_s4_14_a_plan_without_an_ending_apologises():
    decision = after_dial(plan(ring()), call_from(NEVADAN), NOON, "!1", "no-answer", False)
    assert decision.acts == (Say(SORRY), Hangup())


def test_a_text_that_ends_the_plan_is_not_followed_by_an_apology():
    assert decide(plan(say("Closed.")), call_from(NEVADAN), NOON).acts == (Say("Closed."), Hangup())


def test_texts_are_said_on_the_way_to_the_phones():
    read = plan({"pattern": "say", "text": "Welcome.", "then": ring()})
    said, dialled = decide(read, call_from(NEVADAN), NOON).acts
    assert said == Say("Welcome.") and isinstance(dialled, Dial)


def test_a_refusal_is_unbilled_when_it_comes_first():
    assert decide(plan(BUSY), call_from(NEVADAN), NOON).acts == (Reject("busy"),)


@pytest.mark.parametrize(
    "document, cursor",
    [
        pytest.param({"pattern": "say", "text": "Hello.", "then": BUSY}, "", id="after a text"),
        pytest.param(ring(otherwise=BUSY), "!1", id="after ringing"),
    ],
)
def test_a_refusal_that_comes_too_late_just_ends_the_call(document, cursor):
    acts = decide(plan(document), call_from(NEVADAN), NOON, cursor).acts
    assert acts[-1] == Hangup() and not any(isinstance(act, Reject) for act in acts)


OVERLAPPING = {
    "pattern": "geographic",
    "rules": [
        {"countries": ["US"], "then": say("country")},
        {"states": ["CA", "NV"], "then": say("state")},
        {"states": ["CA"], "then": say("later state")},
        {"area_codes": ["415", "702"], "then": say("area code")},
        {"postal_codes": ["9"], "then": say("postal 9")},
        {"postal_codes": ["941"], "then": say("postal 941")},
        {"postal_codes": ["94105"], "then": say("postal 94105")},
    ],
    "otherwise": say("otherwise"),
}


@pytest.mark.parametrize(
    "caller, facts, heard",
    [
        pytest.param("+12125550101", {}, "country", id="S3-16 New York: only the country"),
        pytest.param("+12135550101", {}, "state", id="S3-16 Los Angeles: the state, first rule"),
        pytest.param("+14155550101", {}, "area code", id="S3-16 415: the area code"),
        pytest.param(
            "+14155550101",
            {"postal_code": "90001"},
            "postal 9",
            id="S3-16 a ZIP beats the area code",
        ),
        pytest.param(
            "+14155550101", {"postal_code": "94110"}, "postal 941", id="S3-16 a longer ZIP wins"
        ),
        pytest.param(
            "+14155550101", {"postal_code": "94105"}, "postal 94105", id="S3-16 the whole ZIP wins"
        ),
        pytest.param(LONDONER, {}, "otherwise", id="S3-16 a foreign caller"),
        pytest.param(
            LONDONER,
            {"country": "GB", "postal_code": "941"},
            "otherwise",
            id="S3-16 foreign digits",
        ),
        pytest.param("+18765550101", {}, "otherwise", id="S3-16 Jamaica is not the US"),
        pytest.param(None, {}, "otherwise", id="S3-16 a withheld caller"),
        pytest.param(
            None, {"country": "US", "state": "CA"}, "otherwise", id="S3-16 withheld, with a state"
        ),
        pytest.param(
            "+12125550101",
            {"state": "NV"},
            "state",
            id="S3-16 the carrier's state beats the number",
        ),
    ],
)
def test_the_most_specific_place_wins(caller, facts, heard):
    assert spoken(decide(plan(OVERLAPPING), call_from(caller, **facts), NOON)) == [heard]


def test_the_trace_says_why_in_plain_words():
    lines = decide(plan(OVERLAPPING), call_from(NEVADAN), NOON).trace
    assert lines[0].words == "Caller is in Nevada, United States, area code 702: rule 4 matches."
    assert (lines[0].path, lines[1].path) == ("", "/rules/3/then")


rule_orders = st.permutations(
    [rule for rule in OVERLAPPING["rules"] if rule["then"]["text"] != "later state"]
)


@settings(max_examples=40, deadline=None)
@given(rule_orders, st.sampled_from(["+14155550101", NEVADAN, "+12125550101", LONDONER, None]))
def test_s3_16_rules_of_different_precision_may_stand_in_any_order(rules, caller):
    shuffled = plan({**OVERLAPPING, "rules": list(rules)})
    facts = call_from(caller)
    assert spoken(decide(shuffled, facts, NOON)) == spoken(decide(plan(OVERLAPPING), facts, NOON))


OFFICES = {
    "pattern": "nearest",
    "offices": [
        {"postal_code": "94105", "country": "US", "then": say("San Francisco")},
        {"postal_code": "10001", "country": "US", "then": say("New York")},
        {"postal_code": "M5V 2T6", "country": "CA", "then": say("Toronto")},
    ],
    "otherwise": say("headquarters"),
}


@pytest.mark.parametrize(
    "caller, facts, office",
    [
        pytest.param(NEVADAN, {}, "San Francisco", id="Las Vegas is nearer to San Francisco"),
        pytest.param("+16175550101", {}, "New York", id="Boston is nearer to New York"),
        pytest.param("+14165550101", {}, "Toronto", id="Toronto is in Toronto"),
        pytest.param(NEVADAN, {"postal_code": "10001", "state": "NY"}, "New York", id="ZIP first"),
        pytest.param(LONDONER, {}, "headquarters", id="S3-16 a foreign caller"),
        pytest.param(None, {}, "headquarters", id="S3-16 a withheld caller"),
        pytest.param("+18005550101", {}, "headquarters", id="toll-free is nowhere"),
    ],
)
def test_the_nearest_office_answers(caller, facts, office):
    assert spoken(decide(plan(OFFICES), call_from(caller, **facts), NOON)) == [office]


HOURS = {
    "pattern": "hours",
    "time_zone": "America/New_York",
    "open": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
    "holidays": "US",
    "then": ring(otherwise=say("Open, but nobody is in.")),
    "otherwise": say("Closed."),
}


def test_the_clock_chooses_the_branch():
    hours = plan(HOURS)
    assert rung(decide(hours, call_from(NEVADAN), NOON)) == [FRONT_DESK]
    assert spoken(decide(hours, call_from(NEVADAN), SUNDAY_NOON_NEW_YORK)) == ["Closed."]
    christmas = datetime(2026, 12, 25, 17, 0, tzinfo=UTC)
    closed = decide(hours, call_from(NEVADAN), christmas)
    assert words(closed)[0] == "It is Friday 12:00 in New York, Christmas Day: closed."


def test_a_branch_once_chosen_is_kept_when_the_office_closes_meanwhile():
    hours = plan(HOURS)
    before_five = datetime(2026, 7, 6, 20, 59, 50, tzinfo=UTC)
    after_five = datetime(2026, 7, 6, 21, 0, 15, tzinfo=UTC)
    dial = decide(hours, call_from(NEVADAN), before_five).dial
    assert dial is not None and dial.cursor == "/then!1"
    went_on = after_dial(hours, call_from(NEVADAN), after_five, dial.cursor, "no-answer", False)
    assert spoken(went_on) == ["Open, but nobody is in."]


def test_a_number_that_became_ours_is_skipped_at_call_time():
    read = plan(ring(phone(), phone(MOBILE), otherwise=VOICEMAIL))
    decision = decide(read, call_from(NEVADAN), NOON, own_numbers=frozenset({FRONT_DESK}))
    assert rung(decision) == [MOBILE]
    assert decision.dial is not None and decision.dial.indexes == (1,)
    assert decision.trace[0].path == "/targets/0"
    assert "our own number" in decision.trace[0].words


@pytest.mark.parametrize("pattern", ["simultaneous", "sequential"])
def test_a_plan_of_nothing_but_loops_goes_on_to_what_comes_next(pattern):
    read = plan(ring(phone(), phone(MOBILE), pattern=pattern, otherwise=VOICEMAIL))
    own = frozenset({FRONT_DESK, MOBILE})
    (only,) = foresee(read, call_from(NEVADAN), NOON, lambda target: True, own_numbers=own)
    assert isinstance(only.acts[0], Voicemail)


@pytest.mark.parametrize(
    "caller, ours, shown",
    [
        pytest.param(NEVADAN, None, None, id="the caller's number is shown"),
        pytest.param(None, None, TRACKING, id="a withheld caller shows the tracking number"),
        pytest.param(NEVADAN, TRACKING, TRACKING, id="the account shows its own number"),
    ],
)
def test_which_number_the_phone_shows(caller, ours, shown):
    decision = decide(plan(ring()), call_from(caller), NOON, caller_id=ours)
    assert decision.dial is not None and decision.dial.caller_id == shown


def test_a_balance_that_lasts_two_minutes_limits_the_dial_to_them():
    decision = decide(plan(ring()), call_from(NEVADAN), NOON, time_limit_seconds=120)
    assert decision.dial is not None and decision.dial.time_limit_seconds == 120


@pytest.mark.parametrize(
    "cursor",
    [
        "/gone!0",
        "garbage",
        "!",
        "!-1",
        "/otherwise",
        "/otherwise!x",
        "/otherwise!99999",
        "/a!b!0",
        "%",
    ],
)
def test_a_cursor_of_another_plan_ends_the_call_politely(cursor):
    decision = decide(plan(ring()), call_from(NEVADAN), NOON, cursor)
    assert decision.acts == (Say(SORRY), Hangup())


@pytest.mark.parametrize(
    "cursor, place",
    [
        ("!0", ("", 0)),
        ("/otherwise!1", ("/otherwise", 1)),
        ("/rules/0/then!2", ("/rules/0/then", 2)),
    ],
)
def test_a_cursor_is_a_step_and_a_round(cursor, place):
    assert parse_cursor(cursor) == place


def test_a_legs_url_names_one_phone_of_the_plan():
    queue = plan(ring(otherwise=ring(phone(), phone(MOBILE), pattern="sequential")))
    found = target_at(queue, "/otherwise!1", 1)
    assert found is not None and found.address == MOBILE
    assert target_at(queue, "/otherwise!1", 2) is None
    assert target_at(queue, "/nowhere!0", 0) is None
    assert target_at(queue, "", 0) is None


callers = st.sampled_from([NEVADAN, "+14155550101", "+14165550101", "+18005550101", LONDONER, None])
instants = st.datetimes(
    datetime.fromisoformat("2026-01-01"),
    datetime.fromisoformat("2027-01-01"),
    timezones=st.just(UTC),
)
facts_of_any_call = st.builds(
    CallFacts,
    call_sid=st.just("CA1"),
    caller=callers,
    called=st.just(TRACKING),
    country=st.sampled_from(["", "US", "CA", "GB", "us", "?!"]),
    state=st.sampled_from(["", "CA", "NV", "ON", "Nevada"]),
    postal_code=st.sampled_from(["", "94105", "M5V 2T6", "SW1A 1AA"]),
)


@settings(max_examples=100, deadline=None)
@given(documents, facts_of_any_call, instants, st.sets(st.sampled_from([FRONT_DESK, MOBILE])))
def test_every_call_comes_to_an_end_and_says_how(document, facts, now, own):
    read = plan(document)
    decisions = foresee(read, facts, now, lambda target: False, own_numbers=frozenset(own))
    *waiting, last = decisions
    assert all(decision.dial for decision in waiting)
    assert isinstance(last.acts[-1], Hangup | Voicemail | Reject)
    assert len(waiting) <= len(list(plan_targets(read)))
    for i, decision in enumerate(decisions):
        assert decision.trace
        assert not any(isinstance(act, Reject) for act in decision.acts) or (
            i == 0 and len(decision.acts) == 1
        )
        if decision.dial:
            assert all(target.address not in own for target in decision.dial.targets)
            for index, target in zip(decision.dial.indexes, decision.dial.targets, strict=True):
                assert target_at(read, decision.dial.position, index) == target


@settings(max_examples=60, deadline=None)
@given(documents, facts_of_any_call, instants)
def test_the_same_call_is_decided_the_same_way_twice(document, facts, now):
    read = plan(document)
    assert decide(read, facts, now) == decide(read, facts, now)


@settings(max_examples=60, deadline=None)
@given(documents, facts_of_any_call, instants)
def test_a_talk_ends_the_call_wherever_it_took_place(document, facts, now):
    first, *rest = foresee(plan(document), facts, now, lambda target: True)
    assert bool(rest) == bool(first.dial)
    assert [decision.acts for decision in rest] in ([], [(Hangup(),)])


def test_specificity_is_read_from_the_step_that_decided():
    step = find_step(plan(ring(otherwise=OVERLAPPING)), "/otherwise")
    assert isinstance(step, GeographicStep) and len(step.rules) == 7
