"""The statement: each line once, newest first, and each amount explained to the micro."""

import datetime as dt

import pytest

from gateway.services import accounts, call_log, ledger, plans, statement
from gateway.services.accounts import Account
from gateway.services.errors import NotFound
from gateway.store import statement as store
from gateway.uow import UnitsOfWork
from tests.services.history import DESK, MOBILE, START, History, Target

OLGA = "olga@ringledger.test"


@pytest.fixture
def acmes(units: UnitsOfWork, acme: Account) -> History:
    history = History(units, acme)
    with units.begin() as uow:
        ledger.top_up(
            uow,
            acme.scope,
            amount_micros=50_000_000,
            method="manual",
            reason="First payment",
            actor=OLGA,
            idempotency_key="first",
        )
    return history


def test_a_charge_is_negative_and_the_balance_after_it_is_shown(
    units: UnitsOfWork, acmes: History
) -> None:
    acmes.call(acmes.number("+14155550100"), talk=83)
    with units.read() as uow:
        newest, oldest = statement.list_postings(uow, acmes.scope).items
    assert (newest.kind, newest.amount_micros, newest.balance_after_micros) == (
        "usage",
        -69_166,
        49_930_834,
    ), "S5-02: 83 s at 0.05 a minute leave 49.930834 of 50.00"
    assert (oldest.kind, oldest.amount_micros) == ("topup", 50_000_000)
    assert oldest.reason == "First payment"


def test_what_the_carrier_costs_is_no_line_of_the_customers_statement(
    units: UnitsOfWork, acmes: History
) -> None:
    acmes.call(acmes.number("+14155550100"), Target(MOBILE, talk=60))
    with units.read() as uow:
        kinds = {line.kind for line in statement.list_postings(uow, acmes.scope).items}
    assert kinds == {"usage", "topup"}


def test_pages_show_every_line_once(units: UnitsOfWork, acmes: History) -> None:
    number = acmes.number("+14155550100")
    for n in range(7):
        acmes.call(number, talk=60, at=START + dt.timedelta(minutes=n))
    seen, after = [], None
    while True:
        with units.read() as uow:
            page = statement.list_postings(uow, acmes.scope, after, 3)
        seen += [line.seq for line in page.items]
        after = page.next
        if after is None:
            break
    assert len(seen) == 8 and seen == sorted(set(seen), reverse=True)


def test_one_kind_is_found_among_many_others(
    units: UnitsOfWork, acmes: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SCAN_MAX", 3)
    number = acmes.number("+14155550100")
    for n in range(7):
        acmes.call(number, talk=60, at=START + dt.timedelta(minutes=n))
    found, after = [], None
    while True:
        with units.read() as uow:
            page = statement.list_postings(uow, acmes.scope, after, 2, ("topup",))
        found += page.items
        after = page.next
        if after is None:
            break
    assert [line.kind for line in found] == ["topup"]


@pytest.mark.parametrize("talk", [1, 30, 59, 60, 61, 83, 3600])
def test_every_charge_is_explained_to_the_micro(
    units: UnitsOfWork, acmes: History, talk: int
) -> None:
    acmes.call(acmes.number("+14155550100"), Target(MOBILE, talk=talk))
    with units.read() as uow:
        lines = statement.list_postings(uow, acmes.scope, kinds=("usage",)).items
        assert len(lines) == 2, "S5-11: one inbound and one outbound"
        for line in lines:
            explanation = statement.explain(uow, acmes.scope, line.id)
            assert explanation.recompute() == explanation.amount_micros == -line.amount_micros
            assert f"{talk} s" in explanation.words
            assert "caused by webhook completed at 2026-03-04T1" in explanation.words


def test_a_top_up_is_explained_by_who_and_why(units: UnitsOfWork, acmes: History) -> None:
    with units.read() as uow:
        (line,) = statement.list_postings(uow, acmes.scope).items
        explanation = statement.explain(uow, acmes.scope, line.id)
    assert OLGA in explanation.words and "First payment" in explanation.words
    assert explanation.amount_micros == 50_000_000


def test_a_leg_that_cost_nothing_is_explained_too(units: UnitsOfWork, acmes: History) -> None:
    acmes.call(acmes.number("+14155550100"), Target(MOBILE, talk=60), Target(DESK))
    with units.read() as uow:
        loser = next(
            leg for leg in call_log.list_calls(uow, acmes.scope).items[0].legs if leg.to == DESK
        )
        explained = statement.explain_legs(uow, acmes.scope, {loser.leg_sid: loser.charge_micros})
    assert "not answered" in explained[loser.leg_sid].words
    assert explained[loser.leg_sid].amount_micros == 0


def test_cobalt_sees_no_line_of_acmes(units: UnitsOfWork, acmes: History, cobalt: Account) -> None:
    with units.read() as uow:
        (line,) = statement.list_postings(uow, acmes.scope).items
        assert statement.list_postings(uow, cobalt.scope).items == ()
        for stranger in (line.id, line.id.replace(str(acmes.scope.tenant_id), str(cobalt.id))):
            with pytest.raises(NotFound):
                statement.get_posting(uow, cobalt.scope, stranger)
            with pytest.raises(NotFound):
                statement.explain(uow, cobalt.scope, stranger)


@pytest.mark.parametrize("id", ["", "1", "x-1", "00000000-0000-0000-0000-000000000000-1", "\0"])
def test_what_is_no_posting_id_is_not_found(units: UnitsOfWork, acmes: History, id: str) -> None:
    with units.read() as uow, pytest.raises(NotFound):
        statement.get_posting(uow, acmes.scope, id)


def test_the_statement_is_filtered_by_what_the_plan_or_a_line_is_about_and_by_what_was_chosen(
    units: UnitsOfWork, acme: Account
) -> None:
    with units.begin() as uow:
        plain = statement.filters_of(uow, acme, "")
        assert {"minutes", "included"}.isdisjoint(plain) and "texts" in plain
        assert statement.filters_of(uow, acme, "minutes") == (*plain, "minutes"), "an old bookmark"
        document = plans.get_plan(uow, "payg").document | {
            "access_fee": {"month": "9.00"},
            "included": {"credit": "5.00"},
            "topup": {"bundles": [{"minutes": 60, "price": "1.00"}]},
        }
        plans.publish_plan(uow, "both", document, OLGA)
        accounts.update_account(uow, acme.scope, {"plan_code": "both"}, OLGA)
        moved = accounts.get_account(uow, acme.scope)
        assert statement.filters_of(uow, moved, "") == tuple(statement.FILTERS)
