"""Plans on their way to customers: questioned when they are saved, published on their date."""

import datetime as dt
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import accounts, audit, plans, publications
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.store.base import new_id
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA

NEW_YEAR = dt.datetime(2027, 1, 1, 5, 0, tzinfo=dt.UTC)


def payg(**more: Any) -> dict[str, Any]:
    return dict(load_catalogue()["payg"]) | more


def dearer(per_minute: str = "0.07") -> dict[str, Any]:
    tariff = load_catalogue()["payg"]["tariff"]
    inbound = [row | {"per_minute": per_minute} for row in tariff["inbound"]]
    return payg(tariff=tariff | {"inbound": inbound})


class Clocked:
    """Units whose clock a test moves."""

    def __init__(self, units: UnitsOfWork) -> None:
        self.now = NOON
        self.units = UnitsOfWork(units.engine, lambda: self.now)


@pytest.fixture
def clocked(units: UnitsOfWork, on_sale: None) -> Clocked:
    return Clocked(units)


def newest(units: UnitsOfWork, code: str = "payg") -> int:
    with units.read() as uow:
        return plans.get_plan(uow, code).version


def test_s5_06_a_publication_waits_for_its_date_and_comes_once(clocked: Clocked) -> None:
    with clocked.units.begin() as uow:
        publications.publish(uow, "payg", dearer(), OLGA, from_at=NEW_YEAR)
    assert publications.publish_due(clocked.units) == 0
    assert newest(clocked.units) == 1
    with clocked.units.read() as uow:
        (waits,) = publications.waiting(uow, "payg")
        assert (waits.from_at, waits.created_by) == (NEW_YEAR, OLGA)
    clocked.now = NEW_YEAR
    assert publications.publish_due(clocked.units) == 1
    assert publications.publish_due(clocked.units) == 0
    assert newest(clocked.units) == 2
    with clocked.units.read() as uow:
        published = plans.get_plan(uow, "payg")
        assert (published.published_at, published.published_by) == (NEW_YEAR, OLGA)
        assert published.document == dearer()
        assert publications.waiting(uow) == ()


def test_accounts_stay_on_their_version_or_move_along(clocked: Clocked, acme: Account) -> None:
    for moves, version in ((False, 1), (True, 3)):
        with clocked.units.begin() as uow:
            order = publications.publish(
                uow,
                "payg",
                dearer("0.08" if moves else "0.07"),
                OLGA,
                moves_accounts=moves,
            )
        publications.publish_now(clocked.units, order)
        with clocked.units.read() as uow:
            assert accounts.get_account(uow, acme.scope).plan_version == version
    with clocked.units.read() as uow:
        moved = audit.trail(uow, acme.scope)[0]
    assert (moved.action, moved.detail["after"]) == ("plan.changed", "payg v3")


def test_a_move_that_was_cut_short_is_finished_by_the_next_look(
    clocked: Clocked, acme: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clocked.units.begin() as uow:
        publications.publish(uow, "payg", dearer(), OLGA, moves_accounts=True)
        other = accounts.create_account(
            uow, NewAccount(name="Dune", billing_email="d@dune.test", plan_code="payg"), OLGA
        )
    whole = publications.plan_changes.move
    died = []

    def dies_once(*args: Any) -> None:
        whole(*args)
        if not died:
            died.append(1)
            raise KeyboardInterrupt

    monkeypatch.setattr(publications.plan_changes, "move", dies_once)
    with pytest.raises(KeyboardInterrupt):
        publications.publish_due(clocked.units)
    assert publications.publish_due(clocked.units) == 1
    assert newest(clocked.units) == 2, "the version is not published twice"
    with clocked.units.read() as uow:
        for account in (acme, other):
            assert accounts.get_account(uow, account.scope).plan_version == 2


def test_a_publication_can_be_called_off_until_its_date(clocked: Clocked) -> None:
    with clocked.units.begin() as uow:
        order = publications.publish(uow, "payg", dearer(), OLGA, from_at=NEW_YEAR)
        publications.cancel(uow, order.id, OLGA)
    clocked.now = NEW_YEAR
    assert publications.publish_due(clocked.units) == 0
    assert newest(clocked.units) == 1
    with clocked.units.begin() as uow, pytest.raises(Conflict, match="canceled"):
        publications.cancel(uow, order.id, OLGA)
    with clocked.units.begin() as uow, pytest.raises(NotFound):
        publications.cancel(uow, new_id(), OLGA)


def test_a_check_shows_what_changes_line_by_line(clocked: Clocked, acme: Account) -> None:
    with clocked.units.read() as uow:
        seen = publications.check(uow, "payg", payg(suspend_when="lte_zero"))
    assert [line.words for line in seen.changes] == ["/suspend_when: lt_zero → lte_zero"]
    assert seen.current is not None and seen.current.version == 1
    assert (seen.kind, seen.accounts) == ("retail", 1)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param(payg(name=""), "/name", id="S5-06 a plan needs a name"),
        pytest.param(payg(oops=1), "/oops", id="an unknown field"),
        pytest.param(
            payg(packages=[{"code": "x"}]), "/packages/0/minutes", id="S1-12 a package has a size"
        ),
        pytest.param(payg(tariff={}), "/tariff/increment", id="C1 an increment must be chosen"),
    ],
)
def test_an_error_is_told_at_its_field_before_anything_is_saved(
    clocked: Clocked, document: dict[str, Any], path: str
) -> None:
    with clocked.units.begin() as uow:
        with pytest.raises(Invalid) as refused:
            publications.publish(uow, "payg", document, OLGA)
        assert path in {error.path for error in refused.value.errors}
        assert all(error.message for error in refused.value.errors)
        assert publications.waiting(uow) == ()


