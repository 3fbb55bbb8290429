"""Why, what if, and is it true: over the API, each answer checked against the document."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import plans, publications, reconciling
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.services.history import MOBILE, START, History, Target

Fund = Callable[..., None]
PERIOD = {"since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}


@pytest.fixture
def history(units: UnitsOfWork, acme: Account, fund: Fund) -> History:
    fund(acme, "50.00")
    history = History(units, acme)
    history.call(history.number("+14155550100"), Target(MOBILE, talk=83))
    return history


def dearer() -> dict[str, Any]:
    payg = dict(load_catalogue()["payg"])
    inbound = [row | {"per_minute": "0.50"} for row in payg["tariff"]["inbound"]]
    return payg | {"tariff": payg["tariff"] | {"inbound": inbound}}


def answer(response: Any, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json
    return body


def test_m02_a_customer_asks_what_another_plan_would_have_cost(
    acmes: Program, history: History
) -> None:
    same = answer(acmes.post("/what-if", PERIOD))
    assert same["total"]["difference"] == "0.00" and same["differing_legs"] == 0
    other = answer(acmes.post("/what-if", PERIOD | {"plan": "started_minute"}))
    assert (other["plan"], other["version"]) == ("started_minute", 1)
    assert other["calls"]["items"] == 2 and other["differing_legs"] == 2
    (number,) = other["numbers"]
    assert number["difference"] == other["total"]["difference"] != "0.00"
    assert sum(leg["would_have_billed_seconds"] for leg in other["legs"]) == 240
    assert number["account_id"] == other["legs"][0]["account_id"] == str(history.account.id)
    assert (other["clients"]["items"], other["clients"]["charged"]) == (0, "0.00")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"plan": "gold"}, "/plan", id="a plan that there is not"),
        pytest.param({"plan": "payg", "version": 9}, "/version", id="a version that there is not"),
        pytest.param({"plan": "carrier_cost"}, "/plan", id="what we pay ourselves"),
        pytest.param({"since": "2026-03-01T00:00:00"}, "/since", id="an instant without offset"),
        pytest.param({"until": "2026-01-01T00:00:00Z"}, "/until", id="an end before the start"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_at_its_field(
    acmes: Program, change: dict[str, Any], path: str
) -> None:
    refused = answer(acmes.post("/what-if", PERIOD | change), 422)
    assert [error["path"] for error in refused["errors"]] == [path]


def test_s5_06_the_rates_are_those_of_the_plan_in_force(acmes: Program, history: History) -> None:
    rates = answer(acmes.get("/rates"))
    assert (rates["plan"], rates["version"], rates["currency"]) == ("payg", 1, "USD")
    shown = next(r for r in rates["items"] if (r["section"], r["label"]) == ("inbound", "US local"))
    posted = [item for item in answer(acmes.get("/ledger"))["items"] if item["kind"] == "usage"]
    (line,) = (item for item in posted if item["leg_sid"] == item["call_sid"])
    assert line["rate_per_minute"].rstrip("0") == shown["price"].rstrip("0")


def test_m14_staff_undoes_a_line_and_customers_do_not(
    acmes: Program, olga_for: Callable[[Account], Program], acme: Account, history: History
) -> None:
    line = next(i for i in answer(acmes.get("/ledger"))["items"] if i["kind"] == "usage")
    path = f"/ops/ledger/{line['id']}/reversal"
    assert answer(acmes.post(path, {"reason": "x"}), 403)
    olga = olga_for(acme)
    undone = answer(olga.post(path, {"reason": "A test of ours"}), 201)
    assert undone["kind"] == "reversal" and undone["reason"] == "A test of ours"
    assert f"-{undone['amount']}" == line["amount"]
    assert answer(olga.post(path, {"reason": "Again"}), 201) == undone
    assert answer(olga.post(f"/ops/ledger/{undone['id']}/reversal", {"reason": "x"}), 409)


def test_a_period_is_priced_anew_as_its_preview_said(
    units: UnitsOfWork,
    acmes: Program,
    olga_for: Callable[[Account], Program],
    acme: Account,
    history: History,
) -> None:
    with units.begin() as uow:
        wrong = plans.get_plan(uow, "payg")
        right = plans.publish_plan(uow, "payg", dearer(), "olga")
    olga = olga_for(acme)
    body = PERIOD | {"wrong": str(wrong.id), "right": str(right.id)}
    assert answer(acmes.post("/ops/re-ratings/preview", body), 403)
    seen = answer(olga.post("/ops/re-ratings/preview", body))
    assert (seen["legs"], seen["changing"], seen["difference"]) == (2, 1, "-0.6225")
    done = answer(olga.post("/ops/re-ratings", body | {"reason": "Typed wrongly"}))
    assert (done["legs"], done["charged_instead"]) == (1, seen["charged_instead"])
    again = answer(olga.post("/ops/re-ratings", body | {"reason": "Typed wrongly"}))
    assert again["legs"] == 0
    unknown = body | {"right": "0197f000-0000-7000-8000-000000000000"}
    assert (
        answer(olga.post("/ops/re-ratings/preview", unknown), 422)["errors"][0]["path"] == "/right"
    )


def test_a_plan_is_checked_before_it_is_published_on_its_date(
    olga: Program, acmes: Program, units: UnitsOfWork, acme: Account
) -> None:
    checked = answer(olga.post("/ops/plan-checks", {"code": "payg", "document": dearer()}))
    assert {change["before"] for change in checked["changes"]} == {"0.05", "0.07", "0.12"} or all(
        change["after"] == "0.50" for change in checked["changes"]
    )
    assert (checked["version"], checked["accounts"]) == (1, 1)
    refused = answer(olga.post("/ops/plan-checks", {"code": "payg", "document": {"name": ""}}), 422)
    assert "/document/tariff" in {error["path"] for error in refused["errors"]}
    order = answer(
        olga.post(
            "/ops/plan-publications",
            {"code": "payg", "document": dearer(), "from": "2099-01-01T00:00:00Z"},
        ),
        422,
    )
    assert order["errors"][0]["path"].endswith("/from")
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    order = answer(
        olga.post(
            "/ops/plan-publications", {"code": "payg", "document": dearer(), "from": tomorrow}
        ),
        201,
    )
    listed = answer(olga.get("/ops/plan-publications"))
    assert [one["id"] for one in listed["items"]] == [order["id"]]
    assert olga.delete(f"/ops/plan-publications/{order['id']}").status_code == 204
    assert answer(olga.get("/ops/plan-publications"))["items"] == []
    with units.begin() as uow:
        publications.publish(uow, "payg", dearer(), "olga")
    publications.publish_due(units)
    compared = answer(acmes.get("/plans/payg/comparison", before=1, after=2))
    assert {line["after"] for line in compared["changes"]} == {"0.50"}
    assert answer(acmes.get("/plans/payg/comparison", before=1, after=9), 404)
    assert answer(acmes.get("/plans/carrier_cost/comparison", before=1, after=1), 404)


def test_m05_staff_reads_nights_drift_and_margins(
    olga: Program, history: History, units: UnitsOfWork
) -> None:
    assert answer(olga.get("/ops/drift")) == {"items": [], "next": None}
    assert answer(olga.get("/ops/reconciliations"))["items"] == []
    assert olga.post("/ops/reconciliations", {"day": "2026-03-03"}).status_code == 202
    (run,) = answer(olga.get("/ops/reconciliations"))["items"]
    assert (run["day"], run["finished_at"]) == ("2026-03-03", None)
    with units.read() as uow:
        assert reconciling.due_day(uow) == dt.date(2026, 3, 3)
    refused = answer(olga.post("/ops/reconciliations", {"day": "2099-01-01"}), 422)
    assert refused["errors"][0]["path"] == "/day"
    answer(olga.get("/ops/margins"))


def test_the_period_of_the_history_is_the_one_that_is_asked_for() -> None:
    assert PERIOD["since"] < START.isoformat() < PERIOD["until"]
