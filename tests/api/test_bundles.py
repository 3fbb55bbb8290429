"""Bundles of minutes over the API, and the ways in that a plan refuses (C6)."""

from collections.abc import Callable
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import accounts, plans
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program

SELLS: dict[str, Any] = load_catalogue()["payg"] | {
    "name": "Bundles",
    "pool": {"minutes": 10},
    "topup": {
        "manual": False,
        "card": False,
        "bundles": [{"minutes": 500, "price": "20.00"}, {"minutes": 100, "price": "5.00"}],
    },
}
CLOSED = SELLS | {"topup": {"manual": False, "card": False}}


@pytest.fixture
def move(
    units: UnitsOfWork, acme: Account, fund: Callable[..., None]
) -> Callable[[dict[str, Any]], None]:
    """Acme, with 50.00, on such a plan."""
    fund(acme, "50.00")

    def to(document: dict[str, Any]) -> None:
        with units.begin() as uow:
            plans.publish_plan(uow, "moved", document, "olga")
            accounts.update_account(uow, acme.scope, {"plan_code": "moved"}, "olga")

    return to


def test_s4_11_a_bundle_is_bought_once_by_its_key_and_counts_in_the_minutes(
    acmes: Program, cobalts: Program, move: Any
) -> None:
    move(SELLS)
    offers = acmes.get("/bundle-offers").json["items"]
    assert [(o["minutes"], o["price"], o["price_per_minute"]) for o in offers] == [
        (100, "5.00", "0.05"),
        (500, "20.00", "0.04"),
    ]
    first, again = (
        acmes.post("/bundles", {"minutes": 100}, Idempotency_Key="one") for _ in range(2)
    )
    assert first.status_code == again.status_code == 201 and first.json == again.json
    bought = first.json
    assert (bought["status"], bought["remaining_seconds"], bought["used_seconds"]) == (
        "active",
        6_000,
        0,
    )
    assert bought["ends_at"] == offers[0]["ends_at"]
    assert acmes.get("/balance").json["balance"] == "45.00"
    assert acmes.get("/minutes").json["remaining_seconds"] == 6_600
    assert [one["id"] for one in acmes.get("/bundles").json["items"]] == [bought["id"]]
    assert acmes.get(f"/bundles/{bought['id']}").json == bought
    assert cobalts.get(f"/bundles/{bought['id']}").status_code == 404
    other = acmes.post("/bundles", {"minutes": 500}, Idempotency_Key="one")
    assert other.status_code == 409


def test_s4_11_the_price_is_there_before_the_purchase_and_must_be_covered(
    acmes: Program, move: Any
) -> None:
    move(SELLS | {"topup": {"bundles": [{"minutes": 100, "price": "50.01"}]}})
    refused = acmes.post("/bundles", {"minutes": 100})
    assert (refused.status_code, refused.json["code"]) == (402, "balance_too_low")
    assert "top up 0.01 USD first" in refused.json["detail"]
    assert acmes.get("/balance").json["balance"] == "50.00"


def test_s4_11_a_plan_that_sells_none_is_a_refusal_that_leads_on(acmes: Program, move: Any) -> None:
    move(CLOSED)
    refused = acmes.post("/bundles", {"minutes": 100})
    assert (refused.status_code, refused.json["code"]) == (403, "not_for_sale")
    assert refused.json["detail"] == "Your plan sells no single minutes: ask for a larger plan."
    assert refused.json["see"] == "/billing/plan"
    assert acmes.get("/bundle-offers").json["items"] == []


def test_c6_a_top_up_that_the_plan_refuses_is_a_correction_for_staff(
    acme: Account, acmes: Program, olga_for: Any, move: Any
) -> None:
    move(CLOSED)
    by_hand = {"amount": "5.00", "method": "manual", "reason": "goodwill"}
    refused = olga_for(acme).post("/top-ups", by_hand)
    assert (refused.status_code, refused.json["code"]) == (403, "not_for_sale")
    assert "post an adjustment with its reason" in refused.json["detail"]
    given = olga_for(acme).post("/ops/adjustments", {"amount": "5.00", "reason": "goodwill"})
    assert given.status_code == 201 and given.json["balance_after"] == "55.00"
