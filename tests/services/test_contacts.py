"""A billing address is confirmed by the link that was mailed there, once and in time (S2-14)."""

import datetime as dt
import re
from typing import Any

import pytest
from sqlalchemy import select

from gateway.providers.mail import Mail, SandboxMailer
from gateway.providers.telephony import ProviderError
from gateway.services import accounts, audit, contact_mail, contacts, deeds
from gateway.services.accounts import Account, AccountFlag
from gateway.services.contacts import LinkUseless
from gateway.services.errors import Conflict
from gateway.store.audit import AuditRow
from gateway.store.mail import MailRow
from gateway.store.outbox import OutboxRow
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account

NEW = "ann@acme.test"


@pytest.fixture
def calendar(units: UnitsOfWork) -> Calendar:
    return Calendar(units)


class Postman:
    """Delivers, and remembers."""

    name = "postman"

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


class NobodyThere(Postman):
    def send(self, mail: Mail) -> None:
        raise ProviderError("no such user", permanent=True)


def deliver(calendar: Calendar, settings: Any, mailer: Any = None) -> Any:
    mailer = mailer or Postman()
    deeds.work(calendar.units, "notify", contact_mail.handlers(calendar.units, mailer, settings))
    return mailer


def token_in(body: str) -> str:
    found = re.search(r"/confirm-email\?token=(\S+)", body)
    assert found is not None
    return found.group(1)


def move(calendar: Calendar, account: Account, email: str = NEW) -> None:
    with calendar.units.begin() as uow:
        accounts.update_account(uow, account.scope, {"billing_email": email}, OLGA)


def link(calendar: Calendar, settings: Any) -> str:
    return token_in(deliver(calendar, settings).mails[-1].body)


def open_link(calendar: Calendar, settings: Any, token: str) -> str:
    with calendar.units.begin() as uow:
        return contacts.confirm(uow, settings.secret_key, token)


def confirmed(calendar: Calendar, account: Account) -> bool:
    with calendar.units.read() as uow:
        found = accounts.get_account(uow, account.scope)
    return found.billing_email_confirmed_at is not None


def test_s2_14_a_changed_address_is_confirmed_by_its_link_once(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    move(calendar, acme)
    postman = deliver(calendar, settings)
    (mail,) = postman.mails
    assert mail.to == NEW and not confirmed(calendar, acme)
    token = token_in(mail.body)
    with calendar.units.begin() as uow:
        assert contacts.check(uow, settings.secret_key, token) == NEW
    assert not confirmed(calendar, acme), "to look at it is not to confirm"
    assert open_link(calendar, settings, token) == NEW
    assert confirmed(calendar, acme)
    with pytest.raises(LinkUseless):
        open_link(calendar, settings, token)
    with calendar.units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"billing_email": NEW, "name": "Acme"}, OLGA)
    assert confirmed(calendar, acme), "the same address stays confirmed"
    assert deliver(calendar, settings).mails == []


