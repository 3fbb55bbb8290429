"""The forwarding editor over HTTP: nothing is stored before Publish, everything is explained."""

from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import forwarding, plans, renewals
from gateway.web import plan_form

NEW_PLAN = {
    "pattern": "sequential",
    "targets": [
        {"type": "number", "address": "(415) 555-0109", "ring_seconds": 15},
        {"type": "client", "address": "alice"},
    ],
    "otherwise": {"pattern": "voicemail", "say": "Speak."},
}


def submit(
    world: Any, browser: Any, plan: Any, op: str = "check", htmx: bool = False, **more: str
) -> Any:
    fields = [*plan_form.to_fields(plan), ("op", op), *more.items()]
    headers = {"HX-Request": "true"} if htmx else {}
    return browser.post(f"/numbers/{world.number.id}/forwarding", fields, headers=headers)


def live(world: Any) -> Any:
    with world.units.read() as uow:
        return forwarding.current(uow, world.acme.scope, world.number.id)


def test_the_editor_opens_with_the_live_plan_in_fields_and_in_words(world: Any, acme: Any) -> None:
    page = acme.page(f"/numbers/{world.number.id}/forwarding")
    assert 'name="/targets/1/address" value="+14155550102"' in page
    assert "Rings (415) 555-0101 and (415) 555-0102 together for 20 s" in page
    assert "version 1 is live" in page


def test_the_price_of_a_minute_stands_beside_the_plan(world: Any, acme: Any) -> None:
    page = acme.page(f"/numbers/{world.number.id}/forwarding")
    assert "A minute of conversation costs $0.10" in page


def test_s2_18_a_dear_phone_is_warned_of_while_the_plan_is_written(world: Any, acme: Any) -> None:
    payg = load_catalogue()["payg"]
    surcharge = {"label": "Hawaii", "prefixes": ["1808"], "per_minute": "0.20"}
    with world.units.begin() as uow:
        document = payg | {"tariff": payg["tariff"] | {"surcharges": [surcharge]}}
        dearer = plans.publish_plan(uow, "payg", document, "test")
        renewals.change_plan(uow, world.acme.scope, dearer, "test")
    plan = {"pattern": "simultaneous", "targets": [{"type": "number", "address": "+18085550101"}]}
    asked = {"scenario.at": "2026-03-04T23:00", "scenario.answers": "+18085550101"}
    asked |= {"scenario.talk": "60"}
    page = submit(world, acme, plan, "preview", **asked).text
    assert "costs a surcharge of $0.2000" in page and "Hawaii" in page
    assert "A minute of conversation costs $0.30" in page
    assert "This call would cost" in page and "$0.0500 + $0.2000" in page


@pytest.mark.parametrize("op", ["check", "preview", "add:/targets", "up:/targets/1"])
def test_only_publishing_stores_anything(world: Any, acme: Any, op: str) -> None:
    submit(world, acme, NEW_PLAN, op)
    assert live(world).version == 1


def test_publishing_makes_the_next_version_live(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "publish", note="alice first")
    assert answer.location == f"/numbers/{world.number.id}"
    now_live = live(world)
    assert (now_live.version, now_live.note, now_live.published_by) == (
        2,
        "alice first",
        "owner@acme.test",
    )
    assert now_live.document["targets"][0]["address"] == "+14155550109"


def test_publishing_by_htmx_sends_the_window_to_the_number(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "publish", htmx=True)
    assert answer.headers["HX-Redirect"] == f"/numbers/{world.number.id}"


@pytest.mark.parametrize(
    "target, field, words",
    [
        pytest.param(
            {"type": "number", "address": "+19005550101"},
            "/targets/0/address",
            "premium-rate",
            id="S2-18 a premium number",
        ),
        pytest.param(
            {"type": "number", "address": "12"}, "/targets/0/address", "", id="a number of two"
        ),
        pytest.param(
            {"type": "number", "address": "+14152345678"},
            "/targets/0/address",
            "would call itself",
            id="a loop through our own number",
        ),
        pytest.param(
            {"type": "number", "address": "+14155550101", "ring_seconds": "soon"},
            "/targets/0/ring_seconds",
            "whole number",
            id="a word instead of seconds",
        ),
        pytest.param(
            {"type": "number", "address": "+5511987654321"},
            "/targets/0/address",
            "not enabled",
            id="S3-12 a country that is not enabled",
        ),
    ],
)
def test_a_mistake_is_refused_at_its_field_and_what_was_typed_stays(
    world: Any, acme: Any, target: dict[str, Any], field: str, words: str
) -> None:
    answer = submit(world, acme, {"pattern": "simultaneous", "targets": [target]}, "publish")
    assert answer.status_code == 422
    assert live(world).version == 1
    name = f"f{field.replace('/', '-')}-error"
    assert f'id="{name}"' in answer.text
    assert f'aria-describedby="{name}"' in answer.text
    assert words in answer.text
    assert str(target["address"]) in answer.text


