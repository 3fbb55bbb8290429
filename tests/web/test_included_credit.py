"""Included credit as customers and staff see it."""

import datetime as dt
import re

import pytest

from billing.catalogue import load_catalogue
from gateway.services import (
    accounts,
    plans,
    renewals,
    settlement,
    statement,
    statement_issuing,
    statements,
)
from gateway.uow import UnitsOfWork
from tests.web.conftest import NOON, OLGA, Browser, World, take_call


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def included(world: World) -> World:
    """Acme on a plan with 10.00 of credit, and one call of ten minutes since."""
    document = load_catalogue()["payg"] | {
        "name": "Ten included",
        "included": {"credit": "10.00"},
        "access_fee": {"month": "20.00"},
    }
    with UnitsOfWork(world.units.engine, lambda: NOON).begin() as uow:
        plans.publish_plan(uow, "ten", document, OLGA)
        plans.publish_plan(
            uow, "thirty", document | {"name": "Thirty", "included": {"credit": "30.00"}}, OLGA
        )
        accounts.update_account(uow, world.acme.scope, {"plan_code": "ten"}, OLGA)
    take_call(world.units, world.number, sid="77", seconds=600)
    settlement.drain(UnitsOfWork(world.units.engine, lambda: NOON + dt.timedelta(hours=1)))
    return world


def test_the_pages_say_what_is_granted_used_and_left_and_until_when(
    included: World, acme: Browser, cobalt: Browser
) -> None:
    for path in ("/", "/billing", "/billing/plan"):
        page = text(acme.page(path))
        assert "Included credit left $9.00" in page, path
        assert "$1.00 used of $10.00, until" in page, path
        assert "Mar 31" in page, path
        assert "Included credit left" not in text(cobalt.page(path)), path
    assert "$10.00 for calls and texts in each cycle" in acme.page("/billing/rates")
    preview = text(acme.page("/billing/plan?to=thirty"))
    assert "Included credit given at once $20.00" in preview


def test_the_lines_are_on_the_statement_each_with_its_why(included: World, acme: Browser) -> None:
    april = UnitsOfWork(included.units.engine, lambda: dt.datetime(2026, 4, 1, 5, tzinfo=dt.UTC))
    renewals.drain(april)
    page = acme.page("/billing?kind=included")
    assert page.count("Included credit of the cycle from") == 2
    assert "Unused included credit of the cycle from 01 Mar 2026 expired" in page
    with april.read() as uow:
        lines = statement.list_postings(uow, included.acme.scope, kinds=("credit_expiry",)).items
    why = text(acme.page(f"/billing/{lines[0].id}"))
    assert "granted in the cycle, less what calls and texts used of it" in why
    assert "10000000 - 1000000" in why
    assert statement_issuing.issue_due(april, included.acme.scope, "US") == 1
    with april.read() as uow:
        (view,) = statements.list_statements(uow, included.acme.scope).items
    page = text(acme.page(f"/billing/statements/{view.id}"))
    assert "Paid by included credit" in page
    assert "Included credit used for calls and texts" in page
    assert "$9.00 of it is included credit, for calls and texts alone" in page
    assert acme.get(f"/billing/statements/{view.id}.pdf").data.startswith(b"%PDF")
