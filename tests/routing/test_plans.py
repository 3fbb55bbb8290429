import copy
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.patterns import PATTERNS
from routing.plans import (
    DEPTH_MAX,
    PLAN_SCHEMA,
    STEPS_MAX,
    PlanInvalid,
    find_step,
    load_plan,
    parse_plan,
    plan_targets,
    to_document,
    walk,
    warnings,
)
from tests.routing.cast import (
    BUSY,
    FRONT_DESK,
    MOBILE,
    TRACKING,
    VOICEMAIL,
    acme,
    phone,
    plan,
    ring,
    say,
)
from tests.routing.documents import documents

HOURS = {
    "pattern": "hours",
    "time_zone": "America/New_York",
    "open": [{"days": ["mon", "fri"], "from": "09:00", "to": "17:00"}],
    "holidays": "US-NY",
    "then": ring(),
    "otherwise": VOICEMAIL,
}
GEOGRAPHIC = {
    "pattern": "geographic",
    "rules": [
        {"countries": ["CA"], "then": ring()},
        {"states": ["CA", "NV"], "then": ring(phone(MOBILE))},
        {"area_codes": ["212"], "then": say("Hello, New York.")},
        {"postal_codes": ["941"], "then": BUSY},
    ],
    "otherwise": VOICEMAIL,
}
NEAREST = {
    "pattern": "nearest",
    "offices": [{"postal_code": "94105", "country": "US", "then": ring()}],
    "otherwise": VOICEMAIL,
}
CONTRACT = [
    pytest.param(
        {
            "pattern": "simultaneous",
            "targets": [
                {"type": "number", "address": "+14155550101"},
                {"type": "client", "address": "alice"},
            ],
            "otherwise": VOICEMAIL,
        },
        id="S3-14 simultaneous",
    ),
    pytest.param(ring(phone(), phone(MOBILE), pattern="sequential"), id="S3-15 sequential"),
    pytest.param(GEOGRAPHIC, id="S3-16 geographic"),
    pytest.param(NEAREST, id="nearest"),
    pytest.param(HOURS, id="hours"),
    pytest.param(VOICEMAIL, id="voicemail"),
    pytest.param(
        {"pattern": "say", "text": "Closed.", "then": VOICEMAIL}, id="say, then voicemail"
    ),
    pytest.param(BUSY, id="reject as busy"),
]


def mistakes(document, **context):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(document, acme(**context))
    return {(error.path, error.code): error.message for error in refused.value.errors}


def nested(depth):
    step = dict(VOICEMAIL)
    for _ in range(depth - 1):
        step = {"pattern": "say", "text": "On we go.", "then": step}
    return step


@pytest.mark.parametrize("document", CONTRACT)
def test_every_pattern_of_the_contract_is_read_and_written_back(document):
    read = plan(document)
    assert to_document(read) == document
    assert load_plan(document) == read


@pytest.mark.parametrize("document", CONTRACT)
def test_the_published_schema_agrees_with_the_reader(document):
    jsonschema.validate(document, PLAN_SCHEMA)


def test_the_schema_is_a_valid_schema_and_names_every_pattern():
    jsonschema.Draft202012Validator.check_schema(PLAN_SCHEMA)
    titles = [one["title"] for one in PLAN_SCHEMA["$defs"]["step"]["oneOf"]]
    assert titles == list(PATTERNS)


def test_numbers_are_stored_as_e164_however_they_were_typed():
    read = plan(ring(phone("(415) 555-0101"), {"type": "sip", "address": "desk@pbx.example.com"}))
    assert [(path, target.address) for path, target in plan_targets(read)] == [
        ("/targets/0", FRONT_DESK),
        ("/targets/1", "sip:desk@pbx.example.com"),
    ]


def target_list(*targets):
    return {"pattern": "simultaneous", "targets": list(targets)}


