"""News from the payment provider. It only says where to look: what happened is asked, so that a
forged, doubled, late or misordered piece of news can do no harm (RELIABILITY E5).
"""

from __future__ import annotations

import uuid

import structlog

from gateway.providers.payments import PaymentEvent
from gateway.services import audit
from gateway.store import charges, payment_methods, recharge, refunds
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

log = structlog.get_logger(__name__)


def note(uow: UnitOfWork, event: PaymentEvent) -> bool:
    """Make the charge or the visit due at once; False where there is nothing of ours to look at."""
    match event.kind:
        case "charge" | "setup" if event.tenant_id is not None and event.subject_id is not None:
            queue = charges.queue if event.kind == "charge" else payment_methods.visits
            return queue.nudge(uow.connection, event.tenant_id, event.subject_id, uow.now)
        case "refund" if event.tenant_id is not None and event.subject_id is not None:
            return refunds.queue.nudge(uow.connection, event.tenant_id, event.subject_id, uow.now)
        case "refunded" if event.provider_ref is not None and event.refunded_micros is not None:
            found = refunds.hear(uow.connection, event.provider_ref, event.refunded_micros)
            return found is not None and flag_if_elsewhere(uow, *found)
        case "disputed" | "refunded" if event.provider_ref is not None:
            return _flag(uow, event.provider_ref, event.kind)
        case _:
            return False


def flag_if_elsewhere(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID) -> bool:
    """Whether more of a charge went back than staff has ordered here; our own refunds raise no
    alarm."""
    charge = charges.find(uow.connection, scope, charge_id)
    if charge is None or charge.provider_ref is None:
        return False
    if not refunds.is_more_than_ours(uow.connection, scope, charge_id):
        return False
    return _flag(uow, charge.provider_ref, "refunded")


def _flag(uow: UnitOfWork, provider_ref: str, flag: str) -> bool:
    """Money went back, or may, without us: no automatic charge of the account until staff, who
    alone posts reversals, has looked."""
    charge = charges.set_flag(uow.connection, provider_ref, flag)
    if charge is None:
        return False
    recharge.change_rule(uow.connection, charge.scope, paused_at=uow.now, hold_reason=flag)
    audit.note(uow, charge.scope, "provider", f"charge.{flag}", charge.id)
    log.error("charge.flagged", charge_id=str(charge.id), flag=flag)
    return True
