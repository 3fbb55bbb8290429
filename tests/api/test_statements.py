"""Statements and warnings over the API; every answer is checked against the OpenAPI document."""

import csv
import datetime as dt
import io
from dataclasses import replace
from typing import Any

import pytest
from apiflask import APIFlask
from pypdf import PdfReader

from billing.money import parse_amount
from gateway.runtime import EXTENSION
from gateway.services import statement_issuing
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.services.history import History, Target
from tests.services.test_statements import SELLER


@pytest.fixture
def issued(units: UnitsOfWork, acme: Account, fund: Any) -> dict[str, Any]:
    """50.00 came in, a call of 83 s on both legs went out, and the month is over."""
    fund(acme, "50.00")
    history = History(units, acme)
    now = units.clock()
    history.call(history.number("+14155550100"), Target(talk=83), at=now)
    later = UnitsOfWork(units.engine, lambda: now + dt.timedelta(days=32))
    assert statement_issuing.issue_due(later, acme.scope, "US") == 1
    return {"acme": acme}


def test_s5_16_a_statement_has_its_lines_with_rates(acmes: Program, issued: dict[str, Any]) -> None:
    listed = acmes.get("/statements").json
    assert listed is not None
    (first,) = listed["items"]
    assert (first["charges"], first["credits"], first["closing_balance"]) == (
        "0.138332",
        "50.00",
        "49.861668",
    )
    assert (first["owed"], first["outstanding"], first["due_on"]) == ("0.00", "0.00", None)
    detail = acmes.get(f"/statements/{first['id']}").json
    assert detail is not None
    assert {(line["number"], line["rate"], line["amount"]) for line in detail["charge_lines"]} == {
        ("+14155550100", "0.0500", "0.069166")
    }
    assert [line["amount"] for line in detail["credit_lines"]] == ["50.00"]
    assert detail["shares"] == []


def test_its_files_are_the_pages_own(acmes: Program, issued: dict[str, Any]) -> None:
    listed = acmes.get("/statements").json
    assert listed is not None
    path = f"/statements/{listed['items'][0]['id']}"
    pdf = acmes.get(f"{path}.pdf")
    assert pdf.mimetype == "application/pdf" and pdf.data.startswith(b"%PDF-1.7")
    rows = list(csv.DictReader(io.StringIO(acmes.get(f"{path}.csv").text)))
    assert sum(parse_amount(row["charge"]) for row in rows) == 138_332


def test_s5_19_the_receipt_of_a_credit_is_a_pdf_and_lines_say_whether_there_is_one(
    acmes: Program, issued: dict[str, Any]
) -> None:
    listed = acmes.get("/ledger").json
    assert listed is not None
    has = {line["kind"]: (line["id"], line["has_receipt"]) for line in listed["items"]}
    assert {kind: receipt for kind, (_, receipt) in has.items()} == {"usage": False, "topup": True}
    one = acmes.get(f"/ledger/{has['topup'][0]}").json
    assert one is not None and one["has_receipt"] is True
    pdf = acmes.get(f"/ledger/{has['topup'][0]}/receipt.pdf")
    assert pdf.mimetype == "application/pdf" and pdf.data.startswith(b"%PDF-1.7")
    assert acmes.get(f"/ledger/{has['usage'][0]}/receipt.pdf").status_code == 404


def test_s5_16_the_e_invoice_is_downloaded_alone_and_inside_the_paper(
    app: APIFlask, acmes: Program, issued: dict[str, Any]
) -> None:
    listed = acmes.get("/statements").json
    assert listed is not None
    path = f"/statements/{listed['items'][0]['id']}"
    refused = acmes.get(f"{path}.factur-x.pdf")
    assert refused.status_code == 409 and refused.json is not None
    assert refused.json["code"] == "seller_incomplete"
    runtime = app.extensions[EXTENSION]
    settings = runtime.settings.model_copy(update=SELLER)
    app.extensions[EXTENSION] = replace(runtime, settings=settings)
    data = acmes.get(f"{path}.xml")
    assert data.mimetype == "application/xml" and b"CrossIndustryInvoice" in data.data
    paper = acmes.get(f"{path}.factur-x.pdf")
    assert paper.mimetype == "application/pdf"
    assert PdfReader(io.BytesIO(paper.data)).attachments["factur-x.xml"] == [data.data]


def test_its_mail_brings_it_unless_the_account_says_no(acmes: Program, acme: Account) -> None:
    path = f"/accounts/{acme.id}"
    found = acmes.get(path).json
    assert found is not None and found["attach_statement"] is True
    changed = acmes.patch(path, {"attach_statement": False}).json
    assert changed is not None and changed["attach_statement"] is False
    assert acmes.patch(path, {"attach_statement": "no"}).status_code == 422


def test_h1_a_stranger_finds_none_of_it(
    acmes: Program, cobalts: Program, issued: dict[str, Any]
) -> None:
    listed = acmes.get("/statements").json
    assert listed is not None
    for end in ("", ".pdf", ".csv", ".xml", ".factur-x.pdf"):
        answer = cobalts.get(f"/statements/{listed['items'][0]['id']}{end}")
        assert answer.status_code == 404
    empty = cobalts.get("/statements").json
    assert empty is not None and empty["items"] == []


def test_c20_warnings_are_set_at_once_and_read_back(acmes: Program) -> None:
    wanted = {
        "balance": ["20.00", "5.00"],
        "minutes": [100],
        "days_left": [3],
        "channels": ["email", "sms", "webhook", "call"],
        "webhook_url": "https://example.com/alerts",
        "phone": "+14155550177",
    }
    answer = acmes.put("/alerts", wanted)
    assert answer.status_code == 200 and answer.json is not None
    assert {name: answer.json[name] for name in wanted} == wanted
    assert len(answer.json["webhook_secret"]) == 48
    assert acmes.get("/alerts").json == answer.json
    again = acmes.put("/alerts", wanted).json
    assert again is not None and again["webhook_secret"] == answer.json["webhook_secret"]
    gone = acmes.put("/alerts", {}).json
    assert gone is not None and gone["balance"] == [] and gone["webhook_secret"] == ""


@pytest.mark.parametrize(
    "body, path",
    [
        pytest.param({"balance": ["x"], "channels": ["email"]}, "/balance/0", id="no amount"),
        pytest.param({"balance": ["5.00"]}, "/channels", id="C20 no way to be told"),
        pytest.param({"channels": ["pigeon"]}, "/channels/0", id="C20 no such way"),
        pytest.param({"channels": ["sms"]}, "/phone", id="C20 nobody to text"),
        pytest.param({"webhook_url": "http://x.test"}, "/webhook_url", id="H not encrypted"),
        pytest.param({"days_left": [-1], "channels": ["email"]}, "/days_left/0", id="below zero"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    acmes: Program, body: dict[str, Any], path: str
) -> None:
    answer = acmes.put("/alerts", body)
    assert answer.status_code == 422 and answer.json is not None
    assert path in {error["path"] for error in answer.json["errors"]}
