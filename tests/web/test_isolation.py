"""Cobalt is a stranger: every page of Acme's is a 404 for her, and her own pages are empty."""

from typing import Any

import pytest

PAGES = (
    "/numbers/{number}",
    "/numbers/{number}/forwarding",
    "/numbers/{number}/forwarding/history",
    "/calls/{call}",
    "/calls/{call}/recordings/RE00000000000000000000000000000000",
    "/billing/{posting}",
)
DEEDS = (
    ("/numbers/{number}", {"label": "stolen"}),
    ("/numbers/{number}/forwarding", {"op": "publish", "/pattern": "reject", "/reason": "busy"}),
    ("/numbers/{number}/forwarding/history/1/restore", {}),
    ("/numbers/{number}/release", {}),
)


def _fill(world: Any, path: str) -> str:
    return path.format(number=world.number.id, call=world.call_sid, posting=world.posting_id)


@pytest.mark.parametrize("path", [p for p in PAGES if "recordings" not in p])
def test_acme_sees_its_own_page(world: Any, acme: Any, path: str) -> None:
    assert acme.get(_fill(world, path)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_cobalt_sees_no_page_of_acmes(world: Any, cobalt: Any, path: str) -> None:
    answer = cobalt.get(_fill(world, path))
    assert answer.status_code == 404
    assert "Acme" not in answer.text


@pytest.mark.parametrize("path, fields", DEEDS)
def test_cobalt_changes_nothing_of_acmes(
    world: Any, cobalt: Any, acme: Any, path: str, fields: dict[str, str]
) -> None:
    assert cobalt.post(_fill(world, path), fields).status_code == 404
    page = acme.page(f"/numbers/{world.number.id}")
    for words in ('value="Website"', "Version 1", "Active", "together for 20 s"):
        assert words in page


@pytest.mark.parametrize("path", ["/", "/numbers", "/calls", "/billing", "/settings", "/calls.csv"])
def test_cobalts_own_lists_hold_nothing_of_acmes(world: Any, cobalt: Any, path: str) -> None:
    page = cobalt.page(path)
    for secret in ("Acme", "Website", world.number.e164, "234-5678", world.call_sid):
        assert secret not in page


@pytest.mark.parametrize(
    "path, fields",
    [
        pytest.param("/settings", {"name": "Mine"}, id="settings"),
        pytest.param("/settings/tokens", {"token_name": "x"}, id="tokens"),
        pytest.param("/numbers/order", {"e164": "+14152345601", "key": "k"}, id="purchases"),
        pytest.param("/numbers/{number}", {"label": "x"}, id="labels"),
        pytest.param("/numbers/{number}/release", {}, id="releases"),
        pytest.param("/numbers/{number}/forwarding/history/1/restore", {}, id="restoring"),
        pytest.param(
            "/numbers/{number}/forwarding",
            {"op": "publish", "/pattern": "reject", "/reason": "busy"},
            id="publishing",
        ),
    ],
)
def test_a_member_looks_but_an_owner_acts(
    world: Any, member: Any, path: str, fields: dict[str, str]
) -> None:
    assert member.post(_fill(world, path), fields).status_code == 403


def test_a_member_may_try_a_plan_out(world: Any, member: Any) -> None:
    fields = {"op": "check", "/pattern": "reject", "/reason": "busy"}
    answer = member.post(f"/numbers/{world.number.id}/forwarding", fields)
    assert answer.status_code == 200
    assert "Sends a busy tone" in answer.text


@pytest.mark.parametrize("path", ["/", "/numbers", "/calls", "/billing", "/settings", "/calls.csv"])
def test_nobody_sees_a_page_without_logging_in(world: Any, path: str) -> None:
    assert world.browser().get(path).location.startswith("/login")