@pytest.mark.parametrize(
    "document, path, code",
    [
        pytest.param(
            {"pattern": "teleport"}, "/pattern", "unknown_pattern", id="S3-11 unknown pattern"
        ),
        pytest.param(
            {"pattern": ["say"]}, "/pattern", "unknown_pattern", id="S3-11 a list as pattern"
        ),
        pytest.param({"targets": []}, "/pattern", "unknown_pattern", id="S3-11 no pattern"),
        pytest.param([], "", "not_a_step", id="a list is no plan"),
        pytest.param(None, "", "not_a_step", id="nothing is no plan"),
        pytest.param({}, "", "empty_branch", id="an empty plan"),
        pytest.param(ring(otherwise={}), "/otherwise", "empty_branch", id="an empty branch"),
        pytest.param(target_list(), "/targets", "empty_targets", id="S3-10 nobody to ring"),
        pytest.param({"pattern": "sequential"}, "/targets", "empty_targets", id="S3-10 no targets"),
        pytest.param(
            target_list(*[phone()] * 11), "/targets", "too_many_targets", id="S3-10 eleven at once"
        ),
        pytest.param(
            ring(otherwise=target_list(phone("123"))),
            "/otherwise/targets/0/address",
            "invalid_number",
            id="S3-10 a bad number deep inside",
        ),
        pytest.param(target_list("bob"), "/targets/0", "not_a_target", id="a target that is text"),
        pytest.param(
            target_list({"type": "fax", "address": "1"}),
            "/targets/0/type",
            "unknown_type",
            id="S3-13 a fax machine",
        ),
        pytest.param(
            target_list({"type": "number"}), "/targets/0/address", "empty", id="S3-13 no address"
        ),
        pytest.param(
            target_list({"type": "sip", "address": "sip:no host"}),
            "/targets/0/address",
            "invalid_sip",
            id="S3-13 a SIP address without a host",
        ),
        pytest.param(
            target_list({"type": "client", "address": "al ice"}),
            "/targets/0/address",
            "invalid_client",
            id="S3-13 a softphone with a blank",
        ),
        pytest.param(
            target_list(phone(TRACKING)),
            "/targets/0/address",
            "loop",
            id="a loop through our number",
        ),
        pytest.param(
            target_list(phone("+19005550101")),
            "/targets/0/address",
            "not_dialable",
            id="S3-12 a premium destination",
        ),
        pytest.param(
            target_list(phone("+881612345678")),
            "/targets/0/address",
            "not_dialable",
            id="S3-12 a satellite network",
        ),
        pytest.param(
            target_list(phone("+442079460000")),
            "/targets/0/address",
            "country_not_allowed",
            id="S3-12 a country that is not enabled",
        ),
        pytest.param(
            target_list(phone("+18765550101")),
            "/targets/0/address",
            "country_not_allowed",
            id="S3-12 Jamaica is +1 and not the US",
        ),
        pytest.param(
            target_list(phone(ring_seconds=4)),
            "/targets/0/ring_seconds",
            "out_of_range",
            id="rings 4 s",
        ),
        pytest.param(
            target_list(phone(ring_seconds=601)),
            "/targets/0/ring_seconds",
            "out_of_range",
            id="rings 601 s",
        ),
        pytest.param(
            target_list(phone(ring_seconds=True)),
            "/targets/0/ring_seconds",
            "out_of_range",
            id="true is no time",
        ),
        pytest.param(
            target_list(phone(ring_seconds=20.5)),
            "/targets/0/ring_seconds",
            "out_of_range",
            id="half a second",
        ),
        pytest.param(
            target_list(phone(weight=0)), "/targets/0/weight", "out_of_range", id="no weight"
        ),
        pytest.param(
            target_list(phone(whisper="x" * 501)),
            "/targets/0/whisper",
            "too_long",
            id="a long whisper",
        ),
        pytest.param(
            target_list(phone(confirm="yes")),
            "/targets/0/confirm",
            "not_a_choice",
            id="yes as text",
        ),
        pytest.param(
            target_list(phone(ring_second=20)),
            "/targets/0/ring_second",
            "unknown_field",
            id="a misspelt field",
        ),
        pytest.param(
            {"pattern": "geographic", "rules": [{"then": BUSY}]},
            "/rules/0",
            "no_criteria",
            id="S3-16 a rule without a place",
        ),
        pytest.param(
            {"pattern": "geographic", "rules": []}, "/rules", "empty", id="S3-16 no rules"
        ),
        pytest.param(
            {"pattern": "geographic", "rules": [{"states": ["XX"], "then": BUSY}]},
            "/rules/0/states/0",
            "unknown_place",
            id="S3-16 no such state",
        ),
        pytest.param(
            {"pattern": "geographic", "rules": [{"countries": ["USA"], "then": BUSY}]},
            "/rules/0/countries/0",
            "unknown_place",
            id="S3-16 three letters of a country",
        ),
        pytest.param(
            {"pattern": "geographic", "rules": [{"area_codes": [212], "then": BUSY}]},
            "/rules/0/area_codes/0",
            "unknown_place",
            id="S3-16 an area code as a number",
        ),
        pytest.param(
            {"pattern": "geographic", "rules": [{"states": ["NV"]}]},
            "/rules/0/then",
            "empty_branch",
            id="S3-16 a rule that leads nowhere",
        ),
        pytest.param(
            {"pattern": "nearest", "offices": [{"postal_code": "00000", "then": BUSY}]},
            "/offices/0/postal_code",
            "unknown_postal_code",
            id="an office nowhere",
        ),
        pytest.param(
            {
                "pattern": "nearest",
                "offices": [{"postal_code": "SW1A", "country": "GB", "then": BUSY}],
            },
            "/offices/0/country",
            "unknown_country",
            id="an office in London",
        ),
        pytest.param(
            {**HOURS, "time_zone": "America/Gotham"},
            "/time_zone",
            "unknown_time_zone",
            id="a zone in no atlas",
        ),
        pytest.param(
            {**HOURS, "holidays": "US-ZZ"},
            "/holidays",
            "unknown_holidays",
            id="an unknown calendar",
        ),
        pytest.param({**HOURS, "then": None}, "/then", "empty_branch", id="open, and then nothing"),
        pytest.param(VOICEMAIL | {"say": " "}, "/say", "empty", id="a silent voicemail"),
        pytest.param(say("beep\x00"), "/text", "bad_characters", id="a NUL in a text"),
        pytest.param(say("\ud800"), "/text", "bad_characters", id="half a surrogate in a text"),
        pytest.param(say("x" * 1001), "/text", "too_long", id="a speech"),
        pytest.param(
            {"pattern": "reject", "reason": "no"}, "/reason", "unknown_reason", id="no reason"
        ),
        pytest.param(
            VOICEMAIL | {"a/b~c": 1}, "/a~1b~0c", "unknown_field", id="a name that needs escaping"
        ),
    ],
)
def test_a_plan_that_would_fail_is_refused_with_the_path_of_the_field(document, path, code):
    found = mistakes(document)
    assert (path, code) in found
    assert found[path, code].endswith((".", "?"))


