"""Payments that were disputed, or given back at the provider without us: flagged until staff, who
alone posts what follows from it, has looked.
"""

from __future__ import annotations

import uuid

import structlog

from gateway.services import audit
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.store import charges, recharge
from gateway.store.audit import AuditLine
from gateway.store.base import Scope
from gateway.store.charges import Charge
from gateway.uow import UnitOfWork

log = structlog.get_logger(__name__)

DISPUTED, REFUNDED = "disputed", "refunded"
CLEARED = "charge.flag_cleared"
REASON_LENGTH_MAX = 200


def raise_flag(uow: UnitOfWork, charge: Charge, flag: str) -> None:
    """No automatic charge of the account until it is lifted by staff."""
    if charge.flag == flag:
        return
    charges.change(uow.connection, charge, flag=flag)
    recharge.change_rule(uow.connection, charge.scope, paused_at=uow.now, hold_reason=flag)
    audit.note(uow, charge.scope, "provider", f"charge.{flag}", charge.id)
    log.error("charge.flagged", charge_id=str(charge.id), flag=flag)


def clear(
    uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID, *, reason: str, actor: str
) -> Charge:
    """Staff has looked. The same dispute, or no more than went back by now, raises no flag again.
    Automatic charges go on when they are lifted, not before."""
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid.at(
            "/reason", f"say why, in at most {REASON_LENGTH_MAX} characters: it stands in the trail"
        )
    charge = charges.lock(uow.connection, scope, charge_id)
    if charge is None:
        raise NotFound("payment", charge_id)
    if charge.flag is None:
        raise Conflict("This payment has no flag: it was cleared, or never raised.")
    without_us = charges.without_us(uow.connection, charge).micros
    cleared = charges.change(uow.connection, charge, flag=None, refunds_seen_micros=without_us)
    audit.note(uow, scope, actor, CLEARED, charge.id, flag=charge.flag, reason=reason.strip())
    return cleared


def cleared(uow: UnitOfWork, charge: Charge) -> tuple[AuditLine, ...]:
    """Who looked at a payment's flags and why, newest first."""
    found = audit.of_action(uow, charge.scope, CLEARED)
    return tuple(line for line in found if line.subject == str(charge.id))
