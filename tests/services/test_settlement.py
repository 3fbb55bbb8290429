"""Settlement where no journey goes: what a worker process knows when it begins."""

import pytest

from gateway.services import plans
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.services.history import History, Target


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
