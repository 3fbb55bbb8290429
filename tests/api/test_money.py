"""Balance, top-ups, adjustments, ledger and explanations over the API."""

from collections.abc import Callable

import pytest

from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.services.history import History, Target

PAY = {"amount": "50.00", "method": "manual", "reason": "Invoice 7"}


def test_staff_top_up_and_the_balance_is_there(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account
) -> None:
    paid = olga_for(acme).post("/top-ups", PAY)
    assert paid.status_code == 201 and paid.json is not None
    assert (paid.json["amount"], paid.json["balance_after"]) == ("50.00", "50.00")
    balance = acmes.get("/balance").json
    assert balance is not None
    assert (balance["balance"], balance["currency"], balance["status"]) == (
        "50.00",
        "USD",
        "active",
    )


def test_s5_19_a_top_up_by_hand_answers_what_the_customer_paid_with_its_tax(
    olga_for: Callable[[Account], Program], acme: Account
) -> None:
    olga = olga_for(acme)
    assert olga.patch(f"/accounts/{acme.id}", {"country": "DE"}).status_code == 200
    paid = olga.post("/top-ups", PAY).json
    assert paid is not None and paid["balance_after"] == "50.00"
    assert (paid["vat"], paid["total"]) == ("9.50", "59.50")


def test_83_seconds_at_five_cents_leave_49_930834(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account, units: UnitsOfWork
) -> None:
    olga_for(acme).post("/top-ups", PAY)
    history = History(units, acme)
    call_sid = history.call(history.number("+14155550100"), talk=83)
    balance, ledger = acmes.get("/balance").json, acmes.get("/ledger").json
    assert balance is not None and ledger is not None
    assert balance["balance"] == "49.930834", "S5-02"
    charge, top_up = ledger["items"]
    assert (charge["kind"], charge["amount"], charge["balance_after"]) == (
        "usage",
        "-0.069166",
        "49.930834",
    )
    assert (charge["call_sid"], charge["billed_seconds"], charge["rate_per_minute"]) == (
        call_sid,
        83,
        "0.0500",
    )
    assert (top_up["kind"], top_up["amount"], top_up["reason"]) == ("topup", "50.00", "Invoice 7")
    assert acmes.get(f"/ledger/{charge['id']}").json == charge
    explained = acmes.get(f"/ledger/{charge['id']}/explanation").json
    assert explained is not None
    assert explained["words"].startswith("83 s × $0.0500/min, inbound leg, per second, plan PAYG")
    assert "caused by webhook completed at " in explained["words"]
    assert explained["amount"] == "0.069166"
    assert explained["steps"][-1]["value"] == 69_166
    only = acmes.get("/ledger", kind="topup").json
    assert only is not None and [line["kind"] for line in only["items"]] == ["topup"]


def test_a_repeated_request_pays_once_and_hears_the_first_answer(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account
) -> None:
    olga = olga_for(acme)
    first = olga.post("/top-ups", PAY, Idempotency_Key="invoice-7")
    again = olga.post("/top-ups", PAY, Idempotency_Key="invoice-7")
    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = olga.post("/top-ups", PAY | {"amount": "60.00"}, Idempotency_Key="invoice-7")
    assert other.status_code == 409 and other.json is not None
    assert other.json["code"] == "idempotency_key_reused"
    balance = acmes.get("/balance").json
    assert balance is not None and balance["balance"] == "50.00"


def test_one_key_names_different_requests_of_different_accounts(
    olga_for: Callable[[Account], Program],
    acmes: Program,
    bolts: Program,
    acme: Account,
    bolt: Account,
) -> None:
    for account in (acme, bolt):
        assert olga_for(account).post("/top-ups", PAY, Idempotency_Key="k").status_code == 201
    for program in (acmes, bolts):
        balance = program.get("/balance").json
        assert balance is not None and balance["balance"] == "50.00"


def test_without_a_key_every_request_is_a_new_one(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account
) -> None:
    for _ in range(2):
        olga_for(acme).post("/top-ups", PAY)
    balance = acmes.get("/balance").json
    assert balance is not None and balance["balance"] == "100.00"


def test_a_refused_request_may_be_sent_again_with_its_key(
    olga_for: Callable[[Account], Program], acme: Account
) -> None:
    olga = olga_for(acme)
    assert olga.post("/top-ups", PAY | {"reason": " "}, Idempotency_Key="k").status_code == 422
    assert olga.post("/top-ups", PAY | {"reason": " "}, Idempotency_Key="k").status_code == 422


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "caf\u00e9"])
def test_a_key_that_is_none_is_refused(
    olga_for: Callable[[Account], Program], acme: Account, key: str
) -> None:
    answer = olga_for(acme).post("/top-ups", PAY, Idempotency_Key=key)
    assert answer.status_code == 400 and answer.json is not None
    assert answer.json["code"] == "idempotency_key_invalid"


