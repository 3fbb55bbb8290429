"""Accounts, tokens and plans over the API."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from apiflask import APIFlask
from register import stand_in, unable, yes

from gateway.providers.vies import Vies
from gateway.runtime import EXTENSION
from gateway.services import vat_checks
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program

NEW = {"name": "Dynamo", "plan": "payg", "billing_email": "pay@dynamo.test"}


def test_staff_open_an_account_and_it_starts_empty(olga: Program, on_sale: None) -> None:
    answer = olga.post("/accounts", NEW | {"time_zone": "America/Chicago"})
    assert answer.status_code == 201
    opened = answer.json
    assert opened is not None
    assert (opened["status"], opened["balance"], opened["currency"]) == ("active", "0.00", "USD")
    assert (opened["plan"], opened["plan_version"]) == ("payg", 1)
    assert olga.get(f"/accounts/{opened['id']}").json == opened
    for detail in ("included_credit", "vat_id_standing"):
        assert opened.pop(detail) is None, "of one account, not of a list"
    assert olga.get("/accounts", query="dynamo").json == {"items": [opened], "next": None}


def test_every_mistake_in_an_account_is_answered_at_once(olga: Program, on_sale: None) -> None:
    answer = olga.post(
        "/accounts",
        {"name": "", "plan": "gold", "billing_email": "x", "time_zone": "Mars/Olympus"},
    )
    assert answer.status_code == 422 and answer.json is not None
    assert {error["path"] for error in answer.json["errors"]} == {
        "/name",
        "/plan",
        "/billing_email",
        "/time_zone",
    }


def test_accounts_are_listed_in_pages(olga: Program, on_sale: None) -> None:
    ids = []
    for n in range(5):
        answer = olga.post("/accounts", NEW | {"name": f"Dynamo {n}"}).json
        assert answer is not None
        ids.append(answer["id"])
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = olga.get("/accounts", limit=2, **after).json
        assert page is not None
        seen += [account["id"] for account in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ids[::-1]


def test_an_account_changes_what_is_named_and_nothing_else(acmes: Program, acme: Account) -> None:
    path = f"/accounts/{acme.id}"
    before = acmes.get(path).json
    changed = acmes.patch(path, {"suspended_notice": "We are closed.", "low_balance": "10.00"})
    assert changed.status_code == 200
    assert before is not None
    assert changed.json == before | {
        "suspended_notice": "We are closed.",
        "low_balance": "10.00",
    }
    cleared = acmes.patch(path, {"suspended_notice": None, "low_balance": None})
    assert cleared.json == before


@pytest.mark.parametrize(
    "field, value",
    [
        ("balance", "1000.00"),
        ("status", "active"),
        ("id", "x"),
        ("tenant_id", "x"),
        ("role", "ops"),
        ("currency", "EUR"),
    ],
)
def test_fields_that_are_not_an_accounts_to_set_are_refused_by_name(
    acmes: Program, acme: Account, field: str, value: str
) -> None:
    answer = acmes.patch(f"/accounts/{acme.id}", {field: value})
    assert answer.status_code == 422 and answer.json is not None
    assert [error["path"] for error in answer.json["errors"]] == [f"/{field}"], "H2"


def test_only_staff_move_an_account_to_another_plan(
    acmes: Program, olga: Program, acme: Account
) -> None:
    path = f"/accounts/{acme.id}"
    assert acmes.patch(path, {"plan": "payg"}).status_code == 403
    assert olga.patch(path, {"plan": "nope"}).status_code == 422
    others = [plan["code"] for plan in olga.get("/plans").json["items"]]  # type: ignore[index]
    other = next(code for code in others if code != "payg")
    moved = olga.patch(path, {"plan": other})
    assert moved.status_code == 200 and moved.json is not None and moved.json["plan"] == other


def test_a_token_is_shown_once_works_at_once_and_stops_when_revoked(
    app: APIFlask, acmes: Program, acme: Account
) -> None:
    issued = acmes.post(f"/accounts/{acme.id}/tokens", {"name": "Reporting"})
    assert issued.status_code == 201 and issued.json is not None
    reporting = Program(app, issued.json["token"])
    assert reporting.get("/balance").status_code == 200
    listed = acmes.get(f"/accounts/{acme.id}/tokens").json
    assert listed is not None
    assert issued.json["token"] not in str(listed), "H5 only its hash is kept"
    assert "Reporting" in [token["name"] for token in listed["items"]]
    path = f"/accounts/{acme.id}/tokens/{issued.json['id']}"
    assert acmes.delete(path).status_code == 204
    assert reporting.get("/balance").status_code == 401
    assert acmes.delete(path).status_code == 204, "a second time changes nothing"


def test_cobalt_can_neither_see_nor_revoke_acmes_tokens(
    acmes: Program, cobalts: Program, acme: Account, cobalt: Account
) -> None:
    issued = acmes.post(f"/accounts/{acme.id}/tokens", {"name": "Reporting"}).json
    assert issued is not None
    assert cobalts.get(f"/accounts/{acme.id}/tokens").status_code == 404
    assert cobalts.delete(f"/accounts/{acme.id}/tokens/{issued['id']}").status_code == 404
    assert cobalts.delete(f"/accounts/{cobalt.id}/tokens/{issued['id']}").status_code == 404
    assert acmes.get("/balance").status_code == 200


def test_staff_issue_and_revoke_tokens_of_staff(app: APIFlask, olga: Program) -> None:
    issued = olga.post("/ops/tokens", {"name": "Night shift"})
    assert issued.status_code == 201 and issued.json is not None
    night = Program(app, issued.json["token"])
    assert night.get("/accounts").status_code == 200
    assert olga.delete(f"/ops/tokens/{issued.json['id']}").status_code == 204
    assert night.get("/accounts").status_code == 401


def test_plans_are_read_by_anyone_and_published_by_staff(
    acmes: Program, olga: Program, on_sale: None
) -> None:
    payg = acmes.get("/plans/payg").json
    assert payg is not None
    assert acmes.get(f"/plans/{payg['id']}").json == payg
    listed = acmes.get("/plans").json
    assert listed is not None and payg in listed["items"]
    assert acmes.post("/plans", {"code": "payg", "document": payg["document"]}).status_code == 403
    again = olga.post("/plans", {"code": "payg", "document": payg["document"]})
    assert again.json is not None and again.json["version"] == 1, "nothing new, nothing published"
    document = payg["document"] | {"name": "PAYG 2027"}
    newer = olga.post("/plans", {"code": "payg", "document": document})
    assert newer.status_code == 201 and newer.json is not None and newer.json["version"] == 2
    assert acmes.get(f"/plans/{payg['id']}").json == payg, "a version is never edited"


def test_what_is_wrong_with_a_plan_is_told_with_its_path(olga: Program, on_sale: None) -> None:
    payg = olga.get("/plans/payg").json
    assert payg is not None
    broken = payg["document"] | {"currency": "usd", "colour": "blue"}
    answer = olga.post("/plans", {"code": "payg", "document": broken})
    assert answer.status_code == 422 and answer.json is not None
    assert {error["path"] for error in answer.json["errors"]} == {
        "/document/currency",
        "/document/colour",
    }


def test_the_carriers_own_prices_are_not_shown_to_customers(
    acmes: Program, olga: Program, on_sale: None
) -> None:
    from billing.catalogue import CARRIER_COST

    assert olga.get(f"/plans/{CARRIER_COST}").status_code == 200
    assert acmes.get(f"/plans/{CARRIER_COST}").status_code == 404
    assert CARRIER_COST not in str(acmes.get("/plans").json)


def test_staff_must_say_for_which_account(
    olga: Program, olga_for: Callable[[Account], Program], acme: Account
) -> None:
    answer = olga.get("/balance")
    assert answer.status_code == 400 and answer.json is not None
    assert answer.json["code"] == "account_required"
    assert olga_for(acme).get("/balance").status_code == 200
    for wrong in ("0" * 32, "acme", "\u00e9"):
        named = olga.send("GET", "/balance", headers={"Ringledger_Account": wrong})
        assert named.status_code == 404, wrong


def test_the_account_header_opens_no_other_account(
    acmes: Program, acme: Account, cobalt: Account
) -> None:
    header = {"Ringledger_Account": str(cobalt.id)}
    assert acmes.send("GET", "/balance", headers=header).status_code == 404
    header = {"Ringledger_Account": str(acme.id)}
    assert acmes.send("GET", "/balance", headers=header).status_code == 200


def test_s5_19_a_vat_id_is_written_by_its_owner_and_confirmed_by_staff(
    acme: Account, acmes: Program, olga: Program, olga_for: Any
) -> None:
    mine = f"/accounts/{acme.id}"
    wrong = acmes.patch(mine, {"country": "DE", "vat_id": "DE136695975"})
    assert wrong.status_code == 422 and wrong.json["errors"][0]["path"] == "/vat_id"
    right = acmes.patch(mine, {"country": "DE", "vat_id": "DE 136695976", "legal_name": "Acme"})
    assert (right.json["vat_id"], right.json["vat_id_checked_at"]) == ("DE136695976", None)
    waiting = olga.get("/accounts", flag="vat_id").json["items"]
    assert [one["id"] for one in waiting] == [str(acme.id)]
    evidence = {"evidence": "VIES WAPIAAAAW1"}
    assert acmes.post("/ops/vat-id-checks", evidence).status_code == 403
    confirmed = olga_for(acme).post("/ops/vat-id-checks", evidence)
    assert confirmed.status_code == 201 and confirmed.json["vat_id_checked_at"]
    assert olga.get("/accounts", flag="vat_id").json["items"] == []


def test_s5_19_what_is_known_of_a_vat_id_is_told_and_asked_again_by_staff(
    app: APIFlask, units: UnitsOfWork, acme: Account, acmes: Program, olga_for: Any
) -> None:
    mine, again = f"/accounts/{acme.id}", "/ops/vat-id-checks/question"
    assert acmes.get(mine).json["vat_id_standing"] is None
    acmes.patch(mine, {"country": "DE", "vat_id": "DE136695976"})
    assert acmes.get(mine).json["vat_id_standing"]["answer"] is None
    refused = olga_for(acme).post(again, None)
    assert refused.status_code == 409 and "set VAT_CHECK" in refused.json["detail"]
    runtime = app.extensions[EXTENSION]
    asking = runtime.settings.model_copy(update={"vat_check": "ask"})
    app.extensions[EXTENSION] = replace(runtime, settings=asking)
    assert acmes.post(again, None).status_code == 403
    with stand_in() as vies:
        vies.says(unable(), yes("ACME GMBH", "WAPIAAAA"))
        vat_checks.drain(units, Vies(vies.url), confirms=False)
        told = acmes.get(mine).json["vat_id_standing"]
        assert (told["answer"], told["answered_at"] is None) == ("unknown", False)
        assert "MS_UNAVAILABLE" in told["words"] and told["ask_at"]
        asked = olga_for(acme).post(again, None)
        assert asked.status_code == 202, asked.text
        vat_checks.drain(units, Vies(vies.url), confirms=False)
    told = acmes.get(mine).json["vat_id_standing"]
    assert (told["answer"], told["name"], told["identifier"]) == ("valid", "ACME GMBH", "WAPIAAAA")
    assert (told["ask_at"], told["withdrawn_at"]) == (None, None)
    withdrawal, body = "/ops/vat-id-checks/withdrawal", {"reason": "another company's"}
    assert olga_for(acme).post(withdrawal, body).status_code == 409
    olga_for(acme).post("/ops/vat-id-checks", {"evidence": "WAPIAAAA"})
    assert acmes.post(withdrawal, body).status_code == 403
    taken = olga_for(acme).post(withdrawal, body).json
    assert taken["vat_id_checked_at"] is None and taken["vat_id_standing"]["withdrawn_at"]
    assert taken["vat_id_standing"]["withdrawn_because"] == "another company's"


def test_s2_14_a_new_account_is_listed_until_its_address_is_confirmed_and_the_link_is_sent_again(
    acme: Account, acmes: Program, olga: Program
) -> None:
    opened = olga.post(
        "/accounts", {"name": "Dora", "plan": "payg", "billing_email": "dora@dora.test"}
    )
    assert (opened.status_code, opened.json["billing_email_confirmed_at"]) == (201, None)
    waiting = olga.get("/accounts", flag="unconfirmed").json["items"]
    assert [one["name"] for one in waiting] == ["Dora"]
    again = olga.post(f"/accounts/{opened.json['id']}/email-link", {})
    assert again.status_code == 409 and "sent a moment ago" in again.text
    assert acmes.post(f"/accounts/{opened.json['id']}/email-link", {}).status_code == 404
    mine = acmes.post(f"/accounts/{acme.id}/email-link", {})
    assert mine.status_code == 409 and "confirmed already" in mine.text