def test_s2_14_a_new_account_is_mailed_its_link_and_listed_until_it_is_opened(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    """By whomever it is opened; who opens it may know already that the address is theirs."""
    dora = open_account(calendar, "dora", "payg")
    assert dora.billing_email_confirmed_at is None

    def waiting() -> list[str]:
        with calendar.units.read() as uow:
            found = accounts.list_accounts(uow, flag=AccountFlag.UNCONFIRMED)
        return [one.name for one in found]

    assert waiting() == ["dora"], "and not Acme, which was confirmed from the start"
    (mail,) = deliver(calendar, settings).mails
    assert mail.to == "billing@dora.test"
    assert open_link(calendar, settings, token_in(mail.body)) == mail.to
    assert waiting() == []
    with calendar.units.begin() as uow:
        accounts.note_bounce(uow, dora.scope, mail.to, "no such user")
    calendar.now += dt.timedelta(minutes=2)
    with calendar.units.begin() as uow:
        contacts.send_again(uow, dora.scope, OLGA)
    open_link(calendar, settings, link(calendar, settings))
    with calendar.units.read() as uow:
        found = accounts.get_account(uow, dora.scope)
        sent = audit.of_action(uow, dora.scope, contacts.LINK_SENT)
    assert found.billing_email_bounced_at is None, "what was confirmed and came back, anew"
    assert [line.actor for line in sent] == [OLGA, "system"]


@pytest.mark.parametrize("hours, works", [(71, True), (72, False)])
def test_s2_14_a_link_is_good_for_three_days(
    calendar: Calendar, acme: Account, settings: Any, hours: int, works: bool
) -> None:
    move(calendar, acme)
    token = link(calendar, settings)
    calendar.now += dt.timedelta(hours=hours)
    if works:
        open_link(calendar, settings, token)
    else:
        with pytest.raises(LinkUseless):
            open_link(calendar, settings, token)
    assert confirmed(calendar, acme) == works


def test_s2_14_a_newer_link_or_another_address_ends_the_older_one(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    move(calendar, acme)
    first = link(calendar, settings)
    calendar.now += dt.timedelta(minutes=3)
    with calendar.units.begin() as uow:
        assert contacts.send_again(uow, acme.scope, "owner@acme.test") == NEW
    second = link(calendar, settings)
    with pytest.raises(LinkUseless):
        open_link(calendar, settings, first)
    move(calendar, acme, "eve@acme.test")
    with pytest.raises(LinkUseless):
        open_link(calendar, settings, second)
    assert open_link(calendar, settings, link(calendar, settings)) == "eve@acme.test"


def test_s2_14_a_link_that_is_forged_or_of_another_account_confirms_nothing(
    calendar: Calendar, acme: Account, bolt: Account, settings: Any
) -> None:
    move(calendar, acme)
    move(calendar, bolt, "ann@bolt.test")
    token = link(calendar, settings)
    account, _, signature = token.partition(".")
    other = {acme.id.hex: bolt.id.hex, bolt.id.hex: acme.id.hex}[account]
    forged = contacts.token_of("another key", acme.id, NEW, "n")
    for wrong in (f"{other}.{signature}", f"{account}.", forged, "", "x.y", f"{token}0", "\u20ac"):
        with pytest.raises(LinkUseless):
            open_link(calendar, settings, wrong)
    assert not confirmed(calendar, acme) and not confirmed(calendar, bolt)


def test_s2_14_links_are_sent_again_after_a_pause_and_five_times_a_day(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    def again() -> None:
        with calendar.units.begin() as uow:
            contacts.send_again(uow, acme.scope, "owner@acme.test")

    move(calendar, acme)
    with pytest.raises(Conflict, match="a moment ago"):
        again()
    for _ in range(4):
        calendar.now += dt.timedelta(minutes=2)
        again()
    calendar.now += dt.timedelta(minutes=2)
    with pytest.raises(Conflict, match="tomorrow"):
        again()
    assert len(deliver(calendar, settings).mails) == 5
    move(calendar, acme, "eve@acme.test")
    assert deliver(calendar, settings).mails == [], "nor by typing another address"
    calendar.now += dt.timedelta(days=1)
    again()
    open_link(calendar, settings, link(calendar, settings))
    calendar.now += dt.timedelta(minutes=2)
    with pytest.raises(Conflict, match="confirmed already"):
        again()


def test_s2_14_the_link_is_in_no_queue_no_trail_and_no_copy_of_a_delivered_mail(
    calendar: Calendar, acme: Account, settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    move(calendar, acme)
    token = link(calendar, settings)
    open_link(calendar, settings, token)
    with calendar.units.read() as uow:
        rows = [
            row
            for table in (OutboxRow, MailRow, AuditRow)
            for row in uow.connection.execute(select(table.__table__))  # type: ignore[arg-type]
        ]
    assert any("(not kept)" in str(row) for row in rows)
    signature = token.partition(".")[2]
    assert signature not in str(rows) and signature not in "".join(capfd.readouterr())


def test_the_sandbox_mailbox_keeps_the_link_because_it_is_the_only_place_to_open_it(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    move(calendar, acme)
    deliver(calendar, settings, SandboxMailer())
    with calendar.units.read() as uow:
        body = uow.connection.scalar(select(MailRow.body).where(MailRow.to_address == NEW))
    assert open_link(calendar, settings, token_in(body or "")) == NEW


def test_s2_14_an_address_that_bounces_is_flagged_and_a_read_link_lifts_the_flag(
    calendar: Calendar, acme: Account, settings: Any
) -> None:
    move(calendar, acme)
    deliver(calendar, settings, NobodyThere())
    with calendar.units.read() as uow:
        assert accounts.get_account(uow, acme.scope).billing_email_bounced_at is not None
    calendar.now += dt.timedelta(hours=1)
    with calendar.units.begin() as uow:
        contacts.send_again(uow, acme.scope, OLGA)
    open_link(calendar, settings, link(calendar, settings))
    with calendar.units.read() as uow:
        assert accounts.get_account(uow, acme.scope).billing_email_bounced_at is None