@pytest.mark.parametrize(
    "span, path",
    [
        pytest.param(
            {"days": ["mon"], "from": "9:00", "to": "17:00"}, "/from", id="9:00 without 0"
        ),
        pytest.param({"days": ["mon"], "from": "09:00", "to": "25:00"}, "/to", id="25 o'clock"),
        pytest.param({"days": ["mon"], "from": "24:00", "to": "17:00"}, "/from", id="from 24:00"),
        pytest.param({"days": ["mon"], "from": "09:00", "to": "09:00"}, "/to", id="no time at all"),
        pytest.param(
            {"days": ["mon"], "from": "\N{ARABIC-INDIC DIGIT ZERO}9:00", "to": "17:00"},
            "/from",
            id="foreign digits",
        ),
        pytest.param({"days": [], "from": "09:00", "to": "17:00"}, "/days", id="no days"),
        pytest.param({"days": ["monday"], "from": "09:00", "to": "17:00"}, "/days/0", id="monday"),
    ],
)
def test_opening_hours_are_checked_field_by_field(span, path):
    assert f"/open/0{path}" in {where for where, _ in mistakes({**HOURS, "open": [span]})}


def test_all_mistakes_are_reported_at_once():
    found = mistakes(
        {
            "pattern": "hours",
            "time_zone": "Mars",
            "open": [{"days": ["mon"], "from": "9", "to": "17:00"}],
            "then": target_list(phone("123"), phone(TRACKING)),
            "otherwise": {"pattern": "teleport"},
        }
    )
    assert [path for path, _ in found] == [
        "/open/0/from",
        "/time_zone",
        "/then/targets/0/address",
        "/then/targets/1/address",
        "/otherwise/pattern",
    ]


def test_an_unknown_pattern_is_answered_with_the_known_ones():
    message = mistakes({"pattern": "teleport"})["/pattern", "unknown_pattern"]
    assert all(name in message for name in PATTERNS)


def test_s3_12_a_destination_without_a_rate_is_refused_when_the_plan_is_saved():
    document = target_list(phone(), {"type": "client", "address": "alice"})
    found = mistakes(document, has_rate=lambda kind, address: kind == "client")
    assert set(found) == {("/targets/0/address", "no_rate")}


def test_s3_12_a_country_is_dialled_once_it_is_enabled():
    parse_plan(ring(phone("+442079460000")), acme(allowed_countries=frozenset({"GB"})))


