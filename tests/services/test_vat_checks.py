"""The Union's register helps staff with VAT ids; it holds up nothing and decides little (S5-19)."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from register import StandIn, no, stand_in, unable, yes
from sqlalchemy import text

from gateway import db
from gateway.config import Settings
from gateway.providers.vies import Vies
from gateway.services import accounts, audit, vat_checks
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid
from gateway.store.vat_checks import VatCheck
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA

ID, ANOTHER = "DE136695976", "DE129273398"


class Desk:
    """Acme's VAT id, the register, and time."""

    def __init__(self, settings: Settings, scope: Any, vies: StandIn) -> None:
        self.now, self.scope, self.vies, self.settings = NOON, scope, vies, settings
        self.units = UnitsOfWork(db.engine_for(settings.database_url), lambda: self.now)

    def give(self, vat_id: str = ID, country: str = "DE") -> None:
        with self.units.begin() as uow:
            changes = {"country": country, "vat_id": vat_id}
            accounts.update_account(uow, self.scope, changes, "ann")

    def ask(self, *, confirms: bool = False) -> int:
        return vat_checks.drain(self.units, Vies(self.vies.url), confirms=confirms)

    def account(self) -> Account:
        with self.units.read() as uow:
            return accounts.get_account(uow, self.scope)

    def is_confirmed(self) -> bool:
        return self.account().vat_id_checked_at is not None

    def ask_again(self, vat_check: str = "ask") -> None:
        settings = self.settings.model_copy(update={"vat_check": vat_check})
        with self.units.begin() as uow:
            vat_checks.ask_again(uow, settings, self.scope, OLGA)

    def standing(self, vat_check: str = "ask") -> vat_checks.Standing | None:
        settings = self.settings.model_copy(update={"vat_check": vat_check})
        with self.units.read() as uow:
            return vat_checks.standing(uow, settings, accounts.get_account(uow, self.scope))

    def answer(self) -> VatCheck | None:
        with self.units.read() as uow:
            return vat_checks.find_answer(uow, accounts.get_account(uow, self.scope))

    def said(self) -> str | None:
        found = self.answer()
        return found.answer if found else None

    def trail(self, action: str) -> list[Any]:
        with self.units.read() as uow:
            return list(audit.of_action(uow, self.scope, action))


@pytest.fixture
def desk(settings: Settings, acme: Account) -> Iterator[Desk]:
    with stand_in() as vies:
        yield Desk(settings, acme.scope, vies)


def test_s5_19_a_yes_waits_for_staff_beside_its_evidence(desk: Desk) -> None:
    desk.vies.says(yes("ACME GMBH", "WAPIAAAA"))
    desk.give()
    assert desk.answer() is None and desk.ask() == 1
    found = desk.answer()
    assert found is not None and (found.answer, found.name) == ("valid", "ACME GMBH")
    assert vat_checks.evidence_of(found).endswith("WAPIAAAA ACME GMBH")
    assert not desk.is_confirmed()
    (noted,) = desk.trail("vat_id.answered")
    assert (noted.actor, noted.subject, noted.detail["answer"]) == ("VIES", ID, "valid")
    assert desk.ask() == 0, "asked once"


def test_s5_19_a_yes_confirms_where_the_operator_trusts_it_and_a_no_never_does(desk: Desk) -> None:
    desk.vies.says(no(), yes("ACME GMBH", "WAPIAAAA"))
    desk.give(ANOTHER)
    desk.ask(confirms=True)
    assert desk.said() == "invalid" and not desk.is_confirmed()
    desk.give(ID)
    desk.ask(confirms=True)
    assert desk.said() == "valid" and desk.is_confirmed()
    (noted,) = desk.trail("vat_id.checked")
    assert noted.actor == "VIES" and "WAPIAAAA ACME GMBH" in noted.detail["evidence"]


def test_s5_19_one_that_does_not_answer_is_asked_again_later_and_longer_each_time(
    desk: Desk,
) -> None:
    desk.vies.says(unable(), unable("MS_MAX_CONCURRENT_REQ"), (200, b"<html>"), yes())
    desk.give()
    for minutes in (1, 2, 4):
        assert desk.ask(confirms=True) == 1
        assert desk.said() == "unknown" and not desk.is_confirmed()
        desk.now += dt.timedelta(minutes=minutes) - dt.timedelta(seconds=1)
        assert desk.ask(confirms=True) == 0, "not yet"
        desk.now += dt.timedelta(seconds=1)
    assert desk.ask(confirms=True) == 1
    assert desk.said() == "valid" and desk.is_confirmed()
    assert [line.detail["answer"] for line in desk.trail("vat_id.answered")] == ["valid", "unknown"]


def test_s5_19_one_that_never_answers_is_left_to_people_after_days(desk: Desk) -> None:
    desk.vies.says(unable())
    desk.give()
    while desk.ask():
        desk.now += vat_checks.PAUSE_MAX
    found = desk.answer()
    assert found is not None and found.ask_at is None and found.answer == "unknown"
    assert len(desk.vies.asked) == vat_checks.ASKS_MAX and "MS_UNAVAILABLE" in found.words


@pytest.mark.parametrize("to", [ANOTHER, ""])
def test_s5_19_an_answer_for_an_id_that_was_changed_meanwhile_is_dropped(
    desk: Desk, to: str
) -> None:
    """The owner writes another while the register is still thinking about the first."""

    class Slow(Vies):
        def look_up(self, vat_id: str) -> Any:
            answer = super().look_up(vat_id)
            if vat_id == ID:
                desk.give(to)
            return answer

    desk.vies.says(yes(), no())
    desk.give()
    vat_checks.drain(desk.units, Slow(desk.vies.url), confirms=True)
    assert desk.account().vat_id == to and not desk.is_confirmed()
    assert desk.said() == ("invalid" if to else None)


