"""Settlement where no journey goes: what a worker process knows when it begins."""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from billing.ledger import usage_key
from gateway.services import accounts, ledger, plans, settlement
from gateway.services.accounts import Account, NewAccount
from gateway.services.settlement import Drained
from gateway.store import ledger as ledger_store
from gateway.store.base import new_id
from gateway.uow import UnitOfWork, UnitsOfWork
from tests.services.conftest import NOON, OLGA
from tests.services.history import History, Target

T = TypeVar("T")


def test_a_new_process_prices_a_forwarded_leg_that_is_due_alone(
    units: UnitsOfWork, acme: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ forks for every job: what a plan says is read, not remembered. The inbound leg still
    talks, so nothing of its pricing has read it before."""
    acmes = History(units, acme)
    acmes.call(acmes.number("+14155550100"), Target(talk=60), refused="only its leg", settle=False)
    with units.read() as uow:
        plans.carrier_tariff(uow.connection)
    monkeypatch.setattr(plans, "_memo", {})
    assert acmes.settle() == 1


class CountedUnits(UnitsOfWork):
    """Counts the accounts that a drain tries."""

    tried = 0

    def retrying(self, deed: Callable[[UnitOfWork], T], *, single: bool = False) -> T:
        self.tried += 1
        return super().retrying(deed, single=single)


def test_of_a_tenant_that_another_worker_holds_one_account_is_tried(
    units: UnitsOfWork, acme: Account, bolt: Account
) -> None:
    """An agency and its clients are one chain: asking for each would only take time."""
    family = [acme, *(client_of(units, acme, f"Client {nth}") for nth in range(3))]
    for nth, each in enumerate([*family, bolt]):
        history = History(units, each)
        history.call(history.number(f"+1415555010{nth}"), Target(talk=60), settle=False)
    counted = CountedUnits(units.engine, units.clock)
    with units.begin() as other:
        assert ledger_store.lock_books(other.connection, family[1].scope) is not None
        assert settlement.drain(counted).legs == 2, "both legs of Bolt's call"
    assert counted.tried == 2
    assert settlement.drain(units).legs == 2 * len(family)


@pytest.mark.parametrize("at_once", [2_000, 3, 1])
def test_a_familys_legs_go_through_together_as_far_as_they_fit(
    units: UnitsOfWork, acme: Account, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Accounts are cut where a transaction is full, and so is an account that fills it alone."""
    monkeypatch.setattr(settlement, "LEGS_PER_TRANSACTION", at_once)
    family = [acme, *(client_of(units, acme, f"Client {nth}") for nth in range(3))]
    for nth, each in enumerate(family):
        history = History(units, each)
        number = history.number(f"+1415555010{nth}")
        for minutes in range(1 + nth):
            history.call(number, Target(talk=60 + minutes), settle=False)
    counted = CountedUnits(units.engine, units.clock)
    legs = 2 * (1 + 2 + 3 + 4)
    assert settlement.drain(counted).legs == legs
    assert (counted.tried == 1) == (at_once > legs)
    assert all_holds(units, acme)
    if at_once > legs:
        assert ends_along_the_chain(units, acme) == sorted(ends_along_the_chain(units, acme))
    assert settlement.drain(units).legs == 0


def test_a_family_whose_minutes_all_ended_is_renewed_and_then_settled(
    units: UnitsOfWork, acme: Account
) -> None:
    """Each has a pool of its own, and nobody has looked at any since the cycle ended."""
    with units.begin() as uow:
        plans.publish_plan(uow, "pooled", load_catalogue()["payg"] | {"pool": {"minutes": 5}}, OLGA)
    family = [client_of(units, acme, f"Client {nth}", "pooled") for nth in range(3)]
    later = CountedUnits(units.engine, lambda: NOON + dt.timedelta(days=32))
    for nth, each in enumerate(family):
        history = History(units, each)
        number = history.number(f"+1415555010{nth}")
        history.call(
            number, Target(talk=60), at=later.clock() - dt.timedelta(hours=2), settle=False
        )
    assert settlement.drain(later) == Drained(legs=6, failed=0)
    assert later.tried == 1 + len(family) + 1, "all renewals are found by one look"
    assert all_holds(units, acme)


def test_an_account_that_cannot_be_settled_does_not_keep_its_family(
    units: UnitsOfWork, acme: Account
) -> None:
    """A line that stands already, by a fault that nobody has seen yet, stops its account alone."""
    family = [acme, *(client_of(units, acme, f"Client {nth}") for nth in range(2))]
    calls = []
    for nth, each in enumerate(family):
        history = History(units, each)
        number = history.number(f"+1415555010{nth}")
        calls.append(history.call(number, Target(talk=60), settle=False))
    with units.begin() as uow, ledger.books(uow, family[1].scope) as opened:
        credit = ledger.adjustment_posting(
            new_id(),
            amount=1,
            unit="USD",
            at=uow.now,
            account_id=family[1].id,
            balance_before=0,
            actor="nobody",
            reason="in the way",
        )
        opened.post(lambda _: credit._replace(key=usage_key(calls[1])))
    drained = settlement.drain(units)
    assert (drained.legs, drained.failed) == (4, 1)
    assert all_holds(units, acme)


def all_holds(units: UnitsOfWork, account: Account) -> bool:
    with units.read() as uow:
        return all(p.report.ok for p in ledger.verify(uow.connection, account.tenant_id))


def ends_along_the_chain(units: UnitsOfWork, account: Account) -> list[dt.datetime]:
    """When the legs ended that were charged, whoever's they are."""
    with units.read() as uow:
        lines = text(
            "select l.ended_at from posting as p join leg as l on l.tenant_id = p.tenant_id"
            " and l.leg_sid = p.leg_sid where p.tenant_id = :id and p.kind = 'usage' order by p.seq"
        )
        return list(uow.connection.scalars(lines, {"id": account.tenant_id}))


def client_of(units: UnitsOfWork, agency: Account, name: str, plan: str = "payg") -> Account:
    with units.begin() as uow:
        wanted = NewAccount(
            name=name, billing_email="ann@acme.test", plan_code=plan, parent_id=agency.id
        )
        return accounts.create_account(uow, wanted, OLGA)
