"""Debits: announced, collected once, given back; and what follows from that (S5-18, C8)."""

import datetime as dt
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import text

from gateway.papers.words import closing_note
from gateway.providers.mail import SandboxMailer
from gateway.services import (
    accounts,
    arrears,
    billing_notices,
    debit_runs,
    debits,
    deeds,
    dunning,
    looks,
    mandates,
    plans,
    statements,
    transfers,
)
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound, SellerIncomplete
from gateway.store import mail as mailbox
from gateway.store.base import new_id
from tests.services import doras_bank
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay, talk
from tests.services.doras_bank import IBAN, balance, came, only, sign, statement_of, went_back
from tests.services.history import History

calendar, dora, known = doras_bank.calendar, doras_bank.dora, doras_bank.known


def tax(calendar: Calendar) -> int:
    with calendar.units.read() as uow:
        found: int = uow.connection.scalar(
            text(
                "select coalesce(sum(case when credit = 'tax' then amount_micros"
                " else - amount_micros end), 0)::bigint from posting"
                " where 'tax' in (debit, credit)"
            )
        )
        return found


def put(calendar: Calendar, content: str) -> tuple[int, int, int, int]:
    done = transfers.import_file(calendar.units, content, OLGA)
    return done.credited, done.unmatched, done.known, done.returned


def test_s5_18_a_statement_announces_its_debit(calendar: Calendar, dora: Account) -> None:
    document = statement_of(calendar, dora).document
    assert document["debit"] == {
        "amount": "35.70",
        "mandate": "M-17",
        "signed_on": "2026-03-02",
        "iban": "DE02 •••• 2051",
        "collect_on": "2026-04-13",
    }
    note = closing_note(document)
    assert "We collect 35.70 EUR" in note and "13 April 2026" in note and "M-17" in note
    assert IBAN not in str(document)


