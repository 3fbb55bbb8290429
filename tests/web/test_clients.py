"""An agency's clients: who used which share, and the lines behind every charge of a statement."""

import datetime as dt
import re
import uuid
from html import unescape
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    memberships,
    packages,
    plans,
    statement_figures,
    statement_issuing,
    statements,
)
from gateway.services.accounts import Account, NewAccount
from gateway.uow import UnitsOfWork
from tests.services.history import History, Target
from tests.web.conftest import OLGA, Browser, World

AGENCY = load_catalogue()["payg"] | {
    "name": "Agency",
    "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
    "packages": [
        {
            "code": "small",
            "number_type": "local",
            "minutes": 3,
            "price": "0.12",
            "leg_scope": ["inbound"],
        }
    ],
}


@pytest.fixture
def client(world: World) -> Account:
    """Of Acme, which pays for it; one call of 83 s and one of 120 s, half of it in minutes."""
    with world.units.begin() as uow:
        plans.publish_plan(uow, "agency", AGENCY, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "agency"}, OLGA)
        packages.buy(uow, world.acme.scope, "small", Purchaser("", "Ann"), idempotency_key="p")
        opened = accounts.create_account(
            uow,
            NewAccount(
                name="Dental",
                billing_email="dental@acme.test",
                plan_code="agency",
                parent_id=world.acme.id,
            ),
            OLGA,
        )
        memberships.set_billing(uow, opened.scope, "agency_shared", OLGA)
    later = UnitsOfWork(world.units.engine, lambda: world.units.clock() + dt.timedelta(minutes=4))
    history = History(later, opened)
    did = history.number("+12125550177", "Dental")
    for talk in (83, 120):
        history.call(did, Target(talk=talk), at=world.units.clock() + dt.timedelta(minutes=1))
    return opened


def test_s1_14_the_agency_sees_who_used_which_share(
    world: World, acme: Browser, client: Account
) -> None:
    page = unescape(acme.page("/billing/clients"))
    row = re.search(r"<tr>(?:(?!</tr>).)*Dental.*?</tr>", page, re.DOTALL)
    assert row is not None
    assert "you pay" in row[0]
    assert "3 min 00 s" in row[0], row[0]
    total = re.search(r"since then</th><td class=\"number\">([^<]+)<", page)
    assert total is not None
    with world.units.read() as uow:
        running = statement_figures.so_far(uow, world.acme.scope)
    shares = sum(share["total_micros"] for share in running.shares)
    assert shares == running.figures.charges_micros
    assert total[1].strip("$") == f"{shares / 1_000_000:.6f}"
    drawn = acme.page(f"/billing/clients/{client.id}")
    assert "package small" in drawn and "a call of Dental" in drawn
    billing = acme.page("/billing")
    assert '/billing/clients"' in billing
    assert "a client drew are listed with that client" in billing
    assert "a client drew" not in acme.page("/billing?kind=topup"), "no line of minutes there"


def test_a_line_of_a_clients_call_is_explained_to_the_agency_and_its_call_is_not_shown(
    world: World, acme: Browser, client: Account
) -> None:
    page = acme.page(f"/billing/clients/{client.id}")
    line = re.search(r'href="(/billing/[0-9a-f-]{36}-\d+)"', page)
    assert line is not None
    shown = unescape(acme.page(line[1]))
    assert "of your client Dental" in shown and "plan Agency v1" in shown
    assert 'href="/calls/CA' not in shown


def test_nobody_elses_clients_are_shown(world: World, visit: Any, client: Account) -> None:
    cobalt = visit("owner@cobalt.test")
    assert "Dental" not in cobalt.page("/billing/clients")
    assert cobalt.get(f"/billing/clients/{client.id}").status_code == 404
    assert cobalt.get(f"/billing/clients/{uuid.uuid4()}").status_code == 404


def test_s5_20_every_charge_of_a_statement_opens_its_lines_and_they_sum_to_it(
    world: World, acme: Browser, client: Account
) -> None:
    april = UnitsOfWork(world.units.engine, lambda: dt.datetime(2026, 4, 2, tzinfo=dt.UTC))
    assert statement_issuing.issue_due(april, world.acme.scope, "US") == 1
    with world.units.read() as uow:
        view = statements.list_statements(uow, world.acme.scope).items[0]
        charges = view.document["charges"]
        assert {charge["kind"] for charge in charges} >= {"usage", "rental", "package"}
        for charge in charges:
            lines = statements.lines_of_charge(uow, world.acme.scope, view, charge).items
            assert len(lines) == charge["count"]
            assert sum(-line.amount_micros for line in lines) == charge["amount_micros"]
    page = acme.page(f"/billing/statements/{view.id}")
    for place in range(len(charges)):
        assert f"/billing/statements/{view.id}/charges/{place}" in page
        assert "Open one to see why" in acme.page(f"/billing/statements/{view.id}/charges/{place}")
    credit = view.document["credits"][0]["key"]
    assert f"/billing/lines/{credit}" in page
    moved = acme.get(f"/billing/lines/{credit}")
    assert moved.status_code == 302 and "/billing/" in moved.location
    assert f"/billing/statements/{view.id}/clients/{client.id}" in page
