"""Mandates and the bank's file from the command line (S5-18)."""

from pathlib import Path
from typing import Any

import pytest

from gateway.services import debit_runs
from gateway.services.accounts import Account
from tests.cli.conftest import Terminal
from tests.services.conftest import units  # noqa: F401
from tests.services.days import Calendar
from tests.services.test_debits import (  # noqa: F401  Dora, with 35.70 due on 13 April
    calendar,
    dora,
    known,
)

IBAN = "DE02120300000000202051"


@pytest.fixture
def on_sale(ringledger: Terminal) -> None:
    """`ringledger db upgrade` has published the catalogue."""


def test_s5_18_a_mandate_is_kept_and_its_number_is_shown_by_its_ends(
    ringledger: Terminal, acme: Any
) -> None:
    signed = ("--reference", "M-17", "--signed-on", "2026-03-02", "--iban")
    kept = ringledger.json("debits", "mandate", "acme", *signed, IBAN)
    assert kept == {"reference": "M-17", "holder": "Acme", "iban": "DE02 •••• 2051"}
    refused = ringledger("debits", "mandate", "acme", *signed, IBAN[:-1] + "2")
    assert refused.exit_code == 1 and "check digits" in refused.stderr


def test_s5_18_a_run_says_what_it_lacks_and_writes_no_empty_file(
    ringledger: Terminal, acme: Any, tmp_path: Path
) -> None:
    path = tmp_path / "debits.xml"
    refused = ringledger("debits", "prepare", str(path))
    assert refused.exit_code == 1 and "SELLER_CREDITOR_ID" in refused.stderr
    ringledger.environ["SELLER_IBAN"] = "DE89370400440532013000"
    ringledger.environ["SELLER_CREDITOR_ID"] = "DE98ZZZ09999999999"
    assert ringledger.json("debits", "prepare", str(path)) == {"run": None}
    assert not path.exists()
    assert ringledger.json("debits", "list") == []


def test_s5_18_a_debit_is_listed_by_the_name_of_its_account(
    ringledger: Terminal,
    calendar: Calendar,  # noqa: F811
    dora: Account,  # noqa: F811
    known: Any,  # noqa: F811
) -> None:
    debit_runs.prepare(calendar.units, known, "olga")
    (debit,) = ringledger.json("debits", "list")
    assert (debit["account"], debit["account_id"]) == ("dora", str(dora.id))
    heads, line = ringledger("debits", "list").stdout.splitlines()
    assert heads.split()[:2] == ["id", "account"] and line.split()[1] == "dora"
