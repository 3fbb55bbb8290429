"""The forwarding editor keeps a plan in form fields only, so nothing may get lost on the way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from gateway.web import plan_edit, plan_form
from routing.plans import load_plan
from routing.reading import PlanInvalid

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=20)
seconds = st.integers(5, 600)
targets = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "sip", "client"]), "address": texts},
    optional={
        "ring_seconds": seconds,
        "whisper": texts.filter(lambda text: bool(text.strip())),
        "confirm": st.just(True),
        "weight": st.integers(1, 100),
    },
)
words = st.lists(st.text("ABCDEFGHIJ0123456789", min_size=1, max_size=5), min_size=1, max_size=4)
endings = st.one_of(
    st.fixed_dictionaries({"pattern": st.just("voicemail"), "say": texts}),
    st.fixed_dictionaries({"pattern": st.just("reject"), "reason": st.just("busy")}),
)


def inner(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    opening = st.fixed_dictionaries(
        {
            "days": st.lists(st.sampled_from(["mon", "sat", "sun"]), unique=True),
            "from": st.just("09:00"),
            "to": st.just("24:00"),
        }
    )
    rule = st.fixed_dictionaries(
        {"then": steps}, optional={"states": words, "area_codes": words, "postal_codes": words}
    )
    choices = st.dictionaries(st.sampled_from("0123456789*#"), steps, min_size=1)
    return st.one_of(
        st.fixed_dictionaries(
            {
                "pattern": st.sampled_from(["simultaneous", "sequential"]),
                "targets": st.lists(targets, max_size=12),
            },
            optional={"otherwise": steps},
        ),
        st.fixed_dictionaries(
            {
                "pattern": st.just("hours"),
                "time_zone": st.just("America/New_York"),
                "open": st.lists(opening, max_size=3),
                "then": steps,
            },
            optional={"otherwise": steps},
        ),
        st.fixed_dictionaries(
            {"pattern": st.just("geographic"), "rules": st.lists(rule, max_size=3)},
            optional={"otherwise": steps},
        ),
        st.fixed_dictionaries({"pattern": st.just("menu"), "say": texts, "choices": choices}),
        st.fixed_dictionaries({"pattern": st.just("say"), "text": texts, "then": steps}),
    )


documents = st.recursive(endings, inner, max_leaves=8)


@given(documents)
def test_a_plan_survives_the_form_unchanged(document: dict[str, Any]) -> None:
    fields = MultiDict(plan_form.to_fields(document))
    assert plan_form.from_form(fields) == document


@pytest.mark.parametrize(
    "op, fields, expected",
    [
        pytest.param(
            "add:/targets",
            {"/pattern": "simultaneous", "list:/targets": ""},
            {"pattern": "simultaneous", "targets": [plan_edit.new_target()]},
            id="S3-10 the first phone is added to an empty list",
        ),
        pytest.param(
            "remove:/targets/0",
            {"/pattern": "sequential", "list:/targets": "", "/targets/0/address": "a"},
            {"pattern": "sequential", "targets": []},
            id="the last phone is removed and the list stays",
        ),
        pytest.param(
            "down:/targets/0",
            {"list:/targets": "", "/targets/0/address": "a", "/targets/1/address": "b"},
            {"targets": [{"address": "b"}, {"address": "a"}]},
            id="S3-15 the order of ringing is changed",
        ),
        pytest.param(
            "up:/targets/0",
            {"list:/targets": "", "/targets/0/address": "a", "/targets/1/address": "b"},
            {"targets": [{"address": "a"}, {"address": "b"}]},
            id="the first phone cannot go further up",
        ),
        pytest.param(
            "set:/otherwise",
            {"/pattern": "say", "/text": "Hi"},
            {"pattern": "say", "text": "Hi", "otherwise": plan_edit.new_step("voicemail")},
            id="a missing branch begins as a voicemail",
        ),
        pytest.param(
            "remove:/otherwise",
            {"/pattern": "say", "/text": "Hi", "/otherwise/pattern": "reject"},
            {"pattern": "say", "text": "Hi"},
            id="a branch is removed",
        ),
    ],
)
def test_a_button_of_the_editor_changes_the_plan(
    op: str, fields: dict[str, str], expected: dict[str, Any]
) -> None:
    document = plan_form.from_form(MultiDict(fields))
    assert plan_edit.apply(document, op, time_zone="UTC")[0] == expected


@pytest.mark.parametrize(
    "op", ["remove:/targets/9", "add:/pattern", "up:/", "drop:/targets", "remove:/targets/-1", ""]
)
def test_a_button_of_a_stale_page_changes_nothing(op: str) -> None:
    with pytest.raises(plan_edit.NoSuchPlace):
        plan_edit.apply({"pattern": "simultaneous", "targets": [{}]}, op, time_zone="UTC")


@given(documents, st.sampled_from(plan_edit.PATTERNS))
def test_every_pattern_can_become_every_other(document: dict[str, Any], pattern: str) -> None:
    changed = plan_edit.change_pattern(document, "", pattern, time_zone="UTC")
    assert changed["pattern"] == pattern
    assert plan_form.from_form(MultiDict(plan_form.to_fields(changed))) == changed


def test_opening_hours_put_around_a_plan_come_off_again_without_loss() -> None:
    plan = {
        "pattern": "sequential",
        "targets": [{"type": "number", "address": "+14155550101", "ring_seconds": 15}],
        "otherwise": {"pattern": "voicemail", "say": "Hello."},
    }
    wrapped = plan_edit.change_pattern(plan, "", "hours", time_zone="America/New_York")
    assert wrapped["then"] == plan
    assert wrapped["time_zone"] == "America/New_York"
    assert plan_edit.change_pattern(wrapped, "", "sequential", time_zone="UTC") == plan


def test_ringing_together_instead_of_in_turn_keeps_the_phones_and_what_follows() -> None:
    plan = {
        "pattern": "sequential",
        "targets": [{"type": "client", "address": "alice"}],
        "otherwise": {"pattern": "reject", "reason": "busy"},
    }
    changed = plan_edit.change_pattern(plan, "", "simultaneous", time_zone="UTC")
    assert changed == {**plan, "pattern": "simultaneous"}


@pytest.mark.parametrize("pattern", plan_edit.PATTERNS)
def test_a_fresh_step_lacks_only_what_people_must_say(pattern: str) -> None:
    try:
        load_plan(plan_edit.new_step(pattern, "UTC"))
    except PlanInvalid as invalid:
        assert {error.code for error in invalid.errors} <= {
            "empty",
            "no_criteria",
            "unknown_postal_code",
        }


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"/a": "1", "/a/b": "2"}, id="a value that is also a group"),
        pytest.param({"/a/b": "2", "/a": "1"}, id="a group that is also a value"),
        pytest.param({"/" + "a/" * 80: "1"}, id="80 levels"),
        pytest.param({"list:/targets": "", "/targets/x": "1"}, id="a list numbered x"),
        pytest.param({"list:/targets": "", "/targets/99999999": "1"}, id="a list of 99999999"),
        pytest.param({f"/a{n}": "1" for n in range(4000)}, id="4000 fields"),
    ],
)
def test_a_forged_form_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(plan_form.FormUnreadable):
        plan_form.from_form(MultiDict(fields))


def test_what_was_typed_wrongly_comes_back_as_it_was_typed() -> None:
    document = plan_form.from_form(
        MultiDict({"list:/targets": "", "/targets/0/ring_seconds": "soon"})
    )
    assert document == {"targets": [{"ring_seconds": "soon"}]}


def test_a_complaint_about_one_state_stands_at_the_box_of_states() -> None:
    found = plan_form.errors_by_field([("/rules/0/states/1", "unknown"), ("/targets", "empty")])
    assert found == {"/rules/0/states": ["unknown"], "/targets": ["empty"]}
