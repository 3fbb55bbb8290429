"""Numbers and their forwarding over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.providers.telephony import OutcomeUnknown, ProviderError
from gateway.services.accounts import Account
from tests.api.conftest import Program
from tests.services.conftest import FakeCarrier

NUMBER = "+14155550142"
PLAN = {
    "pattern": "simultaneous",
    "targets": [
        {"type": "number", "address": "+14155550101", "ring_seconds": 20},
        {"type": "number", "address": "+14155550102", "ring_seconds": 20},
    ],
    "otherwise": {"pattern": "voicemail", "say": "Please leave a message."},
}


@pytest.fixture
def number(acmes: Program, acme: Account, fund: Callable[..., None]) -> dict[str, Any]:
    """Acme's new number."""
    fund(acme, "50.00")
    answer = acmes.post("/numbers", {"phone_number": NUMBER, "label": "Front desk"})
    assert answer.status_code == 201 and answer.json is not None
    return answer.json


def test_prices_are_shown_before_the_purchase(acmes: Program) -> None:
    answer = acmes.get("/numbers/available", country="US", type="local", area_code="415")
    assert answer.json is not None
    offer = answer.json["items"][0]
    assert (offer["phone_number"], offer["currency"]) == (NUMBER, "USD")
    assert offer["inbound_per_minute"] == "0.0500"
    assert float(offer["rental_per_month"]) > 0


def test_a_number_is_bought_pointed_at_us_and_its_first_month_deducted(
    acmes: Program, number: dict[str, Any], carrier: FakeCarrier
) -> None:
    assert (number["phone_number"], number["status"]) == (NUMBER, "active")
    assert acmes.get(f"/numbers/{number['id']}").json == number
    listed = acmes.get("/numbers").json
    assert listed is not None and listed["items"] == [number]
    (bought,) = carrier.bought.values()
    assert bought.urls.voice_url == "http://gateway.test/webhooks/twilio/voice"
    ledger = acmes.get("/ledger", kind="rental").json
    assert ledger is not None
    assert [line["amount"] for line in ledger["items"]] == ["-" + number["rental_per_month"]]


def test_the_same_key_never_buys_twice_also_when_the_answer_was_lost(
    acmes: Program, acme: Account, fund: Callable[..., None], carrier: FakeCarrier
) -> None:
    fund(acme, "50.00")
    carrier.next_failure, carrier.takes_effect = OutcomeUnknown("no answer"), True
    carrier.reachable = False
    lost = acmes.post("/numbers", {"phone_number": NUMBER}, Idempotency_Key="n1")
    assert lost.status_code == 503
    carrier.reachable = True
    again = acmes.post("/numbers", {"phone_number": NUMBER}, Idempotency_Key="n1")
    more = acmes.post("/numbers", {"phone_number": NUMBER}, Idempotency_Key="n1")
    assert (again.status_code, more.status_code) == (201, 201)
    assert again.json == more.json and more.headers["Idempotency-Replayed"] == "true"
    assert carrier.purchases == 1


def test_without_balance_nothing_is_bought(bolts: Program, carrier: FakeCarrier) -> None:
    answer = bolts.post("/numbers", {"phone_number": NUMBER})
    assert answer.status_code == 402 and answer.json is not None
    assert answer.json["code"] == "balance_too_low"
    assert carrier.purchases == 0


def test_the_carriers_refusal_comes_in_its_words(
    acmes: Program, acme: Account, fund: Callable[..., None], carrier: FakeCarrier
) -> None:
    fund(acme, "50.00")
    carrier.next_failure = ProviderError("That number is taken.", permanent=True, code=21422)
    answer = acmes.post("/numbers", {"phone_number": NUMBER})
    assert answer.status_code == 409 and answer.json is not None
    assert "taken" in answer.json["detail"]


def test_a_label_changes_and_a_release_is_asked_for_once(
    acmes: Program, number: dict[str, Any]
) -> None:
    path = f"/numbers/{number['id']}"
    changed = acmes.patch(path, {"source": "Radio"})
    assert changed.json == number | {"source": "Radio"}
    first, again = acmes.delete(path), acmes.delete(path)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json is not None and first.json["status"] == "releasing"
    assert again.json == first.json
    assert acmes.get(path).json == first.json, "it does not vanish"


