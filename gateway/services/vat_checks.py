"""VAT ids looked up in the Union's register by the machine: a help for staff, and a gate for none.

Taxes wait for a confirmation, never for a register: until there is one, tax is charged. The
register is asked with no transaction open; its answer counts only while that very giving of the
id still waits for one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import structlog

from billing.vat_ids import is_in_vies
from gateway.config import Settings
from gateway.providers.telephony import ProviderError
from gateway.providers.vat_register import VatRegister
from gateway.services import accounts, audit
from gateway.services.accounts import EVIDENCE_LENGTH_MAX, Account
from gateway.services.errors import Conflict
from gateway.store import accounts as account_store
from gateway.store import vat_checks as store
from gateway.store.audit import AuditLine
from gateway.store.base import Scope
from gateway.store.vat_checks import VatCheck
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

LEASE: Final = dt.timedelta(minutes=2)  # longer than the register may take
AT_ONCE: Final = 20
ASKS_MAX: Final = 20  # three days, by these pauses
PAUSE: Final = dt.timedelta(minutes=1)  # doubled each time
PAUSE_MAX: Final = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of an account's VAT id. `answer`: what the register last said of it; `ask_at`: when it is
    asked next; `withdrawn`: the line of the trail by which staff took its confirmation back, until
    it is confirmed anew. Each None where there is none."""

    answer: VatCheck | None
    ask_at: dt.datetime | None
    withdrawn: AuditLine | None


def drain(units: UnitsOfWork, register: VatRegister, *, confirms: bool) -> int:
    """Ask about the longest due, a few at most; how many. `confirms`: a yes is a confirmation."""
    for asked in range(AT_ONCE):
        with units.begin() as uow:
            claimed = store.due.claim(uow.connection, now=uow.now, lease=LEASE, limit=1)
        if not claimed:
            return asked
        _ask(units, register, claimed[0], confirms=confirms)
    return AT_ONCE


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return store.due.oldest_due_at(uow.connection, now=uow.now)


def find_answer(uow: UnitOfWork, account: Account) -> VatCheck | None:
    """What the register last said of the id that the account has now; None: it said nothing."""
    return store.last_answer(uow.connection, account.scope, account.vat_id)


def standing(uow: UnitOfWork, settings: Settings, account: Account) -> Standing | None:
    """None: the account has no VAT id."""
    if not account.vat_id:
        return None
    newest = store.newest(uow.connection, account.scope)
    is_asked = can_ask(settings, account) and newest is not None
    return Standing(
        find_answer(uow, account),
        newest.ask_at if newest and is_asked else None,
        _withdrawal(uow, account),
    )


def can_ask(settings: Settings, account: Account) -> bool:
    """Is there a register that is asked about this id?"""
    return settings.vat_check != "off" and is_in_vies(account.vat_id, account.country)


def ask_again(uow: UnitOfWork, settings: Settings, scope: Scope, actor: str) -> Account:
    """Now, whatever was answered and however often; a question that waits is as good. The answer
    decides what the first one would, except that it confirms nothing that staff withdrew."""
    account_store.lock(uow.connection, scope)
    account = accounts.get_account(uow, scope)
    if settings.vat_check == "off":
        raise Conflict("No register is asked: set VAT_CHECK to ask or confirm, and start again.")
    if not account.vat_id:
        raise Conflict("The account has no VAT id: its owner writes it under Billing, Statements.")
    if not can_ask(settings, account):
        raise Conflict(f"VIES has no ids of {account.country}: look it up in that country.")
    newest = store.newest(uow.connection, scope)
    if newest is None or newest.ask_at is None or newest.asked:
        store.end(uow.connection, scope)
        store.begin(uow.connection, scope, account.vat_id, now=uow.now)
        audit.note(uow, scope, actor, "vat_id.asked", account.vat_id)
    return account


def _withdrawal(uow: UnitOfWork, account: Account) -> AuditLine | None:
    if account.vat_id_checked_at is not None:
        return None
    lines = audit.of_action(uow, account.scope, "vat_id.withdrawn")
    return next((line for line in lines if line.subject == account.vat_id), None)


def evidence_of(check: VatCheck, register_name: str = "VIES") -> str:
    """The answer in one line, as it stands in the trail."""
    words = (register_name, check.requested_on, check.identifier, check.name)
    return " ".join(word for word in words if word)[:EVIDENCE_LENGTH_MAX]


def _ask(units: UnitsOfWork, register: VatRegister, check: VatCheck, *, confirms: bool) -> None:
    try:
        answer = register.look_up(check.vat_id)
    except ProviderError as silence:
        asked = check.asked + 1
        pause = min(PAUSE * 2 ** (asked - 1), PAUSE_MAX)
        log.warning("vat_id.unknown", account_id=str(check.account_id), error=silence.words)
        with units.begin() as uow:
            again_at = uow.now + pause if asked < ASKS_MAX else None
            _keep(uow, register.name, check, "unknown", ask_at=again_at, words=silence.words)
        return
    with units.begin() as uow:
        kept = _keep(
            uow,
            register.name,
            check,
            "valid" if answer.is_valid else "invalid",
            ask_at=None,
            requested_on=answer.requested_on,
            identifier=answer.identifier,
            name=answer.name,
            words="",
        )
        if kept is None or not answer.is_valid or not confirms:
            return
        if _withdrawal(uow, accounts.get_account(uow, check.scope)) is None:
            evidence = evidence_of(kept, register.name)
            accounts.confirm_vat_id(uow, check.scope, evidence, register.name)


def _keep(
    uow: UnitOfWork, actor: str, check: VatCheck, answer: str, **values: Any
) -> VatCheck | None:
    """None: nobody waits for it any more, for the id was changed or staff has decided. The account
    is locked first, as by whoever changes it."""
    account_store.lock(uow.connection, check.scope)
    before = store.lock_open(uow.connection, check)
    if before is None:
        return None
    told = {"answer": answer, "answered_at": uow.now, "asked": before.asked + 1, **values}
    store.change(uow.connection, check, told)
    if answer != before.answer:
        detail = {
            k: values[k] for k in ("requested_on", "identifier", "name", "words") if values.get(k)
        }
        audit.note(
            uow, check.scope, actor, "vat_id.answered", check.vat_id, answer=answer, **detail
        )
    return store.newest(uow.connection, check.scope)
