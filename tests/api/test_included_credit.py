"""Included credit over the API: in the account, its ledger, a change of plan and a replay."""

import datetime as dt
from typing import Any

import pytest
from apiflask import APIFlask

from billing.catalogue import load_catalogue
from gateway.services import accounts, plans, tokens
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.services.history import History, Target


@pytest.fixture
def program(app: APIFlask, units: UnitsOfWork, acme: Account, fund: Any) -> Program:
    """Acme's, with 10.00 of credit and a call of 1.00."""
    document = load_catalogue()["payg"] | {"name": "Ten", "included": {"credit": "10.00"}}
    fund(acme, "50.00")
    with units.begin() as uow:
        plans.publish_plan(uow, "ten", document, "olga")
        thirty = document | {"name": "Thirty", "included": {"credit": "30.00"}}
        plans.publish_plan(uow, "thirty", thirty, "olga")
        account = accounts.update_account(uow, acme.scope, {"plan_code": "ten"}, "olga")
        token, _ = tokens.issue_token(uow, acme.scope, "program", "account", "olga")
    history = History(units, account)
    did = history.number("+14155550199")
    history.call(did, Target(talk=600), at=units.clock() - dt.timedelta(minutes=11))
    return Program(app, token)


def test_the_account_document_has_the_credit_and_a_list_does_not(
    program: Program, acme: Account, bolt: Account, olga: Program
) -> None:
    seen = program.get(f"/accounts/{acme.id}").json
    assert seen["balance"] == "59.00"
    credit = seen["included_credit"]
    assert (credit["granted"], credit["used"], credit["left"]) == ("10.00", "1.00", "9.00")
    assert credit["starts_on"] < credit["ends_on"]
    assert olga.get(f"/accounts/{bolt.id}").json["included_credit"] is None
    assert "included_credit" not in olga.get("/accounts").json["items"][0]


def test_its_lines_its_why_a_preview_and_a_replay(program: Program) -> None:
    (line,) = program.get("/ledger", kind="included_credit").json["items"]
    assert (line["amount"], line["balance_after"]) == ("10.00", "60.00")
    why = program.get(f"/ledger/{line['id']}/explanation").json
    assert why["steps"][-1]["formula"] == "1 × 10000000"
    preview = program.post("/plan-change/preview", {"plan": "thirty"}).json
    assert preview["included_credit"] == "20.00"
    now = dt.datetime.now(dt.UTC)
    period = {
        "since": (now - dt.timedelta(days=2)).isoformat(),
        "until": (now + dt.timedelta(days=1)).isoformat(),
    }
    for asked in ({}, {"plan": "ten"}):
        replay = program.post("/what-if", period | asked).json
        assert replay["total"]["difference"] == "0.00"
        assert replay["included"]["charged"] == "-1.00"
