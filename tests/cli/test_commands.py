"""The commands of `ringledger`, by what they print and how they exit."""

from typing import Any

import pytest
from sqlalchemy import text

from gateway import db
from gateway.bootstrap import utc_now
from gateway.config import Settings
from gateway.services import accounts
from gateway.uow import UnitsOfWork

Ringledger = Any  # the fixture: a callable terminal


def test_upgrading_publishes_the_catalogue_once(ringledger: Ringledger) -> None:
    again = ringledger.json("db", "upgrade")
    assert again["published"] == [] and again["revision"]


def test_a_plan_whose_prices_were_changed_is_left_alone(
    ringledger: Ringledger, settings: Settings
) -> None:
    with db.engine_for(settings.database_url).begin() as connection:
        before = connection.execute(text("select count(*) from plan_version")).scalar()
    ringledger.json("db", "upgrade")
    with db.engine_for(settings.database_url).begin() as connection:
        assert connection.execute(text("select count(*) from plan_version")).scalar() == before


def test_an_account_is_opened_listed_and_shown_by_name(ringledger: Ringledger, acme: Any) -> None:
    assert (acme["balance"], acme["currency"], acme["plan"]) == ("0.00", "USD", "payg")
    assert [one["id"] for one in ringledger.json("account", "list")] == [acme["id"]]
    assert ringledger.json("account", "show", "acme") == acme
    assert ringledger.json("account", "show", acme["id"]) == acme
    assert "Acme" in ringledger("account", "list").output


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(["account", "show", "Nobody"], 1, "no account", id="an unknown name"),
        pytest.param(
            ["account", "show", "0197f000-0000-7000-8000-000000000000"],
            1,
            "no account",
            id="an unknown id",
        ),
        pytest.param(
            ["account", "create", "--name", "X", "--email", "nonsense"],
            1,
            "billing_email",
            id="an address that is none",
        ),
        pytest.param(["ops", "top-up", "Acme", "1,50", "--reason", "x"], 2, "", id="a comma"),
        pytest.param(["ops", "top-up", "Acme", "5.00"], 2, "--reason", id="no reason"),
        pytest.param(["token", "issue", "--name", "x"], 2, "--account", id="a token for nobody"),
        pytest.param(["explain", "12"], 2, "tenant", id="half a posting id"),
        pytest.param(["fly"], 2, "fly", id="an unknown command"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    ringledger: Ringledger, acme: Any, words: list[str], code: int, says: str
) -> None:
    result = ringledger(*words)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output


def test_settings_that_are_wrong_are_listed_together(
    ringledger: Ringledger, environ: dict[str, str]
) -> None:
    environ.update(PUBLIC_URL="nonsense", TWILIO_ACCOUNT_SID="AC1")
    result = ringledger("account", "list")
    assert result.exit_code == 2
    assert "PUBLIC_URL" in result.output and "TWILIO_AUTH_TOKEN" in result.output


def test_without_a_database_the_cure_is_named(
    ringledger: Ringledger, environ: dict[str, str]
) -> None:
    environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/none"
    result = ringledger("account", "list")
    assert result.exit_code == 1
    assert "ringledger up" in result.output


def test_money_moves_with_a_reason_and_once_per_key(ringledger: Ringledger, acme: Any) -> None:
    words = ("ops", "top-up", "Acme", "50.00", "--reason", "wire 17", "--key", "w17")
    first, again = ringledger.json(*words), ringledger.json(*words)
    assert (first["balance"], again["balance"]) == ("50.00", "50.00")
    assert (first["repeated"], again["repeated"]) == (False, True)
    taken = ringledger.json("ops", "adjust", "Acme", "-12.345678", "--reason", "mistake")
    assert taken["balance"] == "37.654322"
    below = ringledger.json("ops", "adjust", "Acme", "-40", "--reason", "test")
    assert below["status"] == "suspended"
    assert ringledger.json("ops", "top-up", "Acme", "10", "--reason", "x")["status"] == "active"


def test_c6_a_top_up_that_the_plan_refuses_is_a_correction(ringledger: Ringledger) -> None:
    new = ("account", "create", "--name", "Pool", "--email", "p@pool.test")
    ringledger.json(*new, "--plan", "command_center")
    money = ("Pool", "50.00", "--reason", "wire 18")
    refused = ringledger("ops", "top-up", *money)
    assert refused.exit_code == 1 and "post an adjustment with its reason" in refused.output
    assert ringledger.json("ops", "adjust", *money)["balance"] == "11.00", "39.00 is its fee"


def test_s5_19_a_vat_id_is_confirmed_with_its_evidence(ringledger: Ringledger, acme: Any) -> None:
    none = ringledger("ops", "confirm-vat-id", "Acme", "--evidence", "VIES")
    assert none.exit_code == 1 and "has no VAT id" in none.output


