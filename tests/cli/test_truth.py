"""What if, putting right and proving, from a terminal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from gateway import db
from gateway.config import Settings
from gateway.services import accounts, plans, statement
from gateway.services.accounts import Account
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


def test_m04_the_ledger_is_exported_and_proven_elsewhere(
    ringledger: Ringledger, account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.jsonl"
    told = ringledger.json("ledger", "export", str(file), "--account", "Acme")
    assert told["lines"] == len(file.read_bytes().splitlines())
    proven = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert proven.returncode == 0 and "Everything holds" in proven.stdout
    assert json.loads(file.read_bytes().splitlines()[-1])["lines"] == told["lines"] - 1
    assert not list(tmp_path.glob("*.part")), "a half-written ledger never bears its name"


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