def test_s3_10_ten_phones_may_ring_together():
    assert len(list(plan_targets(plan(ring(*[phone()] * 10))))) == 10


@pytest.mark.parametrize("depth", [DEPTH_MAX, DEPTH_MAX + 1, 500])
def test_plans_nest_so_deep_and_no_deeper(depth):
    if depth <= DEPTH_MAX:
        assert len(list(walk(plan(nested(depth))))) == depth
    else:
        assert ("/then" * DEPTH_MAX, "too_deep") in mistakes(nested(depth))


def test_a_plan_has_so_many_steps_and_no_more():
    rules = [{"area_codes": ["212"], "then": VOICEMAIL} for _ in range(100)]
    wide = {"pattern": "geographic", "rules": rules}
    twice = {"pattern": "geographic", "rules": [{"states": ["NV"], "then": wide}] * 3}
    assert STEPS_MAX == 200
    assert [code for _, code in mistakes(twice)] == ["too_many_steps"]


def test_s3_15_nobody_is_kept_ringing_for_more_than_half_an_hour():
    patient = [phone(ring_seconds=600)] * 3
    assert plan(ring(*patient, pattern="sequential"))
    found = mistakes(ring(*patient, pattern="sequential", otherwise=ring()))
    assert set(found) == {("/otherwise/targets", "rings_too_long")}


@pytest.mark.parametrize(
    "document, path, code",
    [
        pytest.param(ring(), "/otherwise", "no_ending", id="nobody answers, and then?"),
        pytest.param(
            ring(phone(ring_seconds=10), phone(MOBILE, ring_seconds=30), otherwise=VOICEMAIL),
            "/targets",
            "ring_seconds_differ",
            id="together means equally long",
        ),
        pytest.param(
            ring(phone(), phone(), otherwise=VOICEMAIL),
            "/targets/1/address",
            "same_phone_twice",
            id="one phone twice in a group",
        ),
        pytest.param(
            ring(otherwise=BUSY), "/otherwise", "reject_too_late", id="refused after ringing"
        ),
        pytest.param(
            {
                "pattern": "geographic",
                "rules": [{"area_codes": ["999"], "then": BUSY}],
                "otherwise": BUSY,
            },
            "/rules/0/area_codes/0",
            "unknown_area_code",
            id="S3-16 an area code nobody has",
        ),
    ],
)
def test_what_works_but_may_surprise_is_noted(document, path, code):
    assert [(note.path, note.code) for note in warnings(plan(document))] == [(path, code)]


def test_a_complete_plan_has_nothing_to_note():
    assert warnings(plan(ring(otherwise=VOICEMAIL))) == ()
    assert warnings(plan(HOURS | {"then": BUSY})) == ()


@settings(max_examples=60, deadline=None)
@given(documents)
def test_a_plan_survives_being_written_down(document):
    before = copy.deepcopy(document)
    read = plan(document)
    written = json.loads(json.dumps(to_document(read)))
    assert load_plan(written) == plan(written) == read
    assert to_document(load_plan(written)) == written
    schema = jsonschema.Draft202012Validator(PLAN_SCHEMA)
    schema.validate(document)
    schema.validate(written)
    assert document == before, "reading must not change what was read"


@settings(max_examples=60, deadline=None)
@given(documents)
def test_every_step_is_found_by_its_own_path(document):
    read = plan(document)
    for path, step in walk(read):
        assert find_step(read, path) == step
    assert find_step(read, "/nowhere") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "pattern",
                    "targets",
                    "otherwise",
                    "then",
                    "rules",
                    "open",
                    "say",
                    "type",
                    "address",
                ]
            )
            | st.text(max_size=3),
            inner | st.sampled_from([*PATTERNS, "number", "sip"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_no_json_breaks_the_reader(value):
    for read in (plan, load_plan):
        try:
            read(value)
        except PlanInvalid as refused:
            assert refused.errors


@settings(max_examples=80, deadline=None)
@given(documents, st.data())
def test_one_spoilt_field_is_refused_or_still_a_plan(document, data):
    spot = document
    while True:
        key = data.draw(
            st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot)))
        )
        if not isinstance(spot[key], (dict, list)) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    spot[key] = data.draw(json_values)
    try:
        read = plan(document)
    except PlanInvalid as refused:
        assert all(error.message and error.code for error in refused.errors)
    else:
        assert load_plan(to_document(read)) == read