def test_s5_19_what_is_known_of_a_vat_id_is_shown_and_asked_again(
    ringledger: Ringledger, settings: Settings, acme: Any
) -> None:
    assert "vat_id" not in ringledger.json("account", "show", "Acme")
    with UnitsOfWork(db.engine_for(settings.database_url), utc_now).begin() as uow:
        (account,) = accounts.list_accounts(uow)
        changes = {"country": "DE", "vat_id": "DE136695976"}
        accounts.update_account(uow, account.scope, changes, "acme")
    off = ringledger("ops", "ask-vat-id", "Acme")
    assert off.exit_code == 1 and "set VAT_CHECK" in off.output
    ringledger.environ["VAT_CHECK"] = "ask"
    assert ringledger.json("ops", "ask-vat-id", "Acme") == {"vat_id": "DE136695976"}
    shown = ringledger.json("account", "show", "Acme")
    assert (shown["register_said"], shown["vat_id_confirmed_at"]) == (None, None)
    assert shown["register_asked_next_at"]
    ringledger("ops", "confirm-vat-id", "Acme", "--evidence", "VIES WAPI1")
    taken = ringledger.json("ops", "withdraw-vat-id", "Acme", "--reason", "another company's")
    assert taken == {"vat_id": "DE136695976"}
    assert ringledger.json("account", "show", "Acme")["vat_id_withdrawn_at"]


def test_a_posting_is_explained_and_the_ledger_proven(
    ringledger: Ringledger, settings: Settings, acme: Any
) -> None:
    ringledger("ops", "top-up", "Acme", "50.00", "--reason", "wire 17")
    why = ringledger.json("explain", f"{acme['id']}-1")
    assert (why["amount"], why["balance_after"]) == ("50.00", "50.00")
    assert "wire 17" in why["words"]
    proof = ringledger.json("ledger", "verify")
    assert proof["ok"] and proof["tenants"][0]["lines"] == 1
    assert ringledger.json("ledger", "verify", "--account", "Acme")["ok"]
    assert ringledger("explain", f"{acme['id']}-99").exit_code == 1


def test_a_balance_that_was_tampered_with_is_found(
    ringledger: Ringledger, settings: Settings, acme: Any
) -> None:
    ringledger("ops", "top-up", "Acme", "50.00", "--reason", "wire 17")
    with db.engine_for(settings.database_url).begin() as connection:
        connection.execute(text("update ledger_account set balance_micros = balance_micros + 1"))
    result = ringledger("ledger", "verify")
    assert result.exit_code == 1
    assert "NOT PROVEN" in result.output and "FAULT" in result.output


def test_tokens_are_issued_listed_and_revoked(ringledger: Ringledger, acme: Any) -> None:
    issued = ringledger.json("token", "issue", "--account", "Acme", "--name", "Zapier")
    assert issued["token"].startswith("rl_")
    plain = ringledger("token", "issue", "--ops", "--name", "Pager").output.strip()
    assert plain.startswith("rl_")
    listed = ringledger.json("token", "list", "--account", "Acme")
    assert [one["name"] for one in listed] == ["Zapier"]
    assert "token" not in listed[0]
    gone = ringledger.json("token", "revoke", issued["id"], "--account", "Acme")
    assert gone["revoked_at"]
    assert ringledger("token", "revoke", issued["id"], "--ops").exit_code == 1


def test_people_get_log_ins_and_new_passwords(ringledger: Ringledger, acme: Any) -> None:
    made = ringledger.json("ops", "create-login", "--email", "olga@x.test", "--name", "Olga")
    assert made["role"] == "ops" and len(made["password"]) >= 12
    words = ("ops", "create-login", "--email", "ann@x.test", "--name", "Ann", "--account", "Acme")
    quiet = ringledger(*words, "--password-stdin", input="a long pass phrase\n")
    assert quiet.exit_code == 0 and "pass phrase" not in quiet.output
    assert ringledger(*words).exit_code == 1, "the address is taken"
    assert ringledger.json("ops", "reset-password", "ann@x.test")["password"]
    assert ringledger("ops", "reset-password", "eve@x.test").exit_code == 1


def test_settling_with_nothing_due_says_so(ringledger: Ringledger, acme: Any) -> None:
    assert ringledger.json("settle") == {"legs": 0, "failed_accounts": 0}


def test_simulations_need_a_number_and_a_sandbox(
    ringledger: Ringledger, environ: dict[str, str], acme: Any
) -> None:
    nobody = ringledger("simulate", "storm", "--calls", "3")
    assert nobody.exit_code == 1 and "buy a number" in nobody.output
    environ.update(TWILIO_ACCOUNT_SID="AC" + "1" * 32, TWILIO_AUTH_TOKEN="x" * 32)
    real = ringledger("simulate", "call")
    assert real.exit_code == 1 and "sandbox carrier only" in real.output
    environ.update(TWILIO_ACCOUNT_SID="", TWILIO_AUTH_TOKEN="", TWILIO_API_URL="http://127.0.0.1:9")
    away = ringledger("simulate", "call")
    assert away.exit_code == 1 and "ringledger up" in away.output
