"""What if, putting right and proving, from a terminal."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from billing.formulas import evaluate
from billing.money import format_amount
from gateway import db
from gateway.config import Settings
from gateway.services import accounts, plans, renewals, statement
from gateway.services.accounts import Account, NewAccount
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON
from tests.services.history import MOBILE, History, Target

Ringledger = Any  # the fixture: a callable terminal
VERIFIER = Path(__file__).parents[2] / "verify_ledger.py"
PERIOD = ("--since", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture
def units(ringledger: Ringledger, settings: Settings) -> UnitsOfWork:
    return UnitsOfWork(db.engine_for(settings.database_url), lambda: NOON)


@pytest.fixture
def account(units: UnitsOfWork, ringledger: Ringledger, acme: Any) -> Account:
    """Acme, paid up, after one conversation."""
    ringledger.json("ops", "top-up", "Acme", "50.00", "--reason", "Paid")
    with units.read() as uow:
        (found,) = accounts.list_accounts(uow)
    history = History(units, found)
    history.call(history.number("+14155550100"), Target(MOBILE, talk=83))
    return found


def test_m02_what_if_prints_the_difference_and_writes_every_leg(
    ringledger: Ringledger, account: Account, tmp_path: Path
) -> None:
    same = ringledger.json("what-if", "Acme", *PERIOD)
    assert (same["difference"], same["differing_legs"], same["legs"]) == ("0.00", 0, 2)
    legs = tmp_path / "legs.csv"
    other = ringledger.json(
        "what-if", "Acme", "--plan", "started_minute", *PERIOD, "--legs", str(legs)
    )
    assert other["differing_legs"] == 2 and other["difference"] != "0.00"
    head, *rows = legs.read_text().splitlines()
    assert head.startswith("leg,call,started_at") and len(rows) == 2
    assert "'+14155550100" in rows[0]
    assert (
        "2 of 2 legs differ"
        in ringledger("what-if", "Acme", "--plan", "started_minute", *PERIOD).output
    )
    assert ringledger("what-if", "Acme", "--plan", "gold", *PERIOD).exit_code == 1


def verify(file: Path) -> subprocess.CompletedProcess[str]:
    """With nothing of ours at hand but the one file."""
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_m04_the_ledger_is_exported_and_proven_elsewhere(
    ringledger: Ringledger, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.jsonl"
    told = ringledger.json("ledger", "export", str(file), "--account", "Acme")
    assert told["lines"] == len(file.read_bytes().splitlines())
    proven = verify(file)
    assert proven.returncode == 0 and "Everything holds" in proven.stdout
    assert json.loads(file.read_bytes().splitlines()[-1])["lines"] == told["lines"] - 1
    assert not list(tmp_path.glob("*.part")), "a half-written ledger never bears its name"


@pytest.fixture
def credited(units: UnitsOfWork, ringledger: Ringledger) -> Account:
    """A month with included credit, a part of it used; the rest expired, and April's is there."""
    credit = {"included": {"credit": "10.00"}, "access_fee": {"month": "20.00"}}
    with units.begin() as uow:
        plans.publish_plan(uow, "credit", dict(load_catalogue()["payg"]) | credit, "olga")
        new = NewAccount(name="Dora", billing_email="d@dora.test", plan_code="credit")
        dora = accounts.create_account(uow, new, "olga")
    history = History(units, dora)
    history.call(history.number("+14155550177"), Target(MOBILE, talk=83))
    april = dt.datetime(2026, 4, 1, 4, 1, tzinfo=dt.UTC)
    renewals.drain(UnitsOfWork(units.engine, lambda: april))
    return dora


def test_s5_20_included_credit_is_explained_line_by_line(
    ringledger: Ringledger, units: UnitsOfWork, credited: Account
) -> None:
    kinds = ("included_credit", "credit_expiry")
    with units.read() as uow:
        found = statement.list_postings(uow, credited.scope, None, 9, kinds).items
    used = 2 * 69_166
    expected = [
        ("10.00", "1 × 10000000", "paid by the access fee"),
        (format_amount(used - 10_000_000), f"10000000 - {used}", "less what calls and texts used"),
        ("10.00", "1 × 10000000", "until the cycle ends"),
    ]
    assert len(found) == len(expected)
    for line, (amount, formula, words) in zip(reversed(found), expected, strict=True):
        why = ringledger.json("explain", line.id)
        (step,) = why["steps"]
        assert (why["amount"], step["formula"]) == (amount, formula)
        assert evaluate(step["formula"]) == step["value"] == abs(line.amount_micros)
        assert words in why["words"] and words in ringledger("explain", line.id).output


def test_m04_included_credit_is_proven_elsewhere_and_a_grant_that_was_touched_is_noticed(
    ringledger: Ringledger, credited: Account, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.jsonl"
    ringledger.json("ledger", "export", str(file), "--account", "Dora")
    proven = verify(file)
    assert proven.returncode == 0 and "Everything holds" in proven.stdout
    lines = file.read_text().splitlines()
    for kind in ("included_credit", "credit_expiry"):
        place = next(n for n, line in enumerate(lines) if json.loads(line).get("kind") == kind)
        line = json.loads(lines[place])
        touched = lines[place].replace("Included credit", "Included Credit")
        touched = touched.replace("Unused included", "Unused Included")
        file.write_text("\n".join([*lines[:place], touched, *lines[place + 1 :], ""]))
        found = verify(file)
        assert found.returncode == 1
        assert f"({line['key']}) is not what was hashed" in found.stdout


def test_a_line_is_undone_with_a_reason(
    ringledger: Ringledger, account: Account, units: UnitsOfWork
) -> None:
    with units.read() as uow:
        (line, *_) = statement.list_postings(uow, account.scope, None, 9, ("usage",)).items
    undone = ringledger.json("ops", "reverse", "Acme", line.id, "--reason", "A test of ours")
    assert undone["amount"] == "0.069166"
    again = ringledger.json("ops", "reverse", "Acme", line.id, "--reason", "A test of ours")
    assert again == undone
    refused = ringledger("ops", "reverse", "Acme", undone["id"], "--reason", "x")
    assert refused.exit_code == 1 and "adjustment" in refused.stderr


def test_a_period_is_priced_anew_only_with_a_reason(
    ringledger: Ringledger, account: Account, units: UnitsOfWork
) -> None:
    payg = dict(load_catalogue()["payg"])
    inbound = [row | {"per_minute": "0.50"} for row in payg["tariff"]["inbound"]]
    with units.begin() as uow:
        plans.publish_plan(
            uow, "payg", payg | {"tariff": payg["tariff"] | {"inbound": inbound}}, "olga"
        )
    words = ("ops", "re-rate", "Acme", "--plan", "payg", "--wrong", "1", "--right", "2", *PERIOD)
    seen = ringledger.json(*words)
    assert (seen["done"], seen["legs"], seen["charged_instead"]) == (False, 1, "0.691666")
    with units.read() as uow:
        assert uow.connection.scalar(text("select sum(charge_micros) from leg")) == 2 * 69_166
    done = ringledger.json(*words, "--reason", "Typed wrongly")
    assert (done["done"], done["legs"]) == (True, 1)
    assert "0 legs would be priced anew" in ringledger(*words).output


def test_m05_a_day_is_compared_at_once(ringledger: Ringledger, account: Account) -> None:
    told = ringledger.json("ops", "reconcile", "2026-03-04")
    assert (told["legs_ours"], told["legs_theirs"], told["found"]) == (2, 0, 2)
    assert "2 differences, 0 healed" in ringledger("ops", "reconcile", "2026-03-04").output
