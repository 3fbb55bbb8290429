"""Credit that was paid outside: ledger, receipt and statement say the same of its tax (S5-19)."""

import pytest
from sqlalchemy import select

from billing.money import format_amount
from gateway.config import Settings
from gateway.providers.mail import SandboxMailer
from gateway.services import (
    accounts,
    credit_receipts,
    deeds,
    ledger,
    payment_notices,
    reversals,
    statement,
    statement_issuing,
    statements,
)
from gateway.services.accounts import Account
from gateway.store.ledger import PostingRow
from gateway.store.mail import MailRow
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account

ID = "DE136695976"


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    return Calendar(units).at(2026, 3, 4, 12)


def top_up(calendar: Calendar, account: Account, micros: int, *, taxed: bool = True) -> None:
    with calendar.units.begin() as uow:
        paid = credit_receipts.paid_by_hand(uow, account.scope, micros, "DE") if taxed else None
        ledger.top_up(
            uow, account.scope, amount_micros=micros, method="manual", reason="cash", actor=OLGA,
            idempotency_key=f"k{micros}", payment=paid,
        )  # fmt: skip


def receipt(calendar: Calendar, settings: Settings) -> str:
    handlers = payment_notices.handlers(calendar.units, SandboxMailer(), settings)
    deeds.work(calendar.units, "notify", handlers)
    with calendar.units.read() as uow:
        bodies = uow.connection.scalars(
            select(MailRow.body).where(MailRow.key.startswith("receipt:"))
        ).all()
    (body,) = bodies
    return str(body)


def tax(calendar: Calendar) -> int:
    """What the house holds for the state, proven with all the rest."""
    with calendar.units.read() as uow:
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok
        rows = uow.connection.execute(select(PostingRow.__table__)).all()  # type: ignore[arg-type]
    return sum(row.amount_micros * ((row.credit == "tax") - (row.debit == "tax")) for row in rows)


@pytest.mark.parametrize(
    "country, vat_id, vat, note",
    [
        pytest.param("DE", "", "9.50", "VAT 19 % (DE).", id="S5-19 at home"),
        pytest.param("FR", "", "10.00", "VAT 20 % (FR).", id="S5-19 private, abroad"),
        pytest.param("DE", ID, "9.50", "VAT 19 % (DE).", id="S5-19 a business at home"),
        pytest.param("US", "", "0.00", "No VAT: the customer is in US.", id="S5-19 overseas"),
    ],
)
def test_s5_19_ledger_receipt_and_statement_of_a_top_up_by_hand_agree(
    calendar: Calendar, settings: Settings, country: str, vat_id: str, vat: str, note: str
) -> None:
    dora = open_account(calendar, "dora", "payg", country=country)
    if vat_id:
        with calendar.units.begin() as uow:
            accounts.update_account(uow, dora.scope, {"vat_id": vat_id}, OLGA)
            accounts.confirm_vat_id(uow, dora.scope, "VIES", OLGA)
    top_up(calendar, dora, 50_000_000)
    body = receipt(calendar, settings)
    total = format_amount(50_000_000 + tax(calendar))
    assert format_amount(tax(calendar)) == vat
    assert f"{vat} USD  ({note})" in body and f"Total with VAT:   {total} USD" in body
    assert "Balance after it: 50.00 USD" in body, "the tax never is in the balance"
    calendar.at(2026, 4, 2, 12)
    statement_issuing.issue_due(calendar.units, dora.scope, "DE")
    with calendar.units.read() as uow:
        (view,) = statements.list_statements(uow, dora.scope).items
    assert format_amount(view.stored.vat_micros) == vat
    assert (view.stored.credits_micros, view.stored.closing_micros) == (50_000_000, 50_000_000)


def test_s5_19_a_receipt_states_no_tax_where_none_was_taken(
    calendar: Calendar, settings: Settings
) -> None:
    dora = open_account(calendar, "dora", "payg", country="DE")
    top_up(calendar, dora, 50_000_000, taxed=False)
    body = receipt(calendar, settings)
    assert "none was taken" in body and "Total with VAT" not in body and tax(calendar) == 0


def test_s5_19_who_takes_a_credit_back_takes_its_tax_back(calendar: Calendar) -> None:
    dora = open_account(calendar, "dora", "payg", country="DE")
    top_up(calendar, dora, 50_000_000)
    assert tax(calendar) == 9_500_000
    with calendar.units.read() as uow:
        (line,) = statement.list_postings(uow, dora.scope).items
    for _ in range(2):
        with calendar.units.begin() as uow:
            reversals.reverse_posting(uow, dora.scope, line.id, reason="bounced", actor=OLGA)
        assert tax(calendar) == 0
    with calendar.units.read() as uow:
        assert accounts.get_account(uow, dora.scope).balance_micros == 0
