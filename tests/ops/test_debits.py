"""Debits at the console: what is due becomes a file, what the bank says is taken in (S5-18)."""

import io
import re
from html import unescape
from typing import Any

import pytest
from apiflask import APIFlask

from gateway.ops import debits as ops_debits
from gateway.services import looks, mandates
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.services import doras_bank
from tests.services.days import Calendar, talk
from tests.services.doras_bank import IBAN, balance, came, only, statement_of, went_back
from tests.services.history import History
from tests.web.conftest import Browser, World, csrf_token

calendar, dora, known, open_bank = (
    doras_bank.calendar,
    doras_bank.dora,
    doras_bank.known,
    doras_bank.open_bank,
)


@pytest.fixture
def units(world: World) -> UnitsOfWork:
    return world.units


@pytest.fixture
def on_sale(world: World) -> None:
    """The cast of the pages has published the catalogue."""


@pytest.fixture
def app(world: World) -> APIFlask:
    return world.app


def send(olga: Browser, path: str, fields: dict[str, Any]) -> Any:
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    return olga.client.post(path, data=fields | {"csrf_token": token.group(1)})


def put(olga: Browser, content: str, name: str = "bank.xml") -> str:
    file = (io.BytesIO(content.encode()), name)
    sent = send(olga, "/ops/transfers", {"file": file, "back": "debits"})
    assert sent.location == "/ops/debits"
    return unescape(olga.page("/ops/debits"))


def test_s5_18_without_its_settings_the_page_says_which_are_missing(olga: Browser) -> None:
    page = olga.page("/ops/debits")
    assert "SELLER_IBAN, SELLER_CREDITOR_ID" in page and "<button disabled>" in page
    send(olga, "/ops/debits/runs", {})
    assert "Debits need settings of the operator" in unescape(olga.page("/ops/debits"))


@pytest.mark.usefixtures("open_bank")
def test_s5_18_a_file_is_made_downloaded_and_its_state_followed(
    olga: Browser, calendar: Calendar, dora: Account
) -> None:
    label = statement_of(calendar, dora).label
    page = olga.page("/ops/debits")
    assert ">dora<" in page and label in page and "2026-04-13" in page and "€35.70" in page
    assert send(olga, "/ops/debits/runs", {"until": ""}).status_code == 302
    page = olga.page("/ops/debits")
    assert "1 debits, 35.70 EUR together" in page and "Not downloaded" in page
    assert "Nothing is due" in page, "what is asked for is not due again"
    path = re.search(r'href="(/ops/debits/runs/[^"]+\.xml)"', page)
    assert path is not None
    file = olga.get(path.group(1))
    assert file.mimetype == "application/xml" and IBAN in file.text and f"{label}-1" in file.text
    assert "attachment" in file.headers["Content-Disposition"]
    assert "1 open, 0 collected, 0 returned" in olga.page("/ops/debits")
    assert "1 credited, 0 left for you" in put(olga, came(f"{label}-1"))
    assert "0 open, 1 collected, 0 returned" in olga.page("/ops/debits")
    assert balance(calendar, dora) == 0
    page = put(olga, went_back(f"{label}-1"))
    assert "1 debits returned" in page and "too little money in the account" in page
    assert balance(calendar, dora) == -30_000_000
    assert IBAN not in page, "the whole number is for the bank alone"


@pytest.mark.usefixtures("open_bank")
def test_s5_18_a_person_says_what_the_bank_does_not_and_why(
    olga: Browser, calendar: Calendar, dora: Account
) -> None:
    send(olga, "/ops/debits/runs", {"until": "2026-04-01"})
    assert "Nothing falls due until then" in olga.page("/ops/debits")
    send(olga, "/ops/debits/runs", {"until": "someday"})
    assert "write a day, such as" in olga.page("/ops/debits")
    send(olga, "/ops/debits/runs", {"until": "2026-04-30"})
    path = f"/ops/debits/{only(calendar).id}"
    assert f'<a href="/ops/accounts/{dora.id}">dora</a>' in olga.page("/ops/debits")
    send(olga, path, {"deed": "collected", "reason": " "})
    assert "Say why" in olga.page("/ops/debits") and only(calendar).state == "submitted"
    send(olga, path, {"deed": "cancel", "reason": "the file was lost"})
    assert only(calendar).state == "canceled"
    assert "the file was lost" in olga.page("/ops/debits?state=canceled")
    assert "the file was lost" not in olga.page("/ops/debits?state=returned")
    send(olga, path, {"deed": "collected", "reason": "x"})
    assert "This debit is canceled" in olga.page("/ops/debits")


