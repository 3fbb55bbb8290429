"""The cast, on a real database: Acme is funded, Bolt is empty, Cobalt is a stranger, Olga staff."""

import datetime as dt

import pytest

from billing.catalogue import CARRIER_COST, load_catalogue
from gateway import db
from gateway.config import Settings
from gateway.services import accounts, plans
from gateway.services.accounts import Account, NewAccount
from gateway.uow import UnitsOfWork

NOON = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)  # noon in New York, a Wednesday
OLGA = "olga@ringledger.test"


@pytest.fixture
def units(settings: Settings) -> UnitsOfWork:
    return UnitsOfWork(db.engine_for(settings.database_url), lambda: NOON)


@pytest.fixture
def on_sale(units: UnitsOfWork) -> None:
    """The catalogue and the carrier's tariff are published."""
    with units.begin() as uow:
        for code, document in load_catalogue().items():
            kind = "carrier" if code == CARRIER_COST else "retail"
            plans.publish_plan(uow, code, document, OLGA, kind)  # type: ignore[arg-type]


def _open(units: UnitsOfWork, name: str) -> Account:
    with units.begin() as uow:
        return accounts.create_account(
            uow,
            NewAccount(name=name, billing_email=f"billing@{name.lower()}.test", plan_code="payg"),
            OLGA,
        )


@pytest.fixture
def acme(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Acme")


@pytest.fixture
def bolt(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Bolt")


@pytest.fixture
def cobalt(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Cobalt")
