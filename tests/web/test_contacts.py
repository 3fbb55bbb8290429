"""Until its link is opened, pages say that the billing address is not confirmed (S2-14)."""

import re

from sqlalchemy import select

from gateway.providers.mail import SandboxMailer
from gateway.services import contact_mail, contacts, deeds
from gateway.store.mail import MailRow
from tests.web.conftest import OLGA, Browser, World, csrf_token

BANNER = "is not confirmed: nobody has opened the link"


def link_to(world: World, email: str) -> str:
    handlers = contact_mail.handlers(world.units, SandboxMailer(), world.runtime.settings)
    deeds.work(world.units, "notify", handlers)
    with world.units.read() as uow:
        body = uow.connection.scalar(
            select(MailRow.body).where(MailRow.to_address == email).order_by(MailRow.id.desc())
        )
    found = re.search(r"(/confirm-email\?token=\S+)", body or "")
    assert found is not None
    return found.group(1)


def test_s2_14_the_banner_sends_the_link_and_the_link_ends_the_banner(
    world: World, acme: Browser
) -> None:
    assert BANNER in acme.page("/calls") and "billing@acme.test" in acme.page("/calls")
    acme.post("/settings/email-link")
    assert "A link is on its way to billing@acme.test" in acme.page("/settings")
    acme.post("/settings/email-link")
    assert "sent a moment ago" in acme.page("/settings")
    path, reader = link_to(world, "billing@acme.test"), world.browser()
    page = reader.page(path)
    assert "Bills and warnings are to go to billing@acme.test." in page
    assert BANNER in acme.page("/calls"), "a program that only opens the link confirms nothing"
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None
    fields = {"token": token.group(1), "csrf_token": csrf_token(page)}
    assert "Confirmed" in reader.client.post("/confirm-email", data=fields).text
    assert BANNER not in acme.page("/calls")
    again = reader.client.post("/confirm-email", data=fields)
    assert again.status_code == 410 and "does not work any more" in again.text
    assert reader.get(path).status_code == 410


def test_s2_14_a_changed_address_is_asked_for_again_and_staff_sees_it(
    world: World, acme: Browser
) -> None:
    with world.units.begin() as uow:
        contacts.send_again(uow, world.acme.scope, OLGA)
    key = world.runtime.settings.secret_key
    path = link_to(world, "billing@acme.test")
    with world.units.begin() as uow:
        contacts.confirm(uow, key, path.partition("token=")[2])
    olga = world.logged_in(OLGA)
    assert "is not confirmed" not in olga.page(f"/ops/accounts/{world.acme.id}")
    fields = {"name": "Acme", "time_zone": "America/New_York", "at_zero": "reject"}
    acme.post("/settings", fields | {"billing_email": "ann@acme.test"})
    assert BANNER in acme.page("/")
    assert "ann@acme.test is not confirmed" in olga.page(f"/ops/accounts/{world.acme.id}")
    assert "Confirm this address" in world.browser().page(link_to(world, "ann@acme.test"))


def test_s2_14_members_read_of_it_and_owners_act(member: Browser) -> None:
    page = member.page("/calls")
    assert BANNER in page and "An owner can have the link sent" in page
    assert 'action="/settings/email-link"' not in page
    assert member.post("/settings/email-link").status_code == 403


def test_a_link_that_was_never_given_says_nothing_of_anybody(world: World) -> None:
    for token in ("", "x", f"{world.acme.id.hex}.0"):
        answer = world.browser().get(f"/confirm-email?token={token}")
        assert answer.status_code == 410 and "acme" not in answer.text.lower()
