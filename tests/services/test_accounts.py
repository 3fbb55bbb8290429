"""Opening, changing and finding accounts."""

import uuid
from typing import Any

import pytest

from gateway.services import accounts, audit
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import Invalid, NotFound
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork

NEW = {"name": "Acme", "billing_email": "a@acme.test", "plan_code": "payg"}


def test_a_new_account_is_its_own_tenant_with_an_empty_wallet(acme: Account) -> None:
    assert acme.tenant_id == acme.id
    assert (acme.status, acme.balance_micros, acme.currency) == ("active", 0, "USD")
    assert (acme.plan_code, acme.plan_version) == ("payg", 1)
    assert "US" in acme.allowed_countries


def test_a_sub_account_shares_the_tenant_of_its_agency(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow:
        branch = accounts.create_account(uow, NewAccount(**NEW, parent_id=acme.id), "olga")
    assert (branch.tenant_id, branch.parent_id) == (acme.tenant_id, acme.id)
    with units.read() as uow:
        assert accounts.find_scope(uow, branch.id) == branch.scope


def test_a_sub_account_has_no_sub_accounts(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow:
        branch = accounts.create_account(uow, NewAccount(**NEW, parent_id=acme.id), "olga")
        with pytest.raises(Invalid) as refusal:
            accounts.create_account(uow, NewAccount(**NEW, parent_id=branch.id), "olga")
    assert [error.path for error in refusal.value.errors] == ["/parent"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"name": "  "}, "/name", id="a name of nothing but spaces"),
        pytest.param({"billing_email": "a@b"}, "/billing_email", id="an address without a domain"),
        pytest.param({"billing_email": "a@b.c\nX: 1"}, "/billing_email", id="a header smuggled in"),
        pytest.param({"country": "UK"}, "/country", id="a country that has another code"),
        pytest.param({"time_zone": "EST5"}, "/time_zone", id="a zone nobody keeps"),
        pytest.param({"plan_code": "gold"}, "/plan", id="a plan that is not on sale"),
        pytest.param({"plan_code": "carrier_cost"}, "/plan", id="the carrier's own tariff"),
        pytest.param({"currency": "EUR"}, "/currency", id="another currency than the plan's"),
        pytest.param({"parent_id": uuid.UUID(int=9)}, "/parent", id="an agency nobody knows"),
        pytest.param({"billing": "agency_shared"}, "/billing", id="a shared wallet"),
    ],
)
def test_a_new_account_that_could_not_work_is_refused_with_the_field(
    units: UnitsOfWork, on_sale: None, change: dict[str, Any], path: str
) -> None:
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        accounts.create_account(uow, NewAccount(**{**NEW, **change}), "olga")
    assert path in [error.path for error in refusal.value.errors]


def test_all_that_is_wrong_is_said_at_once(units: UnitsOfWork, on_sale: None) -> None:
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        accounts.create_account(
            uow,
            NewAccount(name="", billing_email="", plan_code="", time_zone="x", country="x"),
            "olga",
        )
    assert len(refusal.value.errors) == 5


def test_a_change_is_kept_and_stands_in_the_trail(units: UnitsOfWork, acme: Account) -> None:
    changes = {
        "suspended_notice": " Closed. ",
        "allowed_countries": ["US", "CA", "US"],
        "low_balance_micros": 5_000_000,
        "plan_code": "payg_cut",
    }
    with units.begin() as uow:
        changed = accounts.update_account(uow, acme.scope, changes, "ann@acme.test")
    assert changed.suspended_notice == "Closed."
    assert changed.allowed_countries == ("CA", "US")
    assert (changed.low_balance_micros, changed.plan_code) == (5_000_000, "payg_cut")
    with units.read() as uow:
        line = audit.trail(uow, acme.scope)[0]
    assert (line.actor, line.action) == ("ann@acme.test", "account.changed")
    assert line.detail["plan_code"] == "payg_cut"


@pytest.mark.parametrize("field", ["balance_micros", "status", "tenant_id", "currency"])
def test_what_nobody_may_set_cannot_be_slipped_in(
    units: UnitsOfWork, acme: Account, field: str
) -> None:
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        accounts.update_account(uow, acme.scope, {field: "x"}, "mallory")
    assert refusal.value.errors[0].path == f"/{field}"


def test_cobalt_cannot_reach_acme_by_its_id(
    units: UnitsOfWork, acme: Account, cobalt: Account
) -> None:
    forged = Scope(cobalt.tenant_id, acme.id)
    with units.begin() as uow:
        with pytest.raises(NotFound):
            accounts.get_account(uow, forged)
        with pytest.raises(NotFound):
            accounts.update_account(uow, forged, {"name": "Mine"}, "cobalt")
        assert audit.trail(uow, forged) == ()


def test_staff_page_through_all_accounts_newest_first(
    units: UnitsOfWork, acme: Account, bolt: Account, cobalt: Account
) -> None:
    with units.read() as uow:
        first = accounts.list_accounts(uow, limit=2)
        rest = accounts.list_accounts(uow, after=first[-1].id, limit=2)
        found = accounts.list_accounts(uow, query="OLT")
        wild = accounts.list_accounts(uow, query="%")
    assert [account.name for account in first + rest] == ["Cobalt", "Bolt", "Acme"]
    assert [account.name for account in found] == ["Bolt"]
    assert wild == ()
