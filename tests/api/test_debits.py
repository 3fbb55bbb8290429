"""Debits over the API; every answer is checked against the OpenAPI document (S5-18)."""

from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask

from gateway.services import tokens
from gateway.services.accounts import Account
from tests.api.conftest import Program
from tests.services import doras_bank
from tests.services.conftest import OLGA
from tests.services.days import Calendar
from tests.services.doras_bank import IBAN, balance, came, statement_of, went_back

calendar, dora, known, open_bank = (
    doras_bank.calendar,
    doras_bank.dora,
    doras_bank.known,
    doras_bank.open_bank,
)


@pytest.fixture
def doras(app: APIFlask, calendar: Calendar, dora: Account, open_bank: None) -> Program:
    with calendar.units.begin() as uow:
        text, _ = tokens.issue_token(uow, dora.scope, "test", "account", OLGA)
    return Program(app, text)


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


@pytest.mark.usefixtures("open_bank")
def test_s5_18_a_run_is_made_sent_and_followed(
    olga: Program, calendar: Calendar, dora: Account
) -> None:
    label = statement_of(calendar, dora).label
    (due,) = items(olga.get("/ops/debits/due"))
    assert (due["account_name"], due["statement"], due["amount"]) == ("dora", label, "35.70")
    assert (due["mandate"], due["iban"]) == ("M-17", "DE02 •••• 2051")
    assert (due["due_on"], due["collect_on"]) == ("2026-04-13", "2026-04-13")
    assert items(olga.get("/ops/debits/due", until="2026-04-12")) == []
    made = olga.post("/ops/debit-runs", {})
    assert made.status_code == 201 and made.json is not None
    run = made.json["run"]
    assert (run["count"], run["amount"], run["is_written"]) == (1, "35.70", False)
    again = olga.post("/ops/debit-runs", {"until": "2026-05-01"})
    assert again.json == {"run": None}, "a statement is in one file only"
    file = olga.get(f"/ops/debit-runs/{run['id']}.xml")
    assert file.mimetype == "application/xml" and IBAN in file.text
    (listed,) = items(olga.get("/ops/debit-runs"))
    assert listed == run | {"is_written": True}
    (debit,) = items(olga.get("/ops/debits", state="submitted"))
    assert debit["end_to_end_id"] == f"{label}-1" and debit["run_id"] == run["id"]
    assert (debit["account_id"], debit["account_name"]) == (str(dora.id), "dora")
    told = olga.post("/ops/bank-files", {"content": came(f"{label}-1")}).json
    assert told == {"credited": 1, "unmatched": 0, "known": 0, "returned": 0}
    assert balance(calendar, dora) == 0
    told = olga.post("/ops/bank-files", {"content": went_back(f"{label}-1")}).json
    assert told == {"credited": 0, "unmatched": 0, "known": 0, "returned": 1}
    (debit,) = items(olga.get("/ops/debits"))
    assert debit["state"] == "returned" and "too little money" in debit["why"]


@pytest.mark.usefixtures("open_bank", "dora")
def test_s5_18_what_the_bank_leaves_out_is_said_with_a_reason(olga: Program) -> None:
    olga.post("/ops/debit-runs", {})
    (debit,) = items(olga.get("/ops/debits"))
    path = f"/ops/debits/{debit['id']}/decision"
    assert olga.post(path, {"deed": "collected", "reason": ""}).status_code == 422
    assert olga.post(path, {"deed": "lost", "reason": "x"}).status_code == 422
    done = olga.post(path, {"deed": "cancel", "reason": "the file was lost"}).json
    assert done is not None and (done["state"], done["why"]) == ("canceled", "the file was lost")
    assert done["account_name"] == "dora"
    assert olga.post(path, {"deed": "collected", "reason": "x"}).status_code == 409
    unreadable = olga.post("/ops/bank-files", {"content": "a,b\n1,2\n"})
    assert unreadable.status_code == 422 and "the header lacks" in unreadable.text


def test_s5_18_without_the_operators_settings_no_run_is_made(olga: Program) -> None:
    refused = olga.post("/ops/debit-runs", {})
    assert refused.status_code == 409 and refused.json is not None
    assert refused.json["code"] == "seller_incomplete" and "SELLER_IBAN" in refused.json["detail"]


def test_s5_18_a_mandate_is_kept_by_staff_and_ended_by_its_customer(
    doras: Program, olga_for: Callable[[Account], Program], dora: Account
) -> None:
    body = {"reference": "M-18", "signed_on": "2026-04-02", "iban": IBAN}
    assert doras.post("/ops/mandates", body).status_code == 403
    staff = olga_for(dora)
    refused = staff.post("/ops/mandates", body | {"iban": IBAN[:-1] + "9"})
    assert refused.status_code == 422 and refused.json is not None
    assert [error["path"] for error in refused.json["errors"]] == ["/iban"]
    kept = staff.post("/ops/mandates", body)
    assert kept.status_code == 201 and kept.json is not None
    assert (kept.json["holder"], kept.json["iban"]) == ("dora", "DE02 •••• 2051")
    assert [m["reference"] for m in items(doras.get("/mandates"))] == ["M-18", "M-17"]
    (coming,) = items(doras.get("/mandates/next-debits"))
    assert (coming["amount"], coming["collect_on"]) == ("35.70", "2026-04-13")
    assert coming["asked"] is False
    ended = doras.post("/mandates/end", {"reason": "another bank"})
    assert ended.json is not None and ended.json["ended_why"] == "another bank"
    assert items(doras.get("/mandates/next-debits")) == []
    assert doras.post("/mandates/end", {"reason": "again"}).status_code == 409


def test_h1_a_stranger_sees_no_mandate_of_doras(doras: Program, cobalts: Program) -> None:
    assert len(items(doras.get("/mandates"))) == 1
    for path in ("/mandates", "/mandates/next-debits"):
        assert items(cobalts.get(path)) == []
    assert cobalts.post("/mandates/end", {"reason": "x"}).status_code == 409
    assert len(items(doras.get("/mandates"))) == 1


@pytest.mark.usefixtures("open_bank", "dora")
def test_s5_18_a_larger_file_of_the_bank_is_taken_and_says_what_to_do_with_a_still_larger_one(
    olga: Program, acmes: Program
) -> None:
    rows = "2026-04-13,1.00,EUR,nobody\n"
    large = "date,amount,currency,reference\n" + rows + "\n" * 300 * 1024
    told = olga.post("/ops/bank-files", {"content": large})
    assert told.status_code == 200 and told.json["unmatched"] == 1, told.text
    assert acmes.post("/ops/bank-files", {"content": large}).status_code == 403
    refused = olga.post("/ops/bank-files", {"content": "x" * 10 * 1024 * 1024})
    assert refused.status_code == 413 and "transfers import" in refused.json["detail"]
    assert olga.post("/ops/debit-runs", {"until": "x" * 300 * 1024}).status_code == 413
