"""Logging in and out, and what a session may not outlive."""

from typing import Any

import pytest

PASSWORD = "four small green boats"
NEW_PASSWORD = "seven large blue boats"


def test_an_owner_logs_in_and_sees_the_overview(world: Any) -> None:
    browser = world.browser()
    assert browser.log_in("owner@acme.test").location == "/"
    assert "Acme" in browser.page("/")


def test_staff_land_in_their_own_house(world: Any) -> None:
    browser = world.browser()
    assert browser.log_in("olga@ringledger.test").location == "/ops/"
    assert browser.get("/").location == "/ops/"
    assert browser.get("/calls").status_code == 404


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(world: Any) -> None:
    answers = []
    for email, password in (
        ("nobody@acme.test", PASSWORD),
        ("owner@acme.test", "wrong password"),
    ):
        browser = world.browser()
        token_free = browser.post("/login", {"email": email, "password": password})
        assert token_free.status_code == 401
        answers.append(token_free.text.replace(email, "E-MAIL").split("<h1>")[1].split("value=")[0])
    assert answers[0] == answers[1]


def test_the_log_in_leads_to_the_page_that_was_asked_for(world: Any) -> None:
    browser = world.browser()
    asked = browser.get("/calls?status=missed")
    assert asked.location == "/login?next=/calls?status%3Dmissed"
    fields = {"email": "owner@acme.test", "password": PASSWORD, "next": "/calls?status=missed"}
    assert browser.post("/login", fields).location == "/calls?status=missed"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("https://evil.test/", id="another site"),
        pytest.param("//evil.test/", id="another host"),
        pytest.param("/\\evil.test", id="a backslash that browsers read as a slash"),
        pytest.param("/a\r\nSet-Cookie: x=1", id="a line break"),
    ],
)
def test_the_log_in_never_leads_to_another_site(world: Any, target: str) -> None:
    fields = {"email": "owner@acme.test", "password": PASSWORD, "next": target}
    assert world.browser().post("/login", fields).location == "/"


def test_logging_in_gives_a_new_session(world: Any) -> None:
    browser = world.browser()
    browser.get("/login")
    with browser.client.session_transaction() as session:
        session["planted"] = "by an attacker"
    browser.log_in("owner@acme.test")
    with browser.client.session_transaction() as session:
        assert "planted" not in session


def test_logging_out_ends_the_session(acme: Any) -> None:
    acme.post("/logout")
    assert acme.get("/").location == "/login"


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(world: Any) -> None:
    here, elsewhere = (world.logged_in("owner@acme.test") for _ in range(2))
    changed = here.post("/settings/password", {"current": PASSWORD, "new": NEW_PASSWORD})
    assert changed.status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").location == "/login"
    assert world.browser().log_in("owner@acme.test").status_code == 401
    assert world.browser().log_in("owner@acme.test", NEW_PASSWORD).status_code == 302


def test_a_wrong_current_password_changes_nothing_and_says_so_at_the_field(acme: Any) -> None:
    refused = acme.post("/settings/password", {"current": "guessed", "new": NEW_PASSWORD})
    assert refused.status_code == 422
    assert "that is not your password" in refused.text
    assert 'aria-describedby="fcurrent-error"' in refused.text


def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(world: Any) -> None:
    cookies = world.browser().log_in("owner@acme.test").headers.getlist("Set-Cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("ringledger="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session


def test_guessing_one_persons_password_is_slowed_down(world: Any) -> None:
    browser = world.browser()
    tries = [browser.log_in("owner@acme.test", f"guess {n}").status_code for n in range(11)]
    assert tries == [401] * 10 + [429]


@pytest.mark.parametrize(
    "path",
    ["/login", "/logout", "/preferences/theme", "/settings", "/settings/tokens", "/numbers/order"],
)
def test_a_form_without_its_csrf_token_is_refused(acme: Any, path: str) -> None:
    assert acme.client.post(path, data={"name": "x"}).status_code == 400


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_choice_of_colours_is_remembered(acme: Any, theme: str) -> None:
    acme.post("/preferences/theme", {"theme": theme})
    assert f'data-theme="{theme}"' in acme.page("/")
    acme.post("/preferences/theme", {"theme": ""})
    assert "data-theme" not in acme.page("/")


def test_a_page_asked_for_by_htmx_without_a_session_leads_the_whole_window_to_the_log_in(
    world: Any,
) -> None:
    answer = world.browser().get("/calls", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login"
