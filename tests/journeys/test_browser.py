"""A new user's first quarter of an hour, in a real browser.

Skipped where no Chromium is installed (Debian: apt-get install chromium).
"""

from __future__ import annotations

import pytest
from browsing import NEEDS_CHROMIUM, served
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect
from world import FRONT_DESK, MOBILE, World

from gateway.services import logins, numbers
from gateway.store.base import Scope

PASSWORD = "a long pass phrase for ann"
VIEWS = {
    "desktop, light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}

pytestmark = [pytest.mark.browser, NEEDS_CHROMIUM]


def complaint(said: ConsoleMessage) -> list[str]:
    """What a script or the content policy complains of; a refused form is no complaint."""
    meant = "status of 401" in said.text or "status of 422" in said.text
    return [said.text] if said.type == "error" and not meant else []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("view", VIEWS)
def test_a_new_user_buys_a_number_forwards_it_and_understands_the_bill(
    stage: World, chromium: Browser, view: str
) -> None:
    ann = stage.join("Acme", funds=6_000_000, document=None).scope
    with stage.units.begin() as uow:
        logins.create_login(
            uow, ann, email="ann@acme.test", name="Ann", password=PASSWORD, role="owner", actor="t"
        )
    with served(stage.app) as url:
        context = chromium.new_context(base_url=url, **VIEWS[view])
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(complaint(said)))

        log_in(page)
        number = buy_a_number(page, stage, ann)
        forward_to_two_phones(page)
        ask_what_would_happen_at_night(page)
        publish(page)
        understand_a_call(page, stage, number)
        run_out_of_money_and_come_back(page, stage, ann, number)

        assert complaints == []
        context.close()
    stage.prove_ledger()


def log_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill("ann@acme.test")
    page.get_by_label("Password").fill("not the pass phrase")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()


def buy_a_number(page: Page, stage: World, ann: Scope) -> str:
    page.goto("/numbers/search")
    page.get_by_label("Area code").fill("212")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Choose").first.click()
    page.get_by_label("Label").fill("Summer campaign")
    page.get_by_label("Source").fill("Radio")
    page.get_by_role("button", name="Buy for $2.00").click()
    expect(page.get_by_role("heading", name="Forwarding")).to_be_visible()
    with stage.units.read() as uow:
        owned = numbers.every_number(uow, ann)
    (bought,) = [number for number in owned if number.label == "Summer campaign"]
    return bought.e164


def forward_to_two_phones(page: Page) -> None:
    page.locator('[name="/targets/0/address"]').fill("(415) 555 01")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator('[name="/targets/0/address"][aria-invalid=true]')).to_be_visible()
    page.locator('[name="/targets/0/address"]').fill("(415) 555-0101")
    page.get_by_role("button", name="Add a phone").click()
    page.locator('[name="/targets/1/address"]').fill("(415) 555-0102")
    page.locator('[name="/otherwise/say"]').click()
    expect(page.locator("#reading")).to_contain_text("together for 20 s")


def ask_what_would_happen_at_night(page: Page) -> None:
    page.get_by_label("Caller's number").fill("(702) 555-0111")
    page.get_by_label("Time, by the clock in").fill("2026-03-04T02:30")
    page.get_by_role("button", name="Show").click()
    way = page.locator("#preview")
    expect(way).to_contain_text("The caller leaves a message")
    expect(way).to_contain_text("<Record")
    page.get_by_label("(415) 555-0101").check()
    page.get_by_role("button", name="Show").click()
    expect(way).to_contain_text("Somebody talks to the caller")
    expect(way.get_by_role("row", name="This call would cost")).to_contain_text("$")


def publish(page: Page) -> None:
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("version 1 is live")).to_be_visible()


def understand_a_call(page: Page, stage: World, number: str) -> None:
    page.goto("/calls")
    expect(page.locator("main")).to_contain_text("No calls")
    stage.person(FRONT_DESK, talks=83)
    stage.nobody(MOBILE)
    stage.call(number)
    stage.settle()
    line = page.get_by_role("row").filter(has_text="(702) 555-0111")
    expect(line).to_contain_text("Answered", timeout=15_000)  # the list refreshes by itself
    line.get_by_role("link").first.click()
    why = page.locator("main")
    expect(why).to_contain_text("83 s × $0.0500/min, inbound leg, per second, plan PAYG v")
    expect(why).to_contain_text("caused by webhook completed")
    expect(why).to_contain_text("$0.069166")
    expect(why).to_contain_text("Stopped ringing")


