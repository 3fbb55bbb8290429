"""Dora, in Germany, pays by debit: 35.70 is due on 13 April; and what her bank says of it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from apiflask import APIFlask

from billing.catalogue import load_catalogue
from gateway.runtime import EXTENSION
from gateway.services import accounts, debits, ledger, looks, mandates, plans, statements
from gateway.services.accounts import Account
from gateway.store.debits import Debit
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, talk
from tests.services.history import History

IBAN = "DE02120300000000202051"
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
 <Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>"""
ENTRY = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>
 <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-04-{day}</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef>
 <NtryDtls><TxDtls><Refs><EndToEndId>{name}</EndToEndId><MndtId>M-17</MndtId></Refs>{more}
 <RmtInf><Ustrd>Invoice</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""
REASON = "<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf>"


def came(name: str, amount: str = "35.70", ref: str = "IN-1") -> str:
    entry = ENTRY.format(amount=amount, sign="CRDT", day=13, ref=ref, name=name, more="")
    return CAMT.format(entries=entry)


def went_back(name: str, code: str = "AM04", amount: str = "35.70") -> str:
    more = REASON.format(code=code)
    entry = ENTRY.format(amount=amount, sign="DBIT", day=16, ref="OUT-1", name=name, more=more)
    return CAMT.format(entries=entry)


@pytest.fixture
def known(settings: Any) -> Any:
    return settings.model_copy(
        update={
            "seller_name": "Wire & Co",
            "seller_country": "DE",
            "seller_iban": "DE89370400440532013000",
            "seller_creditor_id": "DE98ZZZ09999999999",
        }
    )


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    found = Calendar(units).at(2026, 3, 3, 9)
    document = load_catalogue()["payg"] | {
        "name": "Pay later",
        "currency": "EUR",
        "mode": "postpaid",
        "credit_limit": "500.00",
        "settlement": "cycle",
        "suspension": {"notices": [{"day": 0, "channels": ["email"]}], "suspend_day": 7},
        "statement": {"due_days": 10},
        "alerts": {"balance": []},
    }
    with found.units.begin() as uow:
        plans.publish_plan(uow, "pay_later", document, OLGA)
    return found


@pytest.fixture
def open_bank(app: APIFlask, calendar: Calendar, known: Any) -> None:
    """The seller's settings are there, and the application tells Dora's time."""
    runtime = app.extensions[EXTENSION]
    token = runtime.settings.bootstrap_ops_token
    settings = known.model_copy(update={"bootstrap_ops_token": token})
    app.extensions[EXTENSION] = replace(runtime, settings=settings, units=calendar.units)


def sign(calendar: Calendar, account: Account, reference: str = "M-17") -> None:
    with calendar.units.begin() as uow:
        mandates.keep(
            uow,
            account.scope,
            reference=reference,
            signed_on=dt.date(2026, 3, 2),
            holder="Dora GmbH",
            iban=f" {IBAN.lower()} ",
            actor=OLGA,
        )


@pytest.fixture
def dora(calendar: Calendar) -> Account:
    """In Germany, 30.00 and 19 % on the statement of 1 April, due on Monday, 13 April."""
    account = open_account(calendar, "dora", "pay_later", currency="EUR", country="DE")
    sign(calendar, account)
    history = History(calendar.units, account)
    did = history.number("+14155550100")
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, did, 18_000)
    calendar.at(2026, 4, 1, 0, 6)
    looks.drain(calendar.units, "DE")
    calendar.at(2026, 4, 8, 9)
    return account


def statement_of(calendar: Calendar, account: Account) -> statements.StatementView:
    with calendar.units.read() as uow:
        return statements.list_statements(uow, account.scope).items[-1]


def balance(calendar: Calendar, account: Account) -> int:
    with calendar.units.read() as uow:
        for proof in ledger.verify(uow.connection, account.tenant_id):
            assert proof.report.ok and sum(proof.report.balances.values()) == 0
        return accounts.get_account(uow, account.scope).balance_micros


def only(calendar: Calendar) -> Debit:
    with calendar.units.read() as uow:
        (only,) = debits.list_debits(uow).items
    return only.debit