def test_s5_18_a_run_is_a_file_for_the_bank_and_a_second_one_finds_nothing(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    run = debit_runs.prepare(calendar.units, known, OLGA)
    assert run is not None and (run.count, run.amount_micros) == (1, 35_700_000)
    assert debit_runs.prepare(calendar.units, known, OLGA) is None
    content = debit_runs.file(calendar.units, known, run.id)
    root = ElementTree.fromstring(content)
    told = {e.tag.rpartition("}")[2]: e.text for e in root.iter() if e.text}
    assert told["InstdAmt"] == "35.70" and told["ReqdColltnDt"] == "2026-04-13"
    assert told["MndtId"] == "M-17" and told["DtOfSgntr"] == "2026-03-02"
    label = statement_of(calendar, dora).label
    assert told["EndToEndId"] == f"{label}-1" and IBAN in content.decode()
    renamed = known.model_copy(update={"seller_name": "Another"})
    assert debit_runs.file(calendar.units, renamed, run.id) == content, "what was sent stays"
    assert balance(calendar, dora) == -30_000_000, "nothing is paid by asking"


def test_s5_18_what_falls_due_later_is_not_in_the_run(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    calendar.at(2026, 4, 2, 9)
    assert debit_runs.prepare(calendar.units, known, OLGA) is None
    assert debit_runs.prepare(calendar.units, known, OLGA, until=dt.date(2026, 4, 13)) is not None


def test_s5_18_it_is_credited_once_when_the_bank_says_so(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    name = only(calendar).end_to_end_id
    assert put(calendar, came(name)) == (1, 0, 0, 0)
    assert put(calendar, came(name)) == (0, 0, 1, 0), "the same file"
    assert put(calendar, came(name, ref="IN-2")) == (0, 1, 0, 0), "another entry: for people"
    assert (balance(calendar, dora), tax(calendar)) == (0, 5_700_000)
    assert only(calendar).state == "collected"
    assert statement_of(calendar, dora).outstanding_micros == 0


def test_s5_18_a_returned_debit_is_undone_and_the_ladder_begins(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    name = only(calendar).end_to_end_id
    put(calendar, came(name))
    calendar.at(2026, 4, 16, 9)
    assert put(calendar, went_back(name)) == (0, 0, 0, 1)
    assert put(calendar, went_back(name)) == (0, 0, 1, 0), "told twice, undone once"
    assert (balance(calendar, dora), tax(calendar)) == (-30_000_000, 0)
    assert only(calendar).state == "returned" and "too little money" in only(calendar).why
    assert statement_of(calendar, dora).outstanding_micros == 30_000_000
    looks.drain(calendar.units, "DE")
    with calendar.units.read() as uow:
        found = dunning.state_of(uow, dora.scope)
        assert found is not None and found.overdue_on == dt.date(2026, 4, 14)
        assert mandates.find(uow, dora.scope) is not None, "too little money ends no mandate"
    handlers = billing_notices.handlers(
        calendar.units,
        SandboxMailer(),
        None,
        "http://gateway.test",  # type: ignore[arg-type]
    )
    deeds.work(calendar.units, "notify", handlers)
    with calendar.units.read() as uow:
        table = mailbox.MailRow.__table__
        subjects = {row.subject for row in uow.connection.execute(table.select())}
    assert {"dora: a debit came back", "dora: payment is overdue"} <= subjects
    run = debit_runs.prepare(calendar.units, known, OLGA)
    assert run is not None, "it may be tried again, under another name"
    with calendar.units.read() as uow:
        (open_now,) = debits.list_debits(uow, state="submitted").items
        assert open_now.debit.end_to_end_id == name[:-1] + "2"


def test_a_return_of_a_mandate_that_is_none_ends_it(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    put(calendar, went_back(only(calendar).end_to_end_id, "MD01"))
    assert balance(calendar, dora) == -30_000_000, "it never came, so nothing is undone"
    with calendar.units.read() as uow:
        assert mandates.find(uow, dora.scope) is None
    assert debit_runs.prepare(calendar.units, known, OLGA) is None


def test_s5_18_a_debit_on_its_way_is_no_arrears_until_the_bank_has_had_its_time(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    for day, overdue in ((14, False), (23, False), (24, True)):
        calendar.at(2026, 4, day, 9)
        with calendar.units.read() as uow:
            account = looks.looks.find(uow.connection, dora.scope)
            assert account is not None
            plan = plans.plan_version(uow.connection, account.plan_version_id).plan
            assert (arrears.find(uow, account, plan) is not None) == overdue, day


def test_what_was_paid_in_the_meantime_is_not_collected(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    pay(calendar, dora, "30.00")
    assert debit_runs.prepare(calendar.units, known, OLGA) is None


def test_another_amount_than_the_debits_is_left_to_the_number(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    assert put(calendar, came(only(calendar).end_to_end_id, "11.90")) == (1, 0, 0, 0)
    assert balance(calendar, dora) == -20_000_000
    assert only(calendar).state == "submitted"


def test_people_say_what_the_bank_does_not(calendar: Calendar, dora: Account, known: Any) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    debit = only(calendar)

    def say(deed: str, reason: str = "by phone") -> str:
        with calendar.units.begin() as uow:
            return debits.decide(uow, debit.id, deed, reason, OLGA).state

    with pytest.raises(Invalid):
        say("collected", " ")
    assert say("collected") == "collected"
    assert balance(calendar, dora) == 0
    with pytest.raises(Conflict):
        say("cancel")
    assert say("returned") == "returned"
    assert balance(calendar, dora) == -30_000_000
    run = debit_runs.prepare(calendar.units, known, OLGA)
    assert run is not None
    with calendar.units.read() as uow:
        debit = debits.list_debits(uow, state="submitted").items[0].debit
    assert say("cancel") == "canceled"
    with pytest.raises(Conflict, match="nothing to send"):
        debit_runs.file(calendar.units, known, run.id)
    with pytest.raises(NotFound):
        debit_runs.file(calendar.units, known, new_id())


def test_a_run_names_the_settings_that_it_lacks(
    calendar: Calendar, dora: Account, settings: Any
) -> None:
    with pytest.raises(SellerIncomplete, match="SELLER_IBAN, SELLER_CREDITOR_ID"):
        debit_runs.prepare(calendar.units, settings, OLGA)


def test_a_mandate_is_one_and_its_reference_is_given_once(
    calendar: Calendar, dora: Account
) -> None:
    sign(calendar, dora)
    with calendar.units.read() as uow:
        first = mandates.find(uow, dora.scope)
    assert first is not None and first.iban == IBAN and first.holder == "Dora GmbH"
    sign(calendar, dora, "M-18")
    with pytest.raises(Invalid, match="given already"):
        sign(calendar, dora, "M-17")
    with calendar.units.begin() as uow:
        now = mandates.find(uow, dora.scope)
        assert now is not None and now.reference == "M-18"
        mandates.end(uow, dora.scope, "they asked for it", OLGA)
        assert mandates.find(uow, dora.scope) is None
        with pytest.raises(Conflict):
            mandates.end(uow, dora.scope, "again", OLGA)


def test_s5_18_each_month_is_collected_by_itself_and_announced_so(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    """April costs 10.00 more while March is unpaid: 11.90 are announced, and both are collected."""
    history = History(calendar.units, dora)
    did = history.number("+14155550101")
    calendar.at(2026, 4, 9, 12)
    talk(calendar, history, did, 6_000)
    calendar.at(2026, 5, 1, 0, 6)
    looks.drain(calendar.units, "DE")
    with calendar.units.read() as uow:
        newest = statements.list_statements(uow, dora.scope).items[0]
    assert newest.document["debit"]["amount"] == "11.90"
    assert newest.document["payable_micros"] == 47_600_000
    run = debit_runs.prepare(calendar.units, known, OLGA, until=dt.date(2026, 5, 31))
    assert run is not None and (run.count, run.amount_micros) == (2, 47_600_000)


HEADER = "date;amount;currency;reference;reason\n"


def csv(amount: str, reference: str, reason: str = "", currency: str = "EUR") -> str:
    return f"{HEADER}2026-04-16;{amount};{currency};{reference};{reason}\n"


def waiting(calendar: Calendar) -> list[str]:
    with calendar.units.read() as uow:
        return [row.why for row in transfers.list_transfers(uow, unmatched=True).items]


def test_s5_18_a_csv_tells_of_money_that_came_and_of_money_that_went_back(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    name = only(calendar).end_to_end_id
    assert put(calendar, csv("35.70", f"inv {name}")) == (1, 0, 0, 0)
    assert (balance(calendar, dora), only(calendar).state) == (0, "collected")
    back = csv("-38.70", f"SEPA return {name} with fee", "ac04")
    assert put(calendar, back) == (0, 0, 0, 1)
    assert put(calendar, back) == (0, 0, 1, 0), "the same file"
    assert put(calendar, went_back(name)) == (0, 0, 1, 0), "the same return in another file"
    assert (balance(calendar, dora), tax(calendar)) == (-30_000_000, 0)
    assert only(calendar).why == "The account is closed. (AC04)"
    with calendar.units.read() as uow:
        assert mandates.find(uow, dora.scope) is None, "a closed account is debited no more"
    assert waiting(calendar) == []


@pytest.mark.parametrize(
    "row, why",
    [
        pytest.param(("-35.70", "9F3A01BC-000001-1"), "none of ours", id="S5-18 nobody's debit"),
        pytest.param(("-35.70", "return", "AM04"), "none of ours", id="S5-18 no name at all"),
        pytest.param(("-3.00", "{name}"), "Less went back", id="S5-18 the fee alone"),
        pytest.param(("-35.70", "{name}", "", "USD"), "another currency", id="S5-18 dollars"),
    ],
)
def test_s5_18_a_return_that_is_not_certain_is_left_for_people(
    calendar: Calendar, dora: Account, known: Any, row: tuple[str, ...], why: str
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    name = only(calendar).end_to_end_id
    put(calendar, came(name))
    amount, reference, *more = row
    content = csv(amount, reference.format(name=name), *more)
    assert put(calendar, content) == (0, 1, 0, 0)
    assert put(calendar, content) == (0, 0, 1, 0), "it waits once"
    (words,) = waiting(calendar)
    assert why in words and balance(calendar, dora) == 0 and only(calendar).state == "collected"
    with calendar.units.read() as uow:
        (seen,) = transfers.list_transfers(uow, unmatched=True).items
    with pytest.raises(Conflict, match="page of debits"), calendar.units.begin() as uow:
        transfers.assign(uow, seen.id, dora.id, "x", OLGA, seller_country="DE")
    with calendar.units.begin() as uow:
        transfers.dismiss(uow, seen.id, "the bank's fee", OLGA)
    assert waiting(calendar) == []


def test_s5_18_money_that_left_for_something_else_is_none_of_our_business(
    calendar: Calendar, dora: Account
) -> None:
    assert put(calendar, csv("-900.00", "rent")) == (0, 0, 0, 0)
    assert waiting(calendar) == []


def test_s5_18_a_return_of_what_was_canceled_here_is_looked_at(
    calendar: Calendar, dora: Account, known: Any
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    debit = only(calendar)
    with calendar.units.begin() as uow:
        debits.decide(uow, debit.id, "cancel", "not sent", OLGA)
    assert put(calendar, went_back(debit.end_to_end_id)) == (0, 1, 0, 0)
    assert "canceled here" in waiting(calendar)[0]


def test_s5_18_what_is_due_keeps_its_order_across_pages(calendar: Calendar) -> None:
    """By due date, then by name, whoever signed first; what is paid or asked for is in none."""
    with calendar.units.begin() as uow:
        sooner = plans.get_plan(uow, "pay_later").document | {"name": "Pay sooner"}
        plans.publish_plan(uow, "pay_sooner", sooner | {"statement": {"due_days": 5}}, OLGA)
    for n, name in enumerate(("zoe", "idle", "ann", "paul", "bert")):
        plan = "pay_sooner" if name == "bert" else "pay_later"
        account = open_account(calendar, name, plan, currency="EUR", country="DE")
        sign(calendar, account, f"M-{n}")
        if name != "idle":
            history = History(calendar.units, account)
            at = calendar.now
            calendar.at(2026, 3, 5, 12)
            talk(calendar, history, history.number(f"+1415555020{n}"), 18_000)
            calendar.now = at
    calendar.at(2026, 4, 1, 0, 6)
    looks.drain(calendar.units, "DE")
    calendar.at(2026, 4, 8, 9)

    def pages(limit: int, until: dt.date | None = None) -> list[list[str]]:
        found, after = [], None
        with calendar.units.read() as uow:
            while True:
                page = debit_runs.due(uow, until, after=after, limit=limit)
                found.append([f"{one.account.name} {one.statement.due_on}" for one in page.items])
                if page.next is None:
                    return found
                after = page.next

    paul = next(one for one in all_accounts(calendar) if one.name == "paul")
    assert pages(50)[0][-2:] == ["paul 2026-04-13", "zoe 2026-04-13"]
    pay(calendar, paul, "30.00")
    soonest = ["bert 2026-04-07", "ann 2026-04-13", "zoe 2026-04-13"]
    assert pages(50) == [soonest]
    assert pages(1) == [[line] for line in soonest]
    assert pages(2, dt.date(2026, 4, 12)) == [soonest[:1]]
    calendar.at(2026, 5, 1, 0, 6)
    looks.drain(calendar.units, "DE")
    lines = [line for page in pages(1, dt.date(2026, 5, 31)) for line in page]
    assert lines == soonest, "what is asked for again is one debt"


def all_accounts(calendar: Calendar) -> tuple[Account, ...]:
    with calendar.units.read() as uow:
        return accounts.list_accounts(uow)