@pytest.mark.usefixtures("open_bank")
def test_s5_18_mandates_are_kept_replaced_and_ended_on_the_accounts_page(
    olga: Browser, calendar: Calendar, dora: Account
) -> None:
    path = f"/ops/accounts/{dora.id}/mandates"
    assert path in olga.page(f"/ops/accounts/{dora.id}")
    page = olga.page(path)
    assert "M-17" in page and "DE02 •••• 2051" in page and IBAN not in page
    assert "€35.70" in page, "what comes next"
    fields = {"reference": "M-18", "signed_on": "2026-04-02", "iban": IBAN[:-1] + "9"}
    refused = send(olga, path, fields)
    assert refused.status_code == 422 and "check digits" in refused.text
    assert 'value="M-18"' in refused.text, "what was typed is kept"
    assert "write a day" in send(olga, path, fields | {"signed_on": ""}).text
    assert send(olga, path, fields | {"iban": IBAN}).status_code == 302
    page = olga.page(path)
    assert "M-18 is in force" in page and "replaced by M-18" in page
    send(olga, f"{path}/end", {"reason": ""})
    assert "Say why" in olga.page(path)
    send(olga, f"{path}/end", {"reason": "they asked for it"})
    assert "they asked for it" in olga.page(path)
    with calendar.units.read() as uow:
        assert mandates.find(uow, dora.scope) is None
    send(olga, f"{path}/end", {"reason": "again"})
    assert "no mandate in force" in olga.page(path)
    assert "Nothing is due" in olga.page("/ops/debits")


def test_an_account_in_dollars_is_told_that_nothing_is_collected(
    world: World, olga: Browser
) -> None:
    assert "euros only" in olga.page(f"/ops/accounts/{world.acme.id}/mandates")


@pytest.mark.usefixtures("open_bank")
def test_s5_18_what_is_due_has_pages_of_its_own(
    olga: Browser, calendar: Calendar, dora: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Later ones" not in olga.page("/ops/debits")
    history = History(calendar.units, dora)
    talk(calendar, history, history.number("+14155550177"), 18_000)
    calendar.at(2026, 5, 1, 0, 6)
    looks.drain(calendar.units, "DE")
    calendar.at(2026, 5, 8, 9)
    monkeypatch.setattr(ops_debits, "PAGE", 1)
    page = olga.page("/ops/debits?state=returned")
    path = re.search(r'href="([^"]+)" rel="next">Later ones', page)
    assert "-000001<" in page and "-000002<" not in page and path is not None
    page = olga.page(unescape(path.group(1)))
    assert "-000002<" in page and "-000001<" not in page and "Later ones" not in page
    assert "Back to the soonest" in page
    assert 'href="/ops/debits?state=returned" aria-current="true"' in page


@pytest.mark.usefixtures("open_bank")
def test_s5_18_a_larger_file_of_the_bank_is_taken_from_staff_and_nothing_larger_elsewhere(
    world: World, olga: Browser, calendar: Calendar, dora: Account
) -> None:
    send(olga, "/ops/debits/runs", {"until": ""})
    name = only(calendar).end_to_end_id
    padding = "<!--" + " " * 300 * 1024 + "-->"
    large = came(name).replace("</Stmt>", f"{padding}</Stmt>")
    assert "1 credited" in put(olga, large)

    def upload(who: Any, path: str, size: int) -> Any:
        page = who.get("/ops/accounts" if who is olga else "/login").text
        token = csrf_token(page)
        file = (io.BytesIO(b" " * size), "bank.xml")
        return who.client.post(path, data={"file": file, "csrf_token": token})

    refused = olga.client.post(
        "/ops/transfers",
        data=b" " * (10 * 1024 * 1024 + 1),
        content_type="multipart/form-data; boundary=x",
    )
    assert refused.status_code == 413
    assert "10 MB at most" in unescape(refused.text) and "transfers import" in refused.text
    assert "at most 256 KB" in upload(olga, "/ops/charges/brake", 300 * 1024).text
    for stranger in (world.browser(), world.logged_in("owner@acme.test")):
        assert upload(stranger, "/ops/transfers", 300 * 1024).status_code == 413
