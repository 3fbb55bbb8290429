"""The bank's file: credited by the number that payers wrote, once; the rest waits for people."""

from itertools import count

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from gateway.services import accounts, audit, looks, plans, statements, transfers
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.store.base import new_id
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, talk
from tests.services.history import History

HEADER = "date,amount,currency,reference,payer,bank_id\n"
_ids = count(1)
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
 <Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
 <Ntry><Amt Ccy="USD">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
  <BookgDt><Dt>2026-04-09</Dt></BookgDt><AcctSvcrRef>REF-77</AcctSvcrRef>
  <NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>Acme Inc</Nm></Pty></Dbtr></RltdPties>
   <RmtInf><Ustrd>Invoice {number}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>"""


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    found = Calendar(units).at(2026, 3, 3, 9)
    document = load_catalogue()["payg"] | {
        "name": "Pay later",
        "mode": "postpaid",
        "credit_limit": "500.00",
        "settlement": "cycle",
    }
    with found.units.begin() as uow:
        plans.publish_plan(uow, "pay_later", document, OLGA)
    return found


@pytest.fixture
def acme(calendar: Calendar) -> Account:
    """30.00 on the statement of March, 12.00 more on that of April."""
    account = open_account(calendar, "acme", "pay_later")
    history = History(calendar.units, account)
    did = history.number("+14155550100")
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, did, 18_000)
    calendar.at(2026, 4, 5, 12)
    talk(calendar, history, did, 7_200)
    calendar.at(2026, 5, 2, 12)
    looks.drain(calendar.units, "US")
    return account


def labels(calendar: Calendar, account: Account) -> list[str]:
    with calendar.units.read() as uow:
        found = statements.list_statements(uow, account.scope).items
    return [view.label for view in found][::-1]


def left(calendar: Calendar, account: Account) -> list[int]:
    with calendar.units.read() as uow:
        found = statements.list_statements(uow, account.scope).items
    return [view.outstanding_micros for view in found][::-1]


def balance(calendar: Calendar, account: Account) -> int:
    with calendar.units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def came(amount: str, reference: str, currency: str = "USD", bank_id: str = "") -> str:
    number = bank_id or f"B{next(_ids)}"
    return f'2026-05-03,{amount},{currency},"{reference}",Somebody,{number}\n'


def put(calendar: Calendar, *rows: str) -> tuple[int, int, int]:
    done = transfers.import_file(calendar.units, HEADER + "".join(rows), OLGA)
    return done.credited, done.unmatched, done.known


def test_s5_18_a_transfer_pays_the_statement_that_it_names(
    calendar: Calendar, acme: Account
) -> None:
    first, _ = labels(calendar, acme)
    assert left(calendar, acme) == [30_000_000, 42_000_000]
    assert put(calendar, came("30.00", f"inv {first.lower()} thanks")) == (1, 0, 0)
    assert left(calendar, acme) == [0, 12_000_000]
    assert balance(calendar, acme) == -12_000_000


def test_s5_18_the_newest_statement_asks_for_all_so_its_number_pays_all(
    calendar: Calendar, acme: Account
) -> None:
    _, second = labels(calendar, acme)
    assert put(calendar, came("42.00", second)) == (1, 0, 0)
    assert left(calendar, acme) == [0, 0]


def test_s5_18_two_numbers_are_paid_by_their_sum(calendar: Calendar, acme: Account) -> None:
    first, second = labels(calendar, acme)
    assert put(calendar, came("41.99", f"{first} {second}")) == (0, 1, 0)
    assert put(calendar, came("42.00", f"{first} {second}")) == (1, 0, 0)
    assert left(calendar, acme) == [0, 0]


def test_s5_18_the_same_file_twice_credits_once(calendar: Calendar, acme: Account) -> None:
    first, _ = labels(calendar, acme)
    text = CAMT.format(amount="30.00", number=first)
    for expected in ((1, 0, 0), (0, 0, 1)):
        done = transfers.import_file(calendar.units, text, OLGA)
        assert (done.credited, done.unmatched, done.known) == expected
    assert balance(calendar, acme) == -12_000_000


@pytest.mark.parametrize(
    "amount, reference, currency, why",
    [
        pytest.param("30.00", "thank you", "USD", "no number", id="S5-18 no number"),
        pytest.param("30.00", "DEADBEEF-000001", "USD", "not open", id="S5-18 nobody's number"),
        pytest.param("30.00", "{first}", "EUR", "another currency", id="S5-18 euros for dollars"),
    ],
)
def test_s5_18_what_is_not_certain_waits_for_people(
    calendar: Calendar, acme: Account, amount: str, reference: str, currency: str, why: str
) -> None:
    reference = reference.format(first=labels(calendar, acme)[0])
    assert put(calendar, came(amount, reference, currency)) == (0, 1, 0)
    with calendar.units.read() as uow:
        (row,) = transfers.list_transfers(uow, unmatched=True).items
    assert why in row.why
    assert balance(calendar, acme) == -42_000_000


def test_what_was_left_is_assigned_once_by_a_person(calendar: Calendar, acme: Account) -> None:
    put(calendar, came("30.00", "thank you"))
    with calendar.units.read() as uow:
        (row,) = transfers.list_transfers(uow, unmatched=True).items
    with calendar.units.begin() as uow:
        transfers.assign(uow, row.id, acme.id, "they told us by phone", OLGA, seller_country="US")
    assert balance(calendar, acme) == -12_000_000
    with pytest.raises(Conflict), calendar.units.begin() as uow:
        transfers.assign(uow, row.id, acme.id, "again", OLGA, seller_country="US")
    with calendar.units.read() as uow:
        assert transfers.list_transfers(uow, unmatched=True).items == ()
        assert [row.state for row in transfers.list_transfers(uow).items] == ["credited"]


def test_a_transfer_that_is_no_payment_is_dismissed_with_a_reason(
    calendar: Calendar, acme: Account
) -> None:
    put(calendar, came("30.00", "interest"))
    with calendar.units.read() as uow:
        (row,) = transfers.list_transfers(uow).items
    with pytest.raises(Invalid), calendar.units.begin() as uow:
        transfers.dismiss(uow, row.id, " ", OLGA)
    with calendar.units.begin() as uow:
        transfers.dismiss(uow, row.id, "interest of the bank", OLGA)
        assert audit.trail(uow, None)[0].action == "transfer.dismissed"
    assert balance(calendar, acme) == -42_000_000
    with pytest.raises(NotFound), calendar.units.begin() as uow:
        transfers.dismiss(uow, new_id(), "x", OLGA)


def test_a_file_that_cannot_be_read_counts_for_nothing(calendar: Calendar, acme: Account) -> None:
    first, _ = labels(calendar, acme)
    with pytest.raises(Invalid) as refusal:
        put(calendar, came("30.00", first), "yesterday,1.00,USD,x,y,z\n")
    assert refusal.value.errors[0].path == "/2/date"
    assert left(calendar, acme) == [30_000_000, 42_000_000]


def test_what_is_paid_too_much_stays_with_the_account(calendar: Calendar, acme: Account) -> None:
    _, second = labels(calendar, acme)
    put(calendar, came("50.00", second))
    assert balance(calendar, acme) == 8_000_000
    assert left(calendar, acme) == [0, 0]


def test_s5_18_s5_19_a_taxed_statement_asks_for_its_tax_and_the_transfer_brings_it(
    calendar: Calendar,
) -> None:
    """A private customer in Germany: 30.00 and 19 % are 35.70."""
    calendar.at(2026, 3, 3, 9)
    dora = open_account(calendar, "dora", "pay_later", country="DE")
    history = History(calendar.units, dora)
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, history.number("+14155550188"), 18_000)
    calendar.at(2026, 4, 2, 12)
    looks.drain(calendar.units, "US")
    (number,) = labels(calendar, dora)
    with calendar.units.read() as uow:
        (view,) = statements.list_statements(uow, dora.scope).items
    assert view.document["payable_micros"] == view.payable_micros == 35_700_000
    assert put(calendar, came("35.70", number)) == (1, 0, 0)
    assert balance(calendar, dora) == 0
    assert left(calendar, dora) == [0]
    with calendar.units.read() as uow:
        (tax,) = uow.connection.execute(
            text("select amount_micros from posting where kind = 'vat' and account_id = :id"),
            {"id": dora.id},
        ).scalars()
    assert tax == 5_700_000


def test_what_a_person_assigns_is_taken_apart_as_well(calendar: Calendar) -> None:
    calendar.at(2026, 3, 3, 9)
    dora = open_account(calendar, "dora", "pay_later", country="DE")
    put(calendar, came("11.90", "thank you"))
    with calendar.units.read() as uow:
        (row,) = transfers.list_transfers(uow, unmatched=True).items
    with calendar.units.begin() as uow:
        transfers.assign(uow, row.id, dora.id, "by phone", OLGA, seller_country="DE")
    assert balance(calendar, dora) == 10_000_000
