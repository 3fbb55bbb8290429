"""Statements, warnings and arrears as customers and staff see them."""

import csv
import datetime as dt
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader
from register import no, stand_in, unable, yes

from billing.money import parse_amount
from gateway.providers.vies import Vies
from gateway.runtime import EXTENSION
from gateway.services import (
    accounts,
    ledger,
    looks,
    statement_issuing,
    statements,
    transfers,
    vat_checks,
)
from gateway.uow import UnitsOfWork
from tests.services.test_statements import SELLER
from tests.web.conftest import OLGA, Browser, World

APRIL = dt.datetime(2026, 4, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def statement_id(world: World) -> Any:
    """Acme's statement of March: 50.00 in, rent and 83 s on both legs out."""
    april = UnitsOfWork(world.units.engine, lambda: APRIL)
    assert statement_issuing.issue_due(april, world.acme.scope, "US") == 1
    with world.units.read() as uow:
        return statements.list_statements(uow, world.acme.scope).items[0].id


def test_the_list_and_the_statement_say_what_the_ledger_says(
    acme: Browser, statement_id: Any
) -> None:
    for path in ("/billing/statements", f"/billing/statements/{statement_id}"):
        page = acme.page(path)
        assert page.count("<h1>") == 1
        assert "style=" not in page and "onclick" not in page
        assert "$47.861668" in page, "what was left"
    page = acme.page(f"/billing/statements/{statement_id}")
    assert "$0.0500 / min" in page, "S5-16 rates are printed"
    assert "(415) 234-5678" in page
    assert "paid from your credit" in page, "S5-17"


def test_without_a_statement_the_page_says_when_there_will_be_one(cobalt: Browser) -> None:
    assert "a few minutes after midnight" in cobalt.page("/billing/statements")


def test_the_files_are_what_they_are_called(acme: Browser, statement_id: Any) -> None:
    pdf = acme.get(f"/billing/statements/{statement_id}.pdf")
    assert pdf.mimetype == "application/pdf" and pdf.data.startswith(b"%PDF-1.7")
    assert re.search(r'filename="[0-9A-F]{8}-000001\.pdf"', pdf.headers["Content-Disposition"])
    answer = acme.get(f"/billing/statements/{statement_id}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["leg"] for row in rows].count("inbound") == 1 and len(rows) == 3
    assert sum(parse_amount(row["charge"]) for row in rows) == 138_332


def test_s5_19_the_receipt_of_a_credit_is_found_in_the_list_and_on_its_line(
    acme: Browser, cobalt: Browser
) -> None:
    page = acme.page("/billing")
    (path,) = set(re.findall(r'href="(/billing/[^"]+/receipt\.pdf)"', page))
    assert f'href="{path}"' in acme.page(path.removesuffix("/receipt.pdf"))
    pdf = acme.get(path)
    assert pdf.mimetype == "application/pdf"
    assert pdf.headers["Content-Disposition"].startswith('attachment; filename="receipt-')
    text = PdfReader(io.BytesIO(pdf.data)).pages[0].extract_text()
    assert "Balance after this entry 50.00 USD" in text and "Reason: test money" in text
    assert cobalt.get(path).status_code == 404


def test_s5_16_the_e_invoice_is_downloaded_alone_and_inside_the_paper(
    world: World, acme: Browser, statement_id: Any
) -> None:
    path = f"/billing/statements/{statement_id}"
    assert acme.get(f"{path}.xml").status_code == 409, "the seller's settings are missing"
    settings = world.runtime.settings.model_copy(update=SELLER)
    world.app.extensions[EXTENSION] = replace(world.runtime, settings=settings)
    page = acme.page(path)
    assert f"{path}.xml" in page and f"{path}.factur-x.pdf" in page
    data = acme.get(f"{path}.xml")
    assert data.mimetype == "application/xml" and b"CrossIndustryInvoice" in data.data
    paper = acme.get(f"{path}.factur-x.pdf")
    assert paper.mimetype == "application/pdf"
    assert re.search(
        r'filename="[0-9A-F]{8}-000001\.factur-x\.pdf"', paper.headers["Content-Disposition"]
    )
    assert PdfReader(io.BytesIO(paper.data)).attachments["factur-x.xml"] == [data.data]


def test_the_owner_says_whether_its_mail_brings_the_statement(world: World, acme: Browser) -> None:
    def wants_it() -> bool:
        with world.units.read() as uow:
            return accounts.get_account(uow, world.acme.scope).attach_statement

    checked = 'name="attach_statement" value="1" checked'
    assert wants_it() and checked in acme.page("/billing/statements")
    fields = {"legal_name": "", "address": "", "vat_id": ""}
    acme.post("/billing/details", fields)
    assert not wants_it() and checked not in acme.page("/billing/statements")
    acme.post("/billing/details", fields | {"attach_statement": "1"})
    assert wants_it()


def test_h1_a_stranger_finds_none_of_it(cobalt: Browser, statement_id: Any) -> None:
    for end in ("", ".pdf", ".csv", ".xml", ".factur-x.pdf"):
        assert cobalt.get(f"/billing/statements/{statement_id}{end}").status_code == 404


def test_the_next_statement_is_made_out_as_the_owner_says(world: World, acme: Browser) -> None:
    fields = {"legal_name": "Acme Inc.", "address": "1 Main St\r\nReno", "vat_id": "de 123456789"}
    assert acme.post("/billing/details", fields).status_code == 302
    with world.units.read() as uow:
        assert statements.billing_details(uow, world.acme.scope) == {
            "legal_name": "Acme Inc.",
            "address": "1 Main St\nReno",
            "vat_id": "DE123456789",
        }
    refused = acme.post("/billing/details", {**fields, "vat_id": "?"})
    assert refused.status_code == 422 and "such as DE136695976" in refused.text
    assert "Acme Inc." in refused.text, "what was typed is kept"


def test_s5_19_the_owner_reads_what_the_register_says(world: World, acme: Browser) -> None:
    fields = {"legal_name": "", "address": ""}
    with world.units.begin() as uow:
        accounts.update_account(uow, world.acme.scope, {"country": "DE"}, OLGA)
    told = []
    with stand_in() as vies:
        vies.says(unable(), no(), yes())
        for vat_id in ("DE136695976", "DE129273398", "DE136695976"):
            assert acme.post("/billing/details", fields | {"vat_id": vat_id}).status_code == 302
            told.append("Our team looks it up" in acme.page("/billing/statements"))
            vat_checks.drain(world.units, Vies(vies.url), confirms=True)
            page = acme.page("/billing/statements")
            told += [
                words
                for words in ("could not say yet", "does not have it", "no tax is charged")
                if words in page
            ]
    assert told == [True, "could not say yet", True, "does not have it", True, "no tax is charged"]


def test_c20_warnings_are_set_shown_and_refused_at_their_field(world: World, acme: Browser) -> None:
    fields = [
        ("money", "60.00, 5.00"),
        ("days", "3"),
        ("channels", "email"),
        ("channels", "in_app"),
    ]
    assert acme.post("/billing/alerts", fields).status_code == 302
    page = acme.page("/billing/alerts")
    assert 'value="60.00, 5.00"' in page and "Reached now" in page
    assert "Your balance is down to 60.00 USD or less." in acme.page("/"), "the banner"
    refused = acme.post("/billing/alerts", [("money", "lots"), ("channels", "email")])
    assert refused.status_code == 422 and "is not an amount" in refused.text
    hooked = [("money", "5.00"), ("channels", "webhook"), ("webhook_url", "http://x.test")]
    assert "https://example.com/alerts" in acme.post("/billing/alerts", hooked).text
    called = [("money", "5.00"), ("channels", "sms"), ("channels", "call")]
    assert "is to be texted or called" in acme.post("/billing/alerts", called).text
    assert acme.post("/billing/alerts", [*called, ("phone", "(415) 555-0177")]).status_code == 302
    page = acme.page("/billing/alerts")
    assert 'value="(415) 555-0177"' in page and 'value="call" checked' in page


def test_c20_without_a_number_of_the_house_nobody_is_texted_or_called(
    world: World, acme: Browser
) -> None:
    settings = world.runtime.settings.model_copy(update={"alert_number": ""})
    world.app.extensions[EXTENSION] = replace(world.runtime, settings=settings)
    page = acme.page("/billing/alerts")
    assert 'value="sms"' not in page and 'name="phone"' not in page
    called = [("money", "5.00"), ("channels", "sms"), ("phone", "+14155550177")]
    refused = acme.post("/billing/alerts", called)
    assert refused.status_code == 422 and "nobody is texted or called here" in refused.text


def test_members_see_warnings_and_owners_change_them(member: Browser) -> None:
    assert "Only an owner" in member.page("/billing/alerts")
    assert member.post("/billing/alerts", {"money": "1.00"}).status_code == 403


def test_s2_14_mail_that_comes_back_shows_on_every_page(world: World, acme: Browser) -> None:
    with world.units.begin() as uow:
        accounts.note_bounce(uow, world.acme.scope, "billing@acme.test", "no such user")
    assert "Mail to billing@acme.test comes back" in acme.page("/calls")
    olga = world.logged_in(OLGA)
    assert "comes back since" in olga.page(f"/ops/accounts/{world.acme.id}")
    flagged = olga.page("/ops/accounts?flag=bounced")
    assert ">Acme<" in flagged and ">Bolt<" not in flagged
    acme.post(
        "/settings",
        {
            "name": "Acme",
            "billing_email": "ann@acme.test",
            "time_zone": "America/New_York",
            "at_zero": "reject",
        },
    )
    assert "comes back" not in acme.page("/calls")
    assert ">Acme<" not in olga.page("/ops/accounts?flag=bounced")


def _send(olga: Browser, path: str, fields: dict[str, Any], **more: Any) -> Any:
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    return olga.client.post(path, data={**fields, "csrf_token": token.group(1)}, **more)


@pytest.fixture
def olga(world: World) -> Browser:
    return world.logged_in(OLGA)


def test_staff_import_a_file_and_assign_what_is_left(world: World, olga: Browser) -> None:
    text = 'date,amount,currency,reference\n2026-03-04,25.00,USD,"thanks"\n'
    file = (io.BytesIO(text.encode()), "bank.csv")
    sent = _send(olga, "/ops/transfers", {"file": file}, content_type="multipart/form-data")
    assert sent.status_code == 302
    page = olga.page("/ops/transfers")
    assert "0 credited, 1 left for you, 0 known already, 0 debits returned" in page
    assert "$25.00" in page and "The payer wrote no number" in page
    with world.units.read() as uow:
        (row,) = transfers.list_transfers(uow).items
    fields = {"deed": "assign", "reason": "by phone"}
    for named, words in (
        ("", "write the name of an account"),
        ("Nobody", "no account is called so"),
        ("\0", "write the name of an account"),
        ("bolt", "Credited."),
    ):
        _send(olga, f"/ops/transfers/{row.id}", fields | {"account": named})
        assert words in olga.page("/ops/transfers")
    shown = olga.page("/ops/transfers?show=all")
    assert f'href="/ops/accounts/{world.bolt.id}">Bolt</a>: 25.00 USD' in shown
    with world.units.read() as uow:
        assert accounts.get_account(uow, world.bolt.scope).balance_micros == 25_000_000


@pytest.mark.parametrize(
    "content, words",
    [
        pytest.param(b"", "choose the file", id="no file"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", id="no text"),
        pytest.param(b"a,b\n1,2\n", "the header lacks date", id="another table"),
        pytest.param(b"<!DOCTYPE x [<!ENTITY a 'a'>]><x>&a;</x>", "no bank statement", id="a bomb"),
    ],
)
def test_a_file_that_is_none_changes_nothing_and_says_why(
    olga: Browser, content: bytes, words: str
) -> None:
    file = (io.BytesIO(content), "bank.csv")
    _send(olga, "/ops/transfers", {"file": file}, content_type="multipart/form-data")
    assert words in olga.page("/ops/transfers")


def test_arrears_show_to_the_customer_until_read_and_to_staff_until_paid(
    world: World, olga: Browser
) -> None:
    with world.units.begin() as uow:
        ledger.adjust(
            uow,
            world.bolt.scope,
            amount_micros=-1_000_000,
            reason="used up",
            actor=OLGA,
            idempotency_key="x",
        )
    looks.drain(world.units, "US")
    page = olga.page("/ops/arrears")
    assert "Bolt" in page and "Overdue since" in page
    assert "Nobody is due for release" in olga.page("/ops/arrears?show=release")
    fields = {"deed": "pause", "reason": "a transfer is announced"}
    _send(olga, f"/ops/arrears/{world.bolt.id}", fields)
    assert "Paused" in olga.page("/ops/arrears")