def test_a_customer_does_not_top_up_by_hand(acmes: Program) -> None:
    assert acmes.post("/top-ups", PAY).status_code == 403
    balance = acmes.get("/balance").json
    assert balance is not None and balance["balance"] == "0.00"


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "1e3", "1,000", "0.0000001", "", "NaN", "\uff11", 50, 50.0, None, True, "9" * 13],
)
def test_an_amount_is_plain_decimal_text_above_zero(
    olga_for: Callable[[Account], Program], acme: Account, amount: object
) -> None:
    answer = olga_for(acme).post("/top-ups", PAY | {"amount": amount})
    assert answer.status_code == 422 and answer.json is not None
    assert [error["path"] for error in answer.json["errors"]] == ["/amount"]


def test_staff_adjust_both_ways_and_say_why(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account
) -> None:
    olga = olga_for(acme)
    given = olga.post("/ops/adjustments", {"amount": "5.00", "reason": "Goodwill"})
    assert given.status_code == 201 and given.json is not None
    assert (given.json["amount"], given.json["balance_after"]) == ("5.00", "5.00")
    for _ in range(2):
        taken = olga.post(
            "/ops/adjustments",
            {"amount": "-2.50", "reason": "Paid twice"},
            Idempotency_Key="fix-1",
        )
        assert taken.json is not None
        assert (taken.json["amount"], taken.json["balance_after"]) == ("-2.50", "2.50")
    explained = acmes.get(f"/ledger/{taken.json['id']}/explanation").json
    assert explained is not None and "Paid twice" in explained["words"]
    assert olga.post("/ops/adjustments", {"amount": "1.00", "reason": ""}).status_code == 422
    assert acmes.post("/ops/adjustments", {"amount": "5.00", "reason": "x"}).status_code == 403


def test_the_audit_trail_names_who_did_what(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account
) -> None:
    olga_for(acme).post("/top-ups", PAY)
    first = acmes.get("/audit", limit=1).json
    assert first is not None
    assert [(line["action"], line["actor"]) for line in first["items"]] == [
        ("account.topped_up", "bootstrap token")
    ]
    rest = acmes.get("/audit", after=first["next"]).json
    assert rest is not None
    assert "account.created" in [line["action"] for line in rest["items"]]


def test_cobalt_sees_no_line_of_acmes_ledger(
    olga_for: Callable[[Account], Program], cobalts: Program, acmes: Program, acme: Account
) -> None:
    olga_for(acme).post("/top-ups", PAY)
    (line,) = acmes.get("/ledger").json["items"]  # type: ignore[index]
    assert cobalts.get("/ledger").json == {"items": [], "next": None}
    for path in (f"/ledger/{line['id']}", f"/ledger/{line['id']}/explanation"):
        assert cobalts.get(path).status_code == 404


def test_calls_are_listed_read_and_exported_with_both_legs(
    olga_for: Callable[[Account], Program],
    acmes: Program,
    cobalts: Program,
    acme: Account,
    units: UnitsOfWork,
) -> None:
    olga_for(acme).post("/top-ups", PAY)
    history = History(units, acme)
    number_id = history.number("+14155550100", "Front desk", "Google")
    call_sid = history.call(number_id, Target(talk=83), source="Google")
    (call,) = acmes.get("/calls", source="Google", outcome="answered").json["items"]  # type: ignore[index]
    assert (call["call_sid"], call["from"], call["currency"]) == (call_sid, "+12125550199", "USD")
    assert [(leg["direction"], leg["talk_seconds"]) for leg in call["legs"]] == [
        ("inbound", 83),
        ("outbound", 83),
    ]
    assert call["charge"] == "0.138332"
    detail = acmes.get(f"/calls/{call_sid}").json
    assert detail is not None and call.items() <= detail.items()
    assert len(detail["postings"]) == 2 and detail["timeline"]
    csv = acmes.send("GET", "/calls.csv", query_string={"number_id": str(number_id)}, buffered=True)
    assert csv.mimetype == "text/csv" and "'+12125550199" in csv.text
    assert acmes.get("/calls", since="2030-01-01T00:00:00Z").json == {"items": [], "next": None}
    assert cobalts.get("/calls").json == {"items": [], "next": None}
    assert cobalts.get(f"/calls/{call_sid}").status_code == 404


def test_every_charge_is_null_until_it_is_settled(
    acmes: Program, acme: Account, units: UnitsOfWork
) -> None:
    history = History(units, acme)
    call_sid = history.call(history.number("+14155550100"), Target(talk=60), settle=False)
    call = acmes.get(f"/calls/{call_sid}").json
    assert call is not None and call["charge"] is None
    for leg in call["legs"]:
        assert (leg["charge"], leg["billed_seconds"], leg["rate_per_minute"]) == (None,) * 3


def test_a_voicemail_is_played_over_the_api(
    acmes: Program, cobalts: Program, acme: Account, units: UnitsOfWork
) -> None:
    history = History(units, acme)
    call_sid = history.call(history.number("+14155550100"), voicemail=True, talk=12)
    history.voicemail(call_sid, b"ID3 sound")
    (recording,) = acmes.get(f"/calls/{call_sid}").json["recordings"]  # type: ignore[index]
    path = recording["media"].removeprefix("/api/v1")
    sound = acmes.get(path)
    assert (sound.mimetype, sound.data) == ("audio/mpeg", b"ID3 sound")
    assert cobalts.get(path).status_code == 404
