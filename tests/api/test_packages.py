"""Packages, minutes and changes of plan over the API."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask

from billing.catalogue import load_catalogue
from gateway.services import accounts, plans, renewals, tokens
from gateway.services.accounts import Account, NewAccount
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.services.history import History, Target

PACKAGES: dict[str, Any] = load_catalogue()["payg"] | {
    "name": "Packages",
    "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
    "packages": [{"code": "small", "number_type": "local", "minutes": 10, "price": "0.30"}],
    "pool": {"minutes": 100},
    "access_fee": {"month": "5.00"},
}


@pytest.fixture
def program(app: APIFlask, units: UnitsOfWork) -> Callable[[Account], Program]:
    """A program of an account, with a token of its own."""

    def enter(account: Account) -> Program:
        with units.begin() as uow:
            text, _ = tokens.issue_token(uow, account.scope, "program", "account", "olga")
        return Program(app, text)

    return enter


@pytest.fixture
def shop(units: UnitsOfWork, acme: Account, fund: Callable[..., None]) -> Account:
    fund(acme, "50.00")
    with units.begin() as uow:
        plans.publish_plan(uow, "packages", PACKAGES, "olga")
        return accounts.update_account(uow, acme.scope, {"plan_code": "packages"}, "olga")


def test_one_key_buys_one_package_and_answers_it_again(shop: Account, program: Any) -> None:
    asked = {"code": "small"}
    first = program(shop).post("/packages", asked, **{"Idempotency_Key": "one"})
    again = program(shop).post("/packages", asked, **{"Idempotency_Key": "one"})
    assert first.status_code == again.status_code == 201
    assert first.json == again.json
    assert (first.json["size_seconds"], first.json["remaining_seconds"]) == (600, 600)
    assert len(program(shop).get("/packages").json["items"]) == 1
    assert program(shop).get("/balance").json["balance"] == "44.70"


def test_the_offers_are_those_of_the_plan(shop: Account, program: Any) -> None:
    (offer,) = program(shop).get("/package-offers").json["items"]
    assert (offer["code"], offer["price"], offer["price_per_minute"]) == ("small", "0.30", "0.03")


def test_s1_10_a_renewal_is_stopped_and_taken_up_again(shop: Account, program: Any) -> None:
    bought = program(shop).post("/packages", {"code": "small"}).json
    path = f"/packages/{bought['id']}"
    assert program(shop).post(f"{path}/stop").json["status"] == "stopped"
    assert program(shop).post(f"{path}/stop").json["status"] == "stopped"
    assert program(shop).post(f"{path}/renew").json["status"] == "active"


def test_s4_03_minutes_allocated_used_and_remaining(
    shop: Account, cobalt: Account, program: Any
) -> None:
    seen = program(shop).get("/minutes").json
    assert (seen["allocated_seconds"], seen["used_seconds"]) == (6_000, 0)
    assert program(cobalt).get("/minutes").json["allocated_seconds"] == 0


def test_s3_03_an_account_asks_and_staff_decides(
    shop: Account, program: Any, olga_for: Any
) -> None:
    wish = {"plan": "payg"}
    seen = program(shop).post("/plan-change/preview", wish).json
    assert (seen["fee"], seen["next_fee"], seen["channel"]) == ("0.00", "0.00", "ops_request")
    asked = program(shop).post("/plan-change", wish)
    assert (asked.status_code, asked.json["state"]) == (201, "requested")
    assert program(shop).post("/ops/plan-change/schedule", {}).status_code == 403
    agreed = olga_for(shop).post("/ops/plan-change/schedule", {})
    assert agreed.json["state"] == "scheduled"
    assert program(shop).delete("/plan-change").status_code == 204
    assert program(shop).get("/plan-change").status_code == 404


def test_c5_an_upgrade_by_itself_is_seen_before_it_comes_and_while_it_waits(
    shop: Account, units: UnitsOfWork, program: Any, olga_for: Any, fund: Callable[..., None]
) -> None:
    rule = {"exhaustion": "auto_upgrade", "upgrade": {"next_plan": "large"}}
    small = PACKAGES | {"name": "Small", "pool": {"minutes": 1}, **rule}
    large = PACKAGES | {"name": "Large", "pool": {"minutes": 9}, "access_fee": {"month": "900.00"}}
    refused = olga_for(shop).post("/plans", {"code": "small", "document": small})
    assert refused.status_code == 422
    assert refused.json["errors"][0]["path"] == "/document/upgrade/next_plan"
    for code, document in (("large", large), ("small", small)):
        published = olga_for(shop).post("/plans", {"code": code, "document": document})
        assert published.status_code == 201
    seen = program(shop).post("/plan-change/preview", {"plan": "small"}).json
    assert (seen["exhaustion"], seen["next_plan"]) == ("auto_upgrade", "large")
    top = program(shop).post("/plan-change/preview", {"plan": "large"}).json
    assert (top["exhaustion"], top["next_plan"]) == ("charge_plan_rate", None)
    with units.begin() as uow:
        opened = accounts.create_account(
            uow, NewAccount(name="Tiny", billing_email="a@tiny.test", plan_code="small"), "olga"
        )
    fund(opened, "20.00")
    history = History(units, opened)
    did_id = history.number("+14155550100")
    history.call(did_id, Target(talk=60), at=dt.datetime.now(dt.UTC))
    history.settle()
    change = program(opened).get("/plan-change").json
    assert (change["plan"], change["state"], change["automatic"]) == ("large", "scheduled", True)
    renewals.drain(units)
    change = program(opened).get("/plan-change").json
    assert change["state"] == "held" and "pay in" in change["note"]
    assert program(opened).delete("/plan-change").status_code == 204
    assert program(opened).get("/plan-change").status_code == 404


def test_s3_01_access_is_cancelled_and_resumed(shop: Account, program: Any) -> None:
    ends = program(shop).post("/subscription/cancel").json
    assert ends["renews_on"] is None and ends["access_ends_at"]
    assert program(shop).post("/subscription/resume").json["access_ends_at"] is None


def test_minutes_stand_on_the_ledger_in_seconds(shop: Account, program: Any) -> None:
    program(shop).post("/packages", {"code": "small"})
    lines = program(shop).get("/ledger").json["items"]
    issue = next(x for x in lines if x["kind"] == "issue")
    assert (issue["currency"], issue["amount"]) == ("SECONDS", "600")
    assert issue["package"] == "10 local minutes"
    why = program(shop).get(f"/ledger/{issue['id']}/explanation").json
    assert (why["amount"], why["currency"]) == ("600", "SECONDS")