def run_out_of_money_and_come_back(page: Page, stage: World, ann: Scope, number: str) -> None:
    stage.person(FRONT_DESK, talks=3_600)
    stage.call(number)
    stage.settle()
    assert stage.status(ann) == "suspended"
    page.goto("/")
    expect(page.get_by_text("Your balance is used up")).to_be_visible()
    refused = stage.call(number)
    stage.settle()
    page.goto(f"/calls/{refused}")
    expect(page.locator("main")).to_contain_text("turned away")

    stage.top_up(ann, 20_000_000)
    page.goto("/billing")
    expect(page.locator("main")).to_contain_text("Top-up")
    stage.person(FRONT_DESK, talks=30)
    taken = stage.call(number)
    stage.settle()
    page.goto(f"/calls/{taken}")
    expect(page.locator("main")).to_contain_text("Answered")


def test_the_same_without_a_mouse(stage: World, chromium: Browser) -> None:
    """Tab, Enter, Space and typing are enough, and what has the focus can be seen to have it."""
    acme = stage.join("Acme")
    with stage.units.begin() as uow:
        logins.create_login(
            uow, acme.scope, email="ann@acme.test", name="Ann", password=PASSWORD, role="owner",
            actor="t",
        )  # fmt: skip
    with served(stage.app) as url:
        page = chromium.new_page(base_url=url)
        page.goto("/login")
        type_into(page, page.get_by_label("E-mail"), "ann@acme.test")
        type_into(page, page.get_by_label("Password"), PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Acme")).to_be_visible()

        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        press(page, page.get_by_role("navigation").get_by_role("link", name="Numbers"))
        press(page, page.get_by_role("link", name="(415)").first)
        press(page, page.get_by_role("link", name="Forwarding").last)
        press(page, page.get_by_role("button", name="Add a phone"))
        type_into(page, page.locator('[name="/targets/2/address"]'), "(212) 555-0103")
        press(page, page.get_by_role("button", name="Move phone 3 up"))
        expect(page.locator('[name="/targets/1/address"]')).to_have_value("(212) 555-0103")
        press(page, page.get_by_role("button", name="Publish"))
        expect(page.get_by_text("version 2 is live")).to_be_visible()
        page.context.close()


STEPS_MAX = 120


def reach(page: Page, target: Locator) -> None:
    """By Tab alone; what is reached shows that it is."""
    for _ in range(STEPS_MAX):
        page.keyboard.press("Tab")
        if target.evaluate("one => one === document.activeElement"):
            seen = target.evaluate(
                "one => { const s = getComputedStyle(one);"
                " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
            )
            assert seen, f"the focus on {target} cannot be seen"
            return
    raise AssertionError(f"{STEPS_MAX} times Tab did not reach {target}")


def press(page: Page, target: Locator) -> None:
    reach(page, target)
    page.keyboard.press("Enter")


def type_into(page: Page, target: Locator, words: str) -> None:
    reach(page, target)
    page.keyboard.type(words)


def test_staff_reaches_every_room_on_a_phone_and_folds_them_by_keyboard(
    stage: World, chromium: Browser
) -> None:
    with stage.units.begin() as uow:
        logins.create_login(
            uow, None, email="olga@house.test", name="Olga", password=PASSWORD, role="ops",
            actor="t",
        )  # fmt: skip
    with served(stage.app) as url:
        page = chromium.new_page(base_url=url, viewport={"width": 360, "height": 740})
        page.goto("/login")
        type_into(page, page.get_by_label("E-mail"), "olga@house.test")
        type_into(page, page.get_by_label("Password"), PASSWORD)
        page.keyboard.press("Enter")
        rooms = page.get_by_role("navigation", name="Main")
        expect(rooms.get_by_role("link")).to_have_count(4)
        folded = rooms.bounding_box()
        assert folded is not None and folded["height"] < 80, "one row"
        press(page, rooms.locator("summary"))
        expect(rooms.get_by_role("link")).to_have_count(11)
        press(page, rooms.get_by_role("link", name="Drift"))
        expect(page.get_by_role("heading", name="Is it true?")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.set_viewport_size({"width": 1280, "height": 740})
        expect(rooms.get_by_role("link")).to_have_count(11)
        expect(rooms.locator("summary")).to_be_hidden()
        page.context.close()
