"""Until its link is opened, pages say that the billing address is not confirmed (S2-14)."""

import re
from dataclasses import replace

from sqlalchemy import select

from gateway.providers.mail import SandboxMailer
from gateway.runtime import EXTENSION
from gateway.services import contact_mail, contacts, deeds
from gateway.store.mail import MailRow
from gateway.uow import UnitsOfWork
from tests.web.conftest import NOON, OLGA, Browser, World, csrf_token

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


def write(owner: Browser, email: str) -> None:
    fields = {"name": "Acme", "time_zone": "America/New_York", "at_zero": "reject"}
    owner.post("/settings", fields | {"billing_email": email})


def later(world: World) -> None:
    """Two minutes have passed."""
    world.units = UnitsOfWork(world.units.engine, lambda: NOON + contacts.PAUSE)
    world.runtime = replace(world.runtime, units=world.units)
    world.app.extensions[EXTENSION] = world.runtime


def test_s2_14_the_banner_sends_the_link_and_the_link_ends_the_banner(
    world: World, acme: Browser
) -> None:
    assert BANNER not in acme.page("/calls")
    write(acme, "ann@acme.test")
    assert BANNER in acme.page("/calls") and "ann@acme.test" in acme.page("/calls")
    first = link_to(world, "ann@acme.test")
    acme.post("/settings/email-link")
    assert "sent a moment ago" in acme.page("/settings")
    later(world)
    acme.post("/settings/email-link")
    assert "A link is on its way to ann@acme.test" in acme.page("/settings")
    path, reader = link_to(world, "ann@acme.test"), world.browser()
    assert reader.get(first).status_code == 410, "the newer one ends it"
    page = reader.page(path)
    assert "Bills and warnings are to go to ann@acme.test." in page
    assert BANNER in acme.page("/calls"), "a program that only opens the link confirms nothing"
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None
    fields = {"token": token.group(1), "csrf_token": csrf_token(page)}
    assert "Confirmed" in reader.client.post("/confirm-email", data=fields).text
    assert BANNER not in acme.page("/calls")
    again = reader.client.post("/confirm-email", data=fields)
    assert again.status_code == 410 and "does not work any more" in again.text
    assert reader.get(path).status_code == 410


def test_s2_14_a_changed_address_is_asked_for_again_and_staff_sees_it_and_sends_the_link(
    world: World, acme: Browser
) -> None:
    olga, path = world.logged_in(OLGA), f"/ops/accounts/{world.acme.id}"
    assert "is not confirmed" not in olga.page(path)
    assert "not confirmed" not in olga.page("/ops/accounts").partition("<table")[2]
    write(acme, "ann@acme.test")
    assert BANNER in acme.page("/")
    assert "ann@acme.test is not confirmed" in olga.page(path)
    for listed in (olga.page("/ops/accounts"), olga.page("/ops/accounts?flag=unconfirmed")):
        assert '<span class="tag warn">not confirmed</span>' in listed
    assert ">Acme<" in listed and ">Bolt<" not in listed
    assert "Confirm this address" in world.browser().page(link_to(world, "ann@acme.test"))
    token = csrf_token(olga.page(path))
    for words in ("sent a moment ago", "A link is on its way to ann@acme.test"):
        sent = olga.client.post(f"{path}/email-link", data={"csrf_token": token})
        assert sent.status_code == 302 and words in olga.page(path)
        later(world)
    assert "Confirm this address" in world.browser().page(link_to(world, "ann@acme.test"))


def test_s2_14_members_read_of_it_and_owners_act(acme: Browser, member: Browser) -> None:
    write(acme, "ann@acme.test")
    page = member.page("/calls")
    assert BANNER in page and "An owner can have the link sent" in page
    assert 'action="/settings/email-link"' not in page
    assert member.post("/settings/email-link").status_code == 403


def test_a_link_that_was_never_given_says_nothing_of_anybody(world: World) -> None:
    for token in ("", "x", f"{world.acme.id.hex}.0"):
        answer = world.browser().get(f"/confirm-email?token={token}")
        assert answer.status_code == 410 and "acme" not in answer.text.lower()