def test_s5_19_staff_decides_first_and_last(desk: Desk) -> None:
    desk.vies.says(unable(), no(), yes())
    desk.give()
    desk.ask(confirms=True)
    with desk.units.begin() as uow:
        accounts.confirm_vat_id(uow, desk.scope, "seen on paper", OLGA)
    desk.now += dt.timedelta(days=1)
    assert desk.ask(confirms=True) == 0 and desk.is_confirmed(), "no register is asked any more"
    with desk.units.begin() as uow, pytest.raises(Invalid, match="say why"):
        accounts.withdraw_vat_id(uow, desk.scope, " ", OLGA)
    with desk.units.begin() as uow:
        accounts.withdraw_vat_id(uow, desk.scope, "another company's", OLGA)
    assert desk.ask(confirms=True) == 0 and not desk.is_confirmed()
    (noted,) = desk.trail("vat_id.withdrawn")
    assert (noted.actor, noted.detail["reason"]) == (OLGA, "another company's")
    with desk.units.begin() as uow, pytest.raises(Conflict):
        accounts.withdraw_vat_id(uow, desk.scope, "twice", OLGA)


@pytest.mark.parametrize(
    "country, vat_id, asked",
    [
        ("GR", "EL094259216", [{"countryCode": "EL", "vatNumber": "094259216"}]),
        ("GB", "XI980780684", [{"countryCode": "XI", "vatNumber": "980780684"}]),
        ("GB", "GB980780684", []),
        ("US", "DE136695976", []),
    ],
)
def test_s5_19_only_ids_of_the_union_and_northern_ireland_are_asked_about(
    desk: Desk, country: str, vat_id: str, asked: list[Any]
) -> None:
    desk.vies.says(yes())
    desk.give(vat_id, country)
    desk.ask()
    assert desk.vies.asked == asked


def test_s5_19_what_was_saved_once_more_is_not_asked_again(desk: Desk) -> None:
    desk.vies.says(yes())
    desk.give()
    desk.ask()
    desk.give()
    assert desk.ask() == 0 and desk.said() == "valid"


def test_s5_19_staff_has_it_asked_again_at_once_and_the_last_answer_stays_meanwhile(
    desk: Desk,
) -> None:
    desk.vies.says(no(), unable(), yes("ACME GMBH"))
    desk.give()
    desk.ask_again()
    assert desk.ask() == 1, "the first question still waited: it is the same"
    desk.ask_again()
    assert desk.said() == "invalid" and desk.ask() == 1
    assert desk.said() == "unknown" and desk.ask() == 0, "it pauses"
    desk.ask_again()
    assert desk.ask() == 1 and desk.said() == "valid" and not desk.is_confirmed()
    assert [line.actor for line in desk.trail("vat_id.asked")] == [OLGA, OLGA]
    found = desk.standing()
    assert found is not None and (found.ask_at, found.withdrawn) == (None, None)


def test_s5_19_what_staff_withdrew_no_register_confirms_by_itself(desk: Desk) -> None:
    """Also not where the customer writes it anew."""
    desk.vies.says(yes("ACME GMBH"))
    desk.give()
    desk.ask(confirms=True)
    with desk.units.begin() as uow:
        accounts.withdraw_vat_id(uow, desk.scope, "another company's", OLGA)
    desk.now += dt.timedelta(hours=1)
    desk.ask_again("confirm")
    desk.ask(confirms=True)
    desk.give("")
    desk.give(ID)
    assert desk.ask(confirms=True) == 1 and not desk.is_confirmed()
    found = desk.standing("confirm")
    assert found is not None and found.answer is not None and found.withdrawn is not None
    assert (found.answer.answer, found.withdrawn.detail) == (
        "valid",
        {"reason": "another company's"},
    )
    with desk.units.begin() as uow:
        accounts.confirm_vat_id(uow, desk.scope, "seen on paper", OLGA)
    found = desk.standing("confirm")
    assert found is not None and found.withdrawn is None


@pytest.mark.parametrize(
    "country, vat_id, vat_check, words",
    [
        ("DE", ID, "off", "set VAT_CHECK to ask or confirm"),
        ("DE", "", "ask", "has no VAT id"),
        ("GB", "GB980780684", "ask", "VIES has no ids of GB"),
    ],
)
def test_s5_19_where_no_register_can_be_asked_staff_reads_why(
    desk: Desk, country: str, vat_id: str, vat_check: str, words: str
) -> None:
    desk.give(vat_id, country)
    with pytest.raises(Conflict, match=words):
        desk.ask_again(vat_check)


def test_s5_19_ids_that_are_older_than_the_register_are_asked_about_once(desk: Desk) -> None:
    """By the migration that comes after the register's: what it knew already, it leaves alone."""
    config = db.alembic_config(desk.settings.database_url)
    desk.vies.says(no())
    desk.give()
    with desk.units.begin() as uow:
        uow.connection.execute(text("delete from vat_id_check"))
        uow.connection.execute(text("update alembic_version set version_num = '0022'"))
    command.upgrade(config, "0023")
    desk.now = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    assert desk.ask() == 1 and desk.said() == "invalid"
    with desk.units.begin() as uow:
        uow.connection.execute(text("update alembic_version set version_num = '0022'"))
    command.upgrade(config, "0023")
    desk.now += dt.timedelta(days=1)
    assert desk.ask() == 0