def test_eleven_phones_at_once_are_too_many(world: Any, acme: Any) -> None:
    phones = [{"type": "client", "address": f"agent{n}"} for n in range(11)]
    answer = submit(world, acme, {"pattern": "simultaneous", "targets": phones}, "publish")
    assert "At most 10 phones can ring here" in answer.text


def test_a_phone_that_was_just_added_is_not_complained_about_yet(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "add:/targets")
    assert answer.status_code == 200
    assert 'name="/targets/2/address" value=""' in answer.text
    assert 'class="error"' not in answer.text
    assert "1 thing is missing or wrong" in answer.text


def test_a_pattern_chosen_in_the_box_wraps_the_plan(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "", **{"choose:": "hours"})
    assert 'name="/then/targets/0/address" value="(415) 555-0109"' in answer.text
    assert 'name="/time_zone" value="America/New_York"' in answer.text


def test_nobody_publishes_a_change_that_they_have_not_seen(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "publish", **{"choose:": "hours"})
    assert answer.status_code == 422
    assert "Look at it, then publish it" in answer.text
    assert live(world).version == 1


def test_htmx_gets_the_editor_alone(world: Any, acme: Any) -> None:
    answer = submit(world, acme, NEW_PLAN, "check", htmx=True)
    assert answer.text.lstrip().startswith('<div id="editor">')


def test_what_would_happen_at_night_is_told_without_calling_anybody(world: Any, acme: Any) -> None:
    plan = {
        "pattern": "hours",
        "time_zone": "America/New_York",
        "open": [{"days": ["mon"], "from": "09:00", "to": "17:00"}],
        "then": {"pattern": "simultaneous", "targets": NEW_PLAN["targets"]},
        "otherwise": {"pattern": "voicemail", "say": "We sleep."},
    }
    scenario = {
        "scenario.caller": "(212) 555-0187",
        "scenario.at": "2026-03-09T22:00",
        "scenario.talk": "83",
    }
    night = submit(world, acme, plan, "preview", **scenario)
    assert "It is Monday 22:00 in New York: closed." in night.text
    assert "We sleep.&lt;/Say&gt;" in night.text
    day = submit(
        world,
        acme,
        plan,
        "preview",
        **{
            **scenario,
            "scenario.at": "2026-03-09T12:00",
            "scenario.answers": "+14155550109",
        },
    )
    assert "open." in day.text
    assert "They talked" in day.text
    assert "$0.138332" in day.text  # S5-02: 83 s on both legs at $0.05, down to the micro, twice


@pytest.mark.parametrize(
    "field, typed, words",
    [
        ("scenario.at", "soon", "Choose a day and a time."),
        ("scenario.talk", "-1", "Write whole seconds"),
        ("scenario.caller", "12", ""),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_at_its_field(
    world: Any, acme: Any, field: str, typed: str, words: str
) -> None:
    scenario = {"scenario.at": "2026-03-09T22:00", "scenario.talk": "60", field: typed}
    answer = submit(world, acme, NEW_PLAN, "preview", **scenario)
    assert answer.status_code == 422
    assert f'id="f{field.replace(".", "-")}-error"' in answer.text
    assert words in answer.text


def test_the_history_tells_in_words_what_each_version_changed(world: Any, acme: Any) -> None:
    submit(world, acme, NEW_PLAN, "publish", note="alice first")
    page = acme.page(f"/numbers/{world.number.id}/forwarding/history")
    assert "alice first" in page
    removed = page.split('class="removed"')[1].split("</li>")[0]
    assert "together for 20 s" in removed


def test_an_old_version_is_restored_as_the_newest(world: Any, acme: Any) -> None:
    submit(world, acme, NEW_PLAN, "publish")
    acme.post(f"/numbers/{world.number.id}/forwarding/history/1/restore")
    assert live(world).version == 3
    assert live(world).document["pattern"] == "simultaneous"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '" onfocus="alert(1)', "{{ 7 * 7 }}", "&amp;", "\u202egnp.exe"],
)
def test_what_somebody_typed_is_never_markup(world: Any, acme: Any, text: str) -> None:
    plan = {"pattern": "voicemail", "say": text}
    page = submit(world, acme, plan, "check").text
    assert text not in page or ("<" not in text and '"' not in text)
    assert "<script>alert" not in page
    assert 'onfocus="alert' not in page


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("/a", "1"), ("/a/b", "2")], id="a value that is a group"),
        pytest.param([("list:/targets", ""), ("/targets/x", "1")], id="a list numbered x"),
        pytest.param([("op", "remove:/targets/7")], id="a button of another page"),
        pytest.param([("choose:/nowhere", "hours")], id="a choice for no step"),
        pytest.param([("/pattern", "\x00")], id="NUL"),
        pytest.param([("/" + "a/" * 200, "1")], id="two hundred levels"),
        pytest.param([], id="nothing at all"),
    ],
)
def test_a_forged_form_never_breaks_the_page(
    world: Any, acme: Any, fields: list[tuple[str, str]]
) -> None:
    answer = acme.post(f"/numbers/{world.number.id}/forwarding", fields)
    assert answer.status_code in (200, 422)