def test_s1_02_a_warning_does_not_stop_a_plan_and_names_its_field(clocked: Clocked) -> None:
    offer = {"code": "dear", "number_type": "local", "minutes": 10_000, "price": "900.00"}
    document = payg(packages=[offer | {"leg_scope": ["inbound"]}])
    with clocked.units.begin() as uow:
        seen = publications.check(uow, "payg", document)
        assert "/packages/0/price" in {warning.path for warning in seen.warnings}
        publications.publish(uow, "payg", document, OLGA)
    assert publications.publish_due(clocked.units) == 1


def test_s3_05_a_better_tier_that_is_not_cheaper_is_asked_about_from_both_sides(
    clocked: Clocked,
) -> None:
    small, large = (dict(load_catalogue()[f"{size}_teams"]) for size in ("small", "large"))
    with clocked.units.read() as uow:
        seen = publications.check(uow, "large_teams", large)
        assert not [w for w in seen.warnings if "not cheaper" in w.message]
        swapped = large | {"tariff": small["tariff"]}
        dear = publications.check(uow, "large_teams", swapped)
        assert [w for w in dear.warnings if "not cheaper" in w.message]
        cheap = publications.check(uow, "small_teams", small | {"tariff": large["tariff"]})
        assert "/upgrade/next_plan" in {w.path for w in cheap.warnings}


def pool(minutes: int, **more: Any) -> dict[str, Any]:
    return payg(name=f"{minutes} minutes", pool={"minutes": minutes}, **more)


def leads_to(code: str) -> dict[str, Any]:
    return {"exhaustion": "auto_upgrade", "upgrade": {"next_plan": code}}


@pytest.mark.parametrize("how", ["checked", "published", "published at once"])
def test_c5_a_plan_that_upgrades_by_itself_needs_where_to(clocked: Clocked, how: str) -> None:
    document = pool(100, **leads_to("large"))
    with clocked.units.begin() as uow, pytest.raises(Invalid) as refusal:
        if how == "checked":
            publications.check(uow, "small", document)
        elif how == "published":
            publications.publish(uow, "small", document, OLGA)
        else:
            plans.publish_plan(uow, "small", document, OLGA)
    (error,) = refusal.value.errors
    assert error.path == "/upgrade/next_plan" and "publish it first" in error.message
    with clocked.units.begin() as uow:
        plans.publish_plan(uow, "large", pool(500), OLGA)
        publications.publish(uow, "small", document, OLGA)
    assert publications.publish_due(clocked.units) == 1
    with clocked.units.begin() as uow, pytest.raises(Invalid, match="small upgrades to this plan"):
        publications.publish(uow, "large", pool(100), OLGA)


def test_c5_what_was_right_when_it_was_saved_and_is_wrong_on_its_date_is_turned_down_alone(
    clocked: Clocked,
) -> None:
    with clocked.units.begin() as uow:
        plans.publish_plan(uow, "large", pool(500), OLGA)
        document = pool(100, **leads_to("large"))
        publications.publish(uow, "small", document, OLGA, from_at=NEW_YEAR)
        publications.publish(uow, "payg", dearer(), OLGA, from_at=NEW_YEAR)
        plans.publish_plan(uow, "large", pool(50), OLGA)
    clocked.now = NEW_YEAR
    assert publications.publish_due(clocked.units) == 1
    assert newest(clocked.units) == 2, "the others do not wait for it"
    with clocked.units.read() as uow:
        assert publications.waiting(uow) == ()
        (line,) = audit.of_action(uow, None, "plan.publication_refused")
        assert "needs more than 100" in line.detail["words"]


def test_publishing_the_newest_document_again_changes_nothing(clocked: Clocked) -> None:
    with clocked.units.begin() as uow, pytest.raises(Conflict, match="nothing would change"):
        publications.publish(uow, "payg", payg(), OLGA)


def test_a_date_far_away_is_a_typing_error(clocked: Clocked) -> None:
    with clocked.units.begin() as uow, pytest.raises(Invalid, match="two years"):
        publications.publish(uow, "payg", dearer(), OLGA, from_at=NOON + dt.timedelta(days=900))


def test_a_new_plan_is_for_sale_once_it_is_published(clocked: Clocked) -> None:
    with clocked.units.begin() as uow:
        seen = publications.check(uow, "gold", payg(name="Gold"))
        assert seen.current is None and seen.changes
        publications.publish(uow, "gold", payg(name="Gold"), OLGA)
    with clocked.units.read() as uow, pytest.raises(NotFound):
        plans.get_plan(uow, "gold")
    publications.publish_due(clocked.units)
    assert newest(clocked.units, "gold") == 1


def test_the_carriers_own_tariff_stays_what_it_is(clocked: Clocked) -> None:
    document = dict(load_catalogue()["carrier_cost"]) | {"description": "Dearer from January"}
    with clocked.units.begin() as uow:
        seen = publications.check(uow, "carrier_cost", document)
        assert (seen.kind, seen.warnings) == ("carrier", ())
        publications.publish(uow, "carrier_cost", document, OLGA)
    publications.publish_due(clocked.units)
    with clocked.units.read() as uow:
        carrier = plans.carrier_tariff(uow.connection)
        assert carrier is not None and carrier.version == 2
