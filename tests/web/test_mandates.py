"""What a customer sees of direct debits: how much, when, from where, and how to end it (S5-18)."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.runtime import EXTENSION
from gateway.services import debit_runs, logins, mandates
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.services import doras_bank
from tests.services.days import Calendar
from tests.services.doras_bank import IBAN, statement_of
from tests.web.conftest import OLGA, PASSWORD, Browser, World

calendar, dora, known = doras_bank.calendar, doras_bank.dora, doras_bank.known


@pytest.fixture
def units(world: World) -> UnitsOfWork:
    return world.units


@pytest.fixture
def on_sale(world: World) -> None:
    """The cast of the pages has published the catalogue."""


@pytest.fixture
def doras(world: World, calendar: Calendar, dora: Account) -> dict[str, Browser]:
    """Her owner and her member, in April."""
    world.app.extensions[EXTENSION] = replace(world.runtime, units=calendar.units)
    for role in ("owner", "member"):
        with calendar.units.begin() as uow:
            logins.create_login(
                uow, dora.scope, email=f"{role}@dora.test", name=role, password=PASSWORD,
                role=role, actor=OLGA,
            )  # fmt: skip
    return {role: world.logged_in(f"{role}@dora.test") for role in ("owner", "member")}


def test_s5_18_billing_says_how_much_when_from_where_and_by_which_mandate(
    calendar: Calendar, dora: Account, known: Any, doras: dict[str, Browser]
) -> None:
    page = doras["owner"].page("/billing")
    assert "€35.70" in page and "on Apr 13 from DE02 •••• 2051" in page and "Mandate M-17" in page
    assert IBAN not in page and 'href="/billing/mandate"' in page
    page = doras["member"].page("/billing/mandate")
    assert "planned" in page and statement_of(calendar, dora).label in page
    assert "Only an owner" in page and IBAN not in page
    debit_runs.prepare(calendar.units, known, OLGA)
    page = doras["owner"].page("/billing/mandate")
    assert "the bank has been asked" in page and "planned" not in page


def test_s5_18_an_owner_ends_the_mandate_and_what_was_asked_for_still_comes(
    calendar: Calendar, dora: Account, known: Any, doras: dict[str, Browser]
) -> None:
    debit_runs.prepare(calendar.units, known, OLGA)
    assert doras["member"].post("/billing/mandate/end").status_code == 403
    assert doras["owner"].post("/billing/mandate/end").status_code == 302
    page = doras["owner"].page("/billing/mandate")
    assert "nothing more is collected" in page and "the bank has been asked" in page
    assert "End the mandate" not in page
    with calendar.units.read() as uow:
        (ended,) = mandates.list_mandates(uow, dora.scope)
    assert ended.ended_why == "ended by the customer"
    doras["owner"].post("/billing/mandate/end")
    assert "no mandate in force" in doras["owner"].page("/billing/mandate")


def test_h1_without_a_mandate_nothing_is_said_of_anybodys(
    doras: dict[str, Browser], acme: Browser, cobalt: Browser
) -> None:
    for stranger in (acme, cobalt):
        assert "Direct debit" not in stranger.page("/billing")
        page = stranger.page("/billing/mandate")
        assert "No mandate" in page and "M-17" not in page and "2051" not in page
