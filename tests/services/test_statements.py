"""Statements of a month: the ledger's own figures, once per period, numbered without gaps."""

import csv
import datetime as dt
import io
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from pypdf import PdfReader

from billing.credits import Payment
from billing.money import format_amount, parse_amount
from gateway.services import (
    accounts,
    einvoices,
    ledger,
    looks,
    spreadsheet,
    statement,
    statement_files,
    statement_issuing,
    statements,
)
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, SellerIncomplete
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay, talk
from tests.services.history import History, Target

DESK_NUMBER = "+14155550100"


@pytest.fixture
def calendar(units: UnitsOfWork) -> Calendar:
    return Calendar(units)


def issued(calendar: Calendar, account: Account) -> list[statements.StatementView]:
    """Oldest first."""
    with calendar.units.read() as uow:
        return list(statements.list_statements(uow, account.scope, limit=200).items)[::-1]


@pytest.fixture
def march(calendar: Calendar, on_sale: None) -> tuple[Account, History, Any]:
    """An account of 3 March with 50.00, a number and one call of 83 s."""
    calendar.at(2026, 3, 3, 9)
    account = open_account(calendar, "acme", "payg")
    pay(calendar, account, "50.00")
    history = History(calendar.units, account)
    did = history.number(DESK_NUMBER)
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, did, 83)
    return account, history, did


