"""Routing plans are checked, published as versions, and restored."""

import threading
from typing import Any

import pytest

from gateway import db
from gateway.services import accounts, audit, forwarding
from gateway.services.accounts import Account
from gateway.services.errors import Invalid, NotFound
from gateway.services.numbers import Number
from gateway.uow import UnitsOfWork

OFFICE = "+14155550101"
MOBILE = "+14155550102"


def ring(*addresses: str, **more: Any) -> dict[str, Any]:
    targets = [{"type": "number", "address": address} for address in addresses]
    return {"pattern": "simultaneous", "targets": targets, **more}


def test_a_number_begins_without_a_plan(units: UnitsOfWork, acme: Account, desk: Number) -> None:
    with units.read() as uow:
        assert forwarding.current(uow, acme.scope, desk.id) is None
        assert forwarding.current_of(uow, acme.scope, [desk.id]) == {}


def test_publishing_puts_the_next_version_in_force(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    with units.begin() as uow:
        first = forwarding.publish(uow, acme.scope, desk.id, ring("(415) 555-0101"), "ann")
        second = forwarding.publish(uow, acme.scope, desk.id, ring(OFFICE, MOBILE), "ann", "both")
    with units.read() as uow:
        assert forwarding.current(uow, acme.scope, desk.id) == second
        assert forwarding.current_of(uow, acme.scope, [desk.id]) == {desk.id: second}
        history = forwarding.versions(uow, acme.scope, desk.id)
        older = forwarding.versions(uow, acme.scope, desk.id, after=2)
    assert (first.version, second.version, second.note) == (1, 2, "both")
    assert first.document["targets"][0]["address"] == OFFICE, "numbers are kept in E.164"
    assert history == (second, first) and older == (first,)


def test_restoring_publishes_the_old_document_as_a_new_version(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    with units.begin() as uow:
        first = forwarding.publish(uow, acme.scope, desk.id, ring(OFFICE), "ann")
        forwarding.publish(uow, acme.scope, desk.id, ring(MOBILE), "ann")
        third = forwarding.restore(uow, acme.scope, desk.id, 1, "ann")
        actions = [line.action for line in audit.trail(uow, acme.scope)]
        with pytest.raises(NotFound):
            forwarding.restore(uow, acme.scope, desk.id, 9, "ann")
    assert (third.version, third.document) == (3, first.document)
    assert third.note == "Restored from version 1"
    assert actions.count("forwarding.published") == 3


def test_an_old_plan_is_checked_as_of_today(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    with units.begin() as uow:
        forwarding.publish(uow, acme.scope, desk.id, ring("+442079460000"), "ann")
        forwarding.publish(uow, acme.scope, desk.id, ring(OFFICE), "ann")
        accounts.update_account(uow, acme.scope, {"allowed_countries": ["US"]}, "ann")
        with pytest.raises(Invalid) as refusal:
            forwarding.restore(uow, acme.scope, desk.id, 1, "ann")
    assert refusal.value.errors[0].path == "/targets/0/address"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param({"pattern": "magic"}, "/pattern", id="a pattern nobody knows"),
        pytest.param(ring("+14155550100"), "/targets/0/address", id="a loop through our number"),
        pytest.param(
            ring(OFFICE, otherwise=ring("415 555 0100")),
            "/otherwise/targets/0/address",
            id="a loop behind a branch, typed by hand",
        ),
        pytest.param(ring("+81312345678"), "/targets/0/address", id="a country not allowed"),
        pytest.param(ring("+18765550123"), "/targets/0/address", id="Jamaica is +1 and not US"),
        pytest.param(ring("+19005550123"), "/targets/0/address", id="a premium number"),
        pytest.param(
            ring(*(f"+1415555{n:04}" for n in range(1101, 1112))),
            "/targets",
            id="S3-10 eleven phones at once",
        ),
        pytest.param([], "", id="a list instead of a plan"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_with_the_path(
    units: UnitsOfWork, acme: Account, desk: Number, document: Any, path: str
) -> None:
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        forwarding.publish(uow, acme.scope, desk.id, document, "ann")
    assert path in [error.path for error in refusal.value.errors]
    with units.read() as uow:
        assert forwarding.current(uow, acme.scope, desk.id) is None


def test_two_people_publishing_at_once_get_two_versions(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    made: list[int] = []

    def publish() -> None:
        with units.begin() as uow:
            made.append(forwarding.publish(uow, acme.scope, desk.id, ring(OFFICE), "ann").version)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [1, 2, 3, 4]
    db.dispose()


def test_cobalt_neither_reads_nor_changes_acmes_forwarding(
    units: UnitsOfWork, acme: Account, cobalt: Account, desk: Number, links: Any
) -> None:
    from gateway.services.preview import Scenario

    scenario = Scenario(at=units.clock(), caller=None)
    with units.begin() as uow:
        forwarding.publish(uow, acme.scope, desk.id, ring(OFFICE), "ann")
        scope = cobalt.scope
        assert forwarding.current_of(uow, scope, [desk.id]) == {}
        for deed in (
            lambda: forwarding.current(uow, scope, desk.id),
            lambda: forwarding.versions(uow, scope, desk.id),
            lambda: forwarding.get_version(uow, scope, desk.id, 1),
            lambda: forwarding.publish(uow, scope, desk.id, ring(MOBILE), "cobalt"),
            lambda: forwarding.restore(uow, scope, desk.id, 1, "cobalt"),
            lambda: forwarding.what_would_happen(uow, scope, links, desk.id, scenario),
        ):
            with pytest.raises(NotFound):
                deed()