def test_a_plan_is_published_read_changed_and_sent_back(
    acmes: Program, number: dict[str, Any]
) -> None:
    path = f"/numbers/{number['id']}/forwarding"
    assert acmes.get(path).status_code == 404, "nothing is published yet"
    published = acmes.put(path, PLAN | {"note": "Both phones"})
    assert published.status_code == 200 and published.json is not None
    assert (published.json["version"], published.json["note"]) == (1, "Both phones")
    assert published.json["pattern"] == "simultaneous"
    assert published.json["targets"][0]["address"] == "+14155550101"
    assert "voicemail" in published.json["reading"]
    assert acmes.get(path).json == published.json
    second = acmes.put(path, published.json | {"targets": PLAN["targets"][:1]})
    assert second.json is not None and second.json["version"] == 2
    history = acmes.get(f"{path}/versions", limit=1).json
    assert history is not None and [v["version"] for v in history["items"]] == [2]
    older = acmes.get(f"{path}/versions", limit=1, after=history["next"]).json
    assert older is not None and [v["version"] for v in older["items"]] == [1]
    restored = acmes.post(f"{path}/versions/1/restore")
    assert restored.status_code == 201 and restored.json is not None
    assert restored.json["version"] == 3
    assert restored.json["targets"] == published.json["targets"]
    assert acmes.post(f"{path}/versions/9/restore").status_code == 404


@pytest.mark.parametrize(
    "plan, path",
    [
        pytest.param({"pattern": "carousel"}, "/pattern", id="S3-11 an unknown pattern"),
        pytest.param({}, "", id="S3-11 no pattern"),
        pytest.param(
            PLAN | {"targets": [{"type": "number", "address": "12"}]},
            "/targets/0/address",
            id="S3-13 a bad number",
        ),
        pytest.param(
            PLAN | {"targets": [{"type": "number", "address": NUMBER}]},
            "/targets/0/address",
            id="F4 a loop through our own number",
        ),
        pytest.param(
            PLAN
            | {"targets": [{"type": "number", "address": f"+141555501{n:02}"} for n in range(11)]},
            "/targets",
            id="S3-10 more than ten at once",
        ),
        pytest.param(
            PLAN | {"targets": [{"type": "number", "address": "+8821234567"}]},
            "/targets/0/address",
            id="S3-12 a satellite phone",
        ),
        pytest.param(
            PLAN | {"otherwise": {"pattern": "say", "text": ""}},
            "/otherwise/text",
            id="S3-15 an empty branch",
        ),
        pytest.param(PLAN | {"colour": "red"}, "/colour", id="H2 an unknown field"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_path_of_the_field(
    acmes: Program, number: dict[str, Any], plan: dict[str, Any], path: str
) -> None:
    answer = acmes.put(f"/numbers/{number['id']}/forwarding", plan)
    assert answer.status_code == 422 and answer.json is not None
    assert path in [error["path"] for error in answer.json["errors"]]


def test_what_would_happen_is_told_with_path_documents_legs_and_price(
    acmes: Program, number: dict[str, Any]
) -> None:
    path = f"/numbers/{number['id']}/forwarding"
    acmes.put(path, PLAN)
    played = acmes.post(
        f"{path}/preview",
        {
            "caller": "+12125550199",
            "at": "2026-03-04T03:00:00Z",
            "answers": [{"address": "+14155550102", "after_seconds": 5, "talk_seconds": 60}],
        },
    )
    assert played.status_code == 200 and played.json is not None
    preview = played.json
    assert preview["outcome"] == "talked" and preview["refusal"] is None
    assert "<Dial" in preview["documents"][0]["twiml"]
    assert {leg["to"]: leg["talk_seconds"] for leg in preview["legs"]}["+14155550101"] == 0
    assert float(preview["total"]) == sum(float(leg["charge"]) for leg in preview["legs"])
    assert float(preview["cheapest"]) <= float(preview["total"]) <= float(preview["dearest"])
    unpublished = acmes.post(f"{path}/preview", {"plan": {"pattern": "reject", "reason": "busy"}})
    assert unpublished.json is not None and unpublished.json["outcome"] == "rejected"
    assert acmes.post(f"{path}/preview", {"plan": {"pattern": "x"}}).status_code == 422


def test_cobalt_reaches_nothing_of_acmes_number(
    acmes: Program, cobalts: Program, number: dict[str, Any]
) -> None:
    path = f"/numbers/{number['id']}"
    acmes.put(f"{path}/forwarding", PLAN)
    assert cobalts.get("/numbers").json == {"items": [], "next": None}
    for answer in (
        cobalts.get(path),
        cobalts.patch(path, {"label": "mine"}),
        cobalts.delete(path),
        cobalts.get(f"{path}/forwarding"),
        cobalts.put(f"{path}/forwarding", PLAN),
        cobalts.get(f"{path}/forwarding/versions"),
        cobalts.post(f"{path}/forwarding/versions/1/restore"),
        cobalts.post(f"{path}/forwarding/preview", {"plan": PLAN}),
    ):
        assert answer.status_code == 404, answer.request.path
    assert acmes.get(path).json == number | {
        "forwarding_version_id": acmes.get(f"{path}/forwarding").json["version_id"]  # type: ignore[index]
    }
