"""Plans are published in versions that never change."""

import pytest

from billing.catalogue import load_catalogue
from gateway.services import plans
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.uow import UnitsOfWork


def test_publishing_the_same_document_again_changes_nothing(
    units: UnitsOfWork, on_sale: None
) -> None:
    with units.begin() as uow:
        before = plans.get_plan(uow, "payg")
        again = plans.publish_plan(uow, "payg", load_catalogue()["payg"], "olga")
    assert again.id == before.id


def test_a_changed_document_is_a_new_version_and_the_old_one_stays(
    units: UnitsOfWork, on_sale: None
) -> None:
    document = {**load_catalogue()["payg"], "min_balance_to_start": "1.00"}
    with units.begin() as uow:
        first = plans.get_plan(uow, "payg")
        second = plans.publish_plan(uow, "payg", document, "olga")
    with units.read() as uow:
        assert [v.version for v in plans.versions(uow, "payg")] == [2, 1]
        assert plans.plan_version(uow.connection, first.id).plan.min_balance_to_start_micros == 0
    assert (second.version, second.plan.min_balance_to_start_micros) == (2, 1_000_000)
    assert first.published_by != second.published_by


def test_a_version_is_read_from_the_database_once_per_process(
    units: UnitsOfWork, on_sale: None
) -> None:
    with units.read() as uow:
        first = plans.get_plan(uow, "payg")
        assert plans.plan_version(uow.connection, first.id) is first


def test_a_document_with_mistakes_is_refused_with_their_paths(units: UnitsOfWork) -> None:
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        plans.publish_plan(uow, "bad", {"name": "Bad", "currency": "usd", "oops": 1}, "olga")
    paths = {error.path for error in refusal.value.errors}
    assert {"/currency", "/oops", "/tariff"} <= paths


@pytest.mark.parametrize("code", ["", "Payg", "1st", "pay-go", "x" * 41])
def test_a_code_must_fit_into_urls_and_commands(units: UnitsOfWork, code: str) -> None:
    with units.begin() as uow, pytest.raises(Invalid):
        plans.publish_plan(uow, code, load_catalogue()["payg"], "olga")


def test_the_carriers_tariff_is_not_for_sale(units: UnitsOfWork, on_sale: None) -> None:
    with units.begin() as uow:
        carrier = plans.carrier_tariff(uow.connection)
        on_list = [plan.plan_code for plan in plans.list_plans(uow)]
        with pytest.raises(Conflict):
            plans.publish_plan(uow, "carrier_cost", load_catalogue()["payg"], "olga")
    assert carrier is not None and carrier.plan_code == "carrier_cost"
    assert "carrier_cost" not in on_list and "payg" in on_list


def test_a_plan_that_does_not_exist_is_named(units: UnitsOfWork) -> None:
    with units.read() as uow, pytest.raises(NotFound, match="gold"):
        plans.get_plan(uow, "gold")
