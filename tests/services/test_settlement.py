"""Settlement where no journey goes: what a worker process knows when it begins."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from gateway.services import accounts, plans, settlement
from gateway.services.accounts import Account, NewAccount
from gateway.store import ledger as ledger_store
from gateway.uow import UnitOfWork, UnitsOfWork
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


def client_of(units: UnitsOfWork, agency: Account, name: str) -> Account:
    with units.begin() as uow:
        wanted = NewAccount(
            name=name, billing_email="ann@acme.test", plan_code="payg", parent_id=agency.id
        )
        return accounts.create_account(uow, wanted, "olga@ringledger.test")