def test_s5_16_the_statement_of_a_month_is_the_ledger_to_the_micro(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    calendar.at(2026, 4, 1, 0, 6)
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 1
    (view,) = issued(calendar, account)
    with calendar.units.read() as uow:
        lines = statement.list_postings(uow, account.scope).items
    assert view.stored.opening_micros == 0
    assert view.stored.credits_micros - view.stored.charges_micros == sum(
        line.amount_micros for line in lines
    )
    assert view.stored.closing_micros == lines[0].balance_after_micros == 49_861_668
    assert (view.starts_on, view.ends_on) == (dt.date(2026, 3, 3), dt.date(2026, 3, 31))
    charges = view.document["charges"]
    assert {(c["description"], c["number"], c["rate_micros"], c["seconds"]) for c in charges} == {
        ("Inbound leg", DESK_NUMBER, 50_000, 83),
        ("Forwarded leg", DESK_NUMBER, 50_000, 83),
    }


def test_s5_17_c8_prepaid_owes_nothing_even_when_overdrawn(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, history, did = march
    talk(calendar, history, did, 40_000)
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    (view,) = issued(calendar, account)
    assert view.stored.closing_micros < 0
    assert view.stored.owed_micros == 0
    assert view.document["overdrawn_micros"] == -view.stored.closing_micros
    assert view.document["paid_from_credit_micros"] == view.stored.charges_micros
    assert view.stored.due_on is None


def test_s5_16_a_month_without_usage_has_its_statement_too(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    calendar.at(2026, 7, 1, 1)
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 4
    views = issued(calendar, account)
    assert [view.starts_on.month for view in views] == [3, 4, 5, 6]
    assert [view.stored.charges_micros for view in views[1:]] == [0, 0, 0]
    for before, after in pairwise(views):
        assert after.stored.opening_micros == before.stored.closing_micros
        assert after.stored.first_seq == before.stored.last_seq + 1
        assert after.starts_on == before.ends_on + dt.timedelta(days=1)


def test_s5_16_numbers_have_no_gaps_and_a_second_run_issues_nothing(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    client = open_account(calendar, "client", "payg", parent_id=account.id)
    calendar.at(2026, 6, 1, 1)
    looks.drain(calendar.units, "US")
    looks.drain(calendar.units, "US")
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 0
    views = [*issued(calendar, account), *issued(calendar, client)]
    assert sorted(view.stored.number for view in views) == [1, 2, 3, 4, 5, 6]
    series = account.tenant_id.hex[-8:].upper()
    assert sorted(view.label for view in views)[0] == f"{series}-000001"


@pytest.mark.parametrize(
    "plan, first, second",
    [
        pytest.param("payg", (3, 31), (4, 30), id="C14 calendar months"),
        pytest.param("command_center", (3, 16), (4, 16), id="C14 the cycle of the plan: 17 to 16"),
    ],
)
def test_c14_a_statement_follows_its_own_anchor(
    calendar: Calendar,
    on_sale: None,
    plan: str,
    first: tuple[int, int],
    second: tuple[int, int],
) -> None:
    account = open_account(calendar.at(2026, 3, 3, 9), "acme", plan)
    calendar.at(2026, 5, 1, 9)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    ends = [(view.ends_on.month, view.ends_on.day) for view in issued(calendar, account)]
    assert ends == [first, second]


def test_c14_a_plan_with_another_anchor_leaves_no_day_out_and_none_twice(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    calendar.at(2026, 5, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    with calendar.units.begin() as uow:
        accounts.update_account(uow, account.scope, {"plan_code": "command_center"}, OLGA)
    calendar.at(2026, 6, 20, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    views = issued(calendar, account)
    days = [(view.starts_on, view.ends_on) for view in views]
    assert days[1:] == [
        (dt.date(2026, 4, 1), dt.date(2026, 4, 30)),
        (dt.date(2026, 5, 1), dt.date(2026, 5, 16)),
        (dt.date(2026, 5, 17), dt.date(2026, 6, 16)),
    ]


def test_a_line_of_the_next_month_is_not_on_the_statement_however_late_that_is_issued(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, history, did = march
    calendar.at(2026, 3, 31, 23, 59)
    talk(calendar, history, did, 60)
    calendar.at(2026, 4, 1, 0, 0)
    talk(calendar, history, did, 60)
    calendar.at(2026, 5, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    first, second = issued(calendar, account)
    assert first.stored.charges_micros == 138_332 + 100_000
    assert second.stored.charges_micros == 100_000


def test_a_statement_waits_five_minutes_for_late_lines(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    calendar.at(2026, 4, 1, 0, 4)
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 0
    calendar.at(2026, 4, 1, 0, 5)
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 1


def test_s5_16_the_csv_has_every_leg_and_sums_to_the_charges(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, history, did = march
    history.call(did, Target(talk=None), Target(talk=0), talk=0, at=calendar.now)
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    (view,) = issued(calendar, account)
    text = "".join(
        spreadsheet.csv_lines(statement_files.leg_rows(calendar.units, account.scope, view.id))
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 5, "two legs of the answered call, three of the one nobody took"
    assert sum(parse_amount(row["charge"]) for row in rows) == view.stored.charges_micros
    assert {row["rate_per_minute"] for row in rows if row["charge"] != "0.00"} == {"0.0500"}
    assert {row["number"] for row in rows} == {f"'{DESK_NUMBER}"}, "no cell is a formula"


def test_the_pdf_is_kept_as_it_was_first_made(
    calendar: Calendar, march: tuple[Account, History, Any], settings: Any
) -> None:
    account, _, _ = march
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    (view,) = issued(calendar, account)
    first = statement_files.pdf(calendar.units, account.scope, view.id, settings)
    renamed = settings.model_copy(update={"seller_name": "Another"})
    assert statement_files.pdf(calendar.units, account.scope, view.id, renamed) == first
    assert first.startswith(b"%PDF-1.7") and b"pdfaid:part" in first


def test_s5_19_the_tax_that_came_with_a_payment_is_on_the_statement_of_its_month(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    account, _, _ = march
    with calendar.units.begin() as uow:
        ledger.top_up(
            uow,
            account.scope,
            amount_micros=20_000_000,
            method="transfer",
            reason="with tax",
            actor=OLGA,
            idempotency_key="taxed",
            payment=Payment(20_000_000, 3_800_000, 1900, "VAT 19 % (DE)."),
        )
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    (view,) = issued(calendar, account)
    assert view.stored.vat_micros == view.document["vat_micros"] == 3_800_000
    assert view.stored.credits_micros == 70_000_000, "the tax never was in the balance"
    assert view.stored.closing_micros == 69_861_668


def test_two_clocks_that_meet_issue_one_statement(
    calendar: Calendar, march: tuple[Account, History, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second comes between the first one's figures and its number."""
    account, _, _ = march
    calendar.at(2026, 4, 1, 1)
    take_number, met = statement_issuing.store.take_number, []

    def meet(connection: Any, tenant_id: Any) -> int:
        if not met:
            met.append(True)
            assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 1
        return take_number(connection, tenant_id)

    monkeypatch.setattr(statement_issuing.store, "take_number", meet)
    assert statement_issuing.issue_due(calendar.units, account.scope, "US") == 0
    assert [view.stored.number for view in issued(calendar, account)] == [1]


def test_a_statement_is_never_changed(
    calendar: Calendar, march: tuple[Account, History, Any]
) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    account, _, _ = march
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    with pytest.raises(DBAPIError), calendar.units.begin() as uow:
        uow.connection.execute(text("update statement set charges_micros = 0"))


SELLER = {
    "seller_name": "Wire & Co",
    "seller_address": "12 Wire Road | Bonn",
    "seller_country": "DE",
    "seller_vat_id": "DE123456789",
    "seller_tax_number": "205/5746/0123",
}


@pytest.fixture
def invoice(calendar: Calendar, march: tuple[Account, History, Any]) -> tuple[Account, Any]:
    account, _, _ = march
    calendar.at(2026, 4, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    return account, issued(calendar, account)[0]


def test_s5_16_the_e_invoice_is_the_ledger_s_and_stays_as_it_was_first_made(
    calendar: Calendar, invoice: tuple[Account, Any], settings: Any
) -> None:
    account, view = invoice
    known = settings.model_copy(update=SELLER)
    first = einvoices.xml(calendar.units, account.scope, view.id, known)
    assert f"<ram:ID>{view.label}</ram:ID>".encode() in first
    exact = format_amount(view.stored.charges_micros)
    assert f"come to {exact} USD exactly".encode() in first
    assert b"<ram:GrandTotalAmount>0.14</ram:GrandTotalAmount>" in first
    renamed = settings.model_copy(update={**SELLER, "seller_name": "Another"})
    assert einvoices.xml(calendar.units, account.scope, view.id, renamed) == first
    whole = einvoices.factur_x(calendar.units, account.scope, view.id, renamed)
    assert PdfReader(io.BytesIO(whole)).attachments["factur-x.xml"] == [first]
    assert einvoices.factur_x(calendar.units, account.scope, view.id, known) == whole


def test_an_e_invoice_that_cannot_be_made_says_why(
    calendar: Calendar,
    invoice: tuple[Account, Any],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account, view = invoice
    with pytest.raises(SellerIncomplete, match="SELLER_ADDRESS, SELLER_TAX_NUMBER"):
        einvoices.xml(calendar.units, account.scope, view.id, settings)
    calendar.at(2026, 5, 1, 1)
    statement_issuing.issue_due(calendar.units, account.scope, "US")
    quiet = issued(calendar, account)[1]
    with pytest.raises(Conflict, match="no invoice"):
        einvoices.xml(calendar.units, account.scope, quiet.id, settings)
    assert einvoices.are_offered(view) and not einvoices.are_offered(quiet)
    monkeypatch.setattr(einvoices, "LIBRARIES", ("not_on_this_machine",))
    assert not einvoices.are_offered(view)
    with pytest.raises(einvoices.NotInstalled, match="einvoice"):
        einvoices.factur_x(calendar.units, account.scope, view.id, settings)


def test_a_process_that_makes_no_e_invoice_does_not_load_its_libraries() -> None:
    code = (
        "import sys, gateway.app, workers.notify, gateway.services.einvoices;"
        "heavy = {'pycheval', 'facturx', 'pypdf', 'lxml', 'fpdf', 'sepaxml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
