"""The paper of a receipt: frozen with the credit, by mail where it is wanted, to its own alone."""

import io

import pytest
from pypdf import PdfReader

from gateway.config import Settings
from gateway.providers.mail import Mail
from gateway.services import (
    accounts,
    credit_receipts,
    deeds,
    ledger,
    payment_notices,
    receipt_files,
)
from gateway.services.accounts import Account
from gateway.services.errors import NotFound
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account


class Postman:
    name = "smtp"

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    return Calendar(units).at(2026, 3, 4, 12)


@pytest.fixture
def dora(calendar: Calendar) -> Account:
    """A business in France whose VAT id was looked up; 50.00 came in."""
    dora = open_account(calendar, "dora", "payg", country="FR")
    with calendar.units.begin() as uow:
        changes = {"vat_id": "FR40303265045", "legal_name": "Dora SARL", "address": "1 rue"}
        accounts.update_account(uow, dora.scope, changes, OLGA)
        accounts.confirm_vat_id(uow, dora.scope, "VIES", OLGA)
        paid = credit_receipts.paid_by_hand(uow, dora.scope, 50_000_000, "DE")
        ledger.top_up(
            uow, dora.scope, amount_micros=50_000_000, method="transfer", reason="RF-1",
            actor=OLGA, idempotency_key="k", payment=paid,
        )  # fmt: skip
    return dora


def deliver(calendar: Calendar, settings: Settings) -> Mail:
    postman = Postman()
    deeds.work(
        calendar.units, "notify", payment_notices.handlers(calendar.units, postman, settings)
    )
    (mail,) = (mail for mail in postman.mails if "receipt" in mail.subject)
    return mail


def test_s5_19_the_mail_brings_the_paper_that_pages_and_programs_give(
    calendar: Calendar, dora: Account, settings: Settings
) -> None:
    mail = deliver(calendar, settings)
    (file,) = mail.attachments
    key = f"topup:{file.name.removeprefix('receipt-').removesuffix('.pdf')}"
    assert f"Reference:        {key}" in mail.body
    first = file.read()
    assert first == receipt_files.pdf(calendar.units, dora.scope, key, settings)
    text = PdfReader(io.BytesIO(first)).pages[0].extract_text()
    for wanted in ("Dora SARL", "FR40303265045", "Reverse charge", "50.00", key):
        assert wanted in text, wanted


def test_a_receipt_stays_what_it_was_whatever_the_account_and_the_seller_become(
    calendar: Calendar, dora: Account, settings: Settings
) -> None:
    (file,) = deliver(calendar, settings).attachments
    key = f"topup:{file.name.removeprefix('receipt-').removesuffix('.pdf')}"
    first = file.read()
    with calendar.units.begin() as uow:
        accounts.update_account(uow, dora.scope, {"legal_name": "Other", "vat_id": ""}, OLGA)
    renamed = settings.model_copy(update={"seller_name": "Another House"})
    assert receipt_files.pdf(calendar.units, dora.scope, key, renamed) == first


def test_an_account_that_wants_no_file_gets_the_words_alone(
    calendar: Calendar, dora: Account, settings: Settings
) -> None:
    with calendar.units.begin() as uow:
        accounts.update_account(uow, dora.scope, {"attach_statement": False}, OLGA)
    mail = deliver(calendar, settings)
    assert mail.attachments == () and "Balance after it: 50.00 USD" in mail.body


def test_there_is_no_receipt_for_a_stranger_nor_for_what_is_no_credit(
    calendar: Calendar, dora: Account, settings: Settings
) -> None:
    ann = open_account(calendar, "ann", "payg")
    with calendar.units.begin() as uow:
        given = ledger.adjust(
            uow, dora.scope, amount_micros=1_000_000, reason="goodwill", actor=OLGA,
            idempotency_key="gift",
        )  # fmt: skip
        taken = ledger.adjust(
            uow, dora.scope, amount_micros=-1_000_000, reason="mistake", actor=OLGA,
            idempotency_key="back",
        )  # fmt: skip
    assert receipt_files.pdf(calendar.units, dora.scope, given.key, settings).startswith(b"%PDF")
    for scope, key in ((ann.scope, given.key), (dora.scope, taken.key)):
        with pytest.raises(NotFound):
            receipt_files.pdf(calendar.units, scope, key, settings)
