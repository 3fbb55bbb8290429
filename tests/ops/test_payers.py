"""C15: staff and an agency's owner see what another payer changes, confirm it, and cancel it."""

import re
from html import unescape

import pytest

from gateway.services import accounts, memberships
from gateway.services.accounts import Account, NewAccount
from tests.web.conftest import OLGA, Browser, World

SHARE = {"billing": "agency_shared", "first_on": "2026-03-10", "last_on": "2026-03-31"}
QUERY = "billing=agency_shared&first_on=2026-03-10&last_on=2026-03-31"


@pytest.fixture
def dental(world: World) -> Account:
    with world.units.begin() as uow:
        return accounts.create_account(
            uow,
            NewAccount(
                name="Dental",
                billing_email="dental@acme.test",
                plan_code="small_teams",
                parent_id=world.acme.id,
                needs_card=False,
            ),
            OLGA,
        )


def planned(world: World, account: Account) -> list[str]:
    with world.units.read() as uow:
        return [change.billing for change in memberships.upcoming(uow, account.scope)]


@pytest.mark.parametrize("who", ["olga", "acme"], ids=["staff", "the agency's owner"])
def test_c15_what_changes_is_seen_confirmed_and_cancelled(
    world: World, olga: Browser, dental: Account, who: str
) -> None:
    asker = {"olga": olga, "acme": world.logged_in("owner@acme.test")}[who]
    path = {
        "olga": f"/ops/accounts/{dental.id}/payer",
        "acme": f"/billing/clients/{dental.id}/payer",
    }[who]
    assert "pays by itself" in asker.page(path)
    seen = unescape(asker.page(f"{path}?{QUERY}"))
    for words in ("What changes", "Acme pays", "Access fee", "stays its own", "drawn first"):
        assert words in seen, words
    assert planned(world, dental) == [], "nothing is written"
    assert send(olga, asker, path, SHARE) == 302
    assert planned(world, dental) == ["agency_shared", "own"]
    page = unescape(asker.page(path))
    assert "Planned" in page and "See what changes" not in page
    again = asker.get(f"{path}?{QUERY}")
    assert again.status_code == 409 and "is planned already: cancel it first" in again.text
    assert "What changes" not in again.text and "Cancel what is planned" in again.text
    assert send(olga, asker, f"{path}/cancel", {}) == 302
    assert planned(world, dental) == []
    wrong = asker.get(f"{path}?billing=agency_shared&first_on=2026-03-01")
    assert wrong.status_code == 422 and "or a later day" in wrong.text


def send(olga: Browser, asker: Browser, path: str, fields: dict[str, str]) -> int:
    """The console has forms of its own."""
    if asker is not olga:
        return asker.post(path, fields).status_code
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    return olga.client.post(path, data={**fields, "csrf_token": token[1]}).status_code


def test_c15_at_once_is_staffs(world: World, olga: Browser, dental: Account) -> None:
    acme = world.logged_in("owner@acme.test")
    at_once = {"billing": "agency_shared", "first_on": "", "last_on": ""}
    path = f"/billing/clients/{dental.id}/payer"
    acme.post(path, at_once)
    with world.units.read() as uow:
        assert accounts.get_account(uow, dental.scope).billing == "own"
    assert acme.get(f"{path}?billing=agency_shared").status_code == 422
    send(olga, olga, f"/ops/accounts/{dental.id}/payer", at_once)
    with world.units.read() as uow:
        assert accounts.get_account(uow, dental.scope).billing == "agency_shared"


def test_only_an_owner_plans_and_only_for_clients_of_the_own(world: World, dental: Account) -> None:
    path = f"/billing/clients/{dental.id}/payer"
    member = world.logged_in("member@acme.test")
    assert "An owner of this account" in member.page(path)
    assert member.post(path, SHARE).status_code == 403
    cobalt = world.logged_in("owner@cobalt.test")
    assert cobalt.get(path).status_code == cobalt.post(path, SHARE).status_code == 404
    assert planned(world, dental) == []


def test_an_account_without_an_agency_has_nobody_else_to_pay(world: World, olga: Browser) -> None:
    page = olga.page(f"/ops/accounts/{world.acme.id}/payer?{QUERY}")
    assert "without an agency" in page and "See what changes" not in page
