"""A VAT id leaves tax out only once somebody has found it in the register (S5-19)."""

from typing import Any

import pytest

from gateway.services import accounts, audit
from gateway.services.accounts import Account, AccountFlag
from gateway.services.errors import Conflict, Invalid
from gateway.store.accounts import tax_facts
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA

ID, ANOTHER = "DE136695976", "DE129273398"


@pytest.fixture
def change(units: UnitsOfWork, acme: Account) -> Any:
    def to(**changes: str) -> Account:
        with units.begin() as uow:
            return accounts.update_account(uow, acme.scope, changes, "ann")

    return to


@pytest.fixture
def confirm(units: UnitsOfWork, acme: Account) -> Any:
    def it(evidence: str = "VIES WAPIAAAAW1") -> Account:
        with units.begin() as uow:
            return accounts.confirm_vat_id(uow, acme.scope, evidence, OLGA)

    return it


def is_checked(units: UnitsOfWork, account: Account) -> bool:
    with units.read() as uow:
        return tax_facts(uow.connection, account.scope).business_id_checked


def waiting(units: UnitsOfWork) -> list[str]:
    with units.read() as uow:
        return [one.name for one in accounts.list_accounts(uow, flag=AccountFlag.VAT_ID)]


def test_s5_19_an_id_waits_for_staff_and_its_evidence_stands_in_the_trail(
    units: UnitsOfWork, acme: Account, bolt: Account, change: Any, confirm: Any
) -> None:
    assert change(country="DE", vat_id="de 136 695 976").vat_id == ID
    assert not is_checked(units, acme) and waiting(units) == ["Acme"]
    assert confirm().vat_id_checked_at is not None
    assert is_checked(units, acme) and waiting(units) == []
    with units.read() as uow:
        noted = audit.trail(uow, acme.scope)[0]
    assert (noted.action, noted.actor) == ("vat_id.checked", OLGA)
    assert noted.detail["evidence"] == "VIES WAPIAAAAW1"


@pytest.mark.parametrize(
    "changes, checked",
    [
        pytest.param({"vat_id": ID, "legal_name": "Acme GmbH"}, True, id="saved once more"),
        pytest.param({"vat_id": ANOTHER}, False, id="S5-19 another id"),
        pytest.param({"vat_id": ""}, False, id="S5-19 no id"),
        pytest.param({"country": "FR", "vat_id": ""}, False, id="S5-19 another country"),
    ],
)
def test_s5_19_what_was_looked_up_holds_for_that_id_in_that_country(
    units: UnitsOfWork, acme: Account, change: Any, confirm: Any, changes: Any, checked: bool
) -> None:
    change(country="DE", vat_id=ID)
    confirm()
    change(**changes)
    assert is_checked(units, acme) is checked


@pytest.mark.parametrize(
    "changes, path",
    [
        pytest.param({"country": "DE", "vat_id": "DE136695975"}, "/vat_id", id="a wrong digit"),
        pytest.param({"vat_id": ID, "country": "FR"}, "/vat_id", id="of another country"),
    ],
)
def test_s5_19_an_id_that_cannot_be_is_refused(
    units: UnitsOfWork, acme: Account, change: Any, changes: Any, path: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        change(**changes)
    assert [error.path for error in refusal.value.errors] == [path]
    assert waiting(units) == []


def test_s5_19_a_move_abroad_needs_another_id(acme: Account, change: Any) -> None:
    change(country="DE", vat_id=ID)
    with pytest.raises(Invalid, match="DE136695976 is no VAT id of FR"):
        change(country="FR")


def test_nothing_is_confirmed_without_an_id_or_without_evidence(change: Any, confirm: Any) -> None:
    with pytest.raises(Conflict, match="no VAT id"):
        confirm()
    change(country="DE", vat_id=ID)
    with pytest.raises(Invalid, match="what the register answered"):
        confirm(" ")
