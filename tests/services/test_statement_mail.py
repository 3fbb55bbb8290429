"""The mail about a statement brings its paper, an e-invoice where one can be made (S5-16)."""

import io
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from gateway.providers.mail import Mail
from gateway.services import accounts, deeds, einvoices, statement_files, statement_mail
from gateway.services.accounts import Account
from gateway.store.mail import MailRow
from tests.services.conftest import OLGA
from tests.services.days import Calendar
from tests.services.test_statements import (  # noqa: F401  March, and its statement
    SELLER,
    calendar,
    invoice,
    march,
)


class Postman:
    """Keeps what it was given."""

    name = "postman"

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


def deliver(calendar: Calendar, settings: Any) -> Mail:  # noqa: F811
    postman = Postman()
    for _ in range(2):
        handlers = statement_mail.handlers(calendar.units, postman, settings)
        deeds.work(calendar.units, "notify", handlers)
    (mail,) = (mail for mail in postman.mails if "statement" in mail.subject)
    return mail


def kept(calendar: Calendar) -> list[str]:  # noqa: F811
    with calendar.units.read() as uow:
        found = uow.connection.scalars(
            select(MailRow.attachments).where(MailRow.key.startswith("statement:"))
        )
        return list(found.one())


def test_s5_16_the_mail_brings_the_e_invoice_that_the_pages_give(
    calendar: Calendar,  # noqa: F811
    invoice: tuple[Account, Any],  # noqa: F811
    settings: Any,
) -> None:
    account, view = invoice
    known = settings.model_copy(update=SELLER)
    mail = deliver(calendar, known)
    assert mail.to == account.billing_email and view.label in mail.subject
    (file,) = mail.attachments
    assert (file.name, file.media_type) == (f"{view.label}.pdf", "application/pdf")
    assert file.read() == einvoices.factur_x(calendar.units, account.scope, view.id, known)
    (data,) = PdfReader(io.BytesIO(file.read())).attachments["factur-x.xml"]
    assert view.label.encode() in data
    assert kept(calendar) == [f"{view.label}.pdf"]


def test_where_no_e_invoice_can_be_made_the_plain_paper_comes(
    calendar: Calendar,  # noqa: F811
    invoice: tuple[Account, Any],  # noqa: F811
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account, view = invoice
    monkeypatch.setattr(einvoices, "LIBRARIES", ("not_on_this_machine",))
    (file,) = deliver(calendar, settings.model_copy(update=SELLER)).attachments
    assert file.read() == statement_files.pdf(calendar.units, account.scope, view.id, settings)
    assert not PdfReader(io.BytesIO(file.read())).attachments


def test_an_account_that_wants_no_file_gets_the_words_alone(
    calendar: Calendar,  # noqa: F811
    invoice: tuple[Account, Any],  # noqa: F811
    settings: Any,
) -> None:
    account, view = invoice
    with calendar.units.begin() as uow:
        accounts.update_account(uow, account.scope, {"attach_statement": False}, OLGA)
    mail = deliver(calendar, settings)
    assert mail.attachments == () and f"/billing/statements/{view.id}" in mail.body
    assert kept(calendar) == []
