"""News from the payment provider. It only says where to look: what happened is asked, so that a
forged, doubled, late or misordered piece of news can do no harm (RELIABILITY E5).
"""

from __future__ import annotations

import uuid

from gateway.providers.payments import PaymentEvent
from gateway.services import charge_flags
from gateway.store import charges, payment_methods, refunds
from gateway.uow import UnitOfWork


def note(uow: UnitOfWork, event: PaymentEvent) -> bool:
    """Make the charge, the refund or the visit due at once; False where there is nothing of ours to
    look at."""
    match event.kind:
        case "charge" | "setup" if event.tenant_id is not None and event.subject_id is not None:
            queue = charges.queue if event.kind == "charge" else payment_methods.visits
            return queue.nudge(uow.connection, event.tenant_id, event.subject_id, uow.now)
        case "refund" if event.tenant_id is not None and event.subject_id is not None:
            return _refund(uow, event.tenant_id, event.subject_id)
        case "refunded" if event.provider_ref is not None:
            charge = charges.find_by_ref(uow.connection, event.provider_ref)
            return charge is not None and charges.refunds.nudge(
                uow.connection, charge.tenant_id, charge.id, uow.now
            )
        case "disputed" if event.provider_ref is not None and event.dispute_ref is not None:
            charge = charges.find_by_ref(uow.connection, event.provider_ref)
            if charge is None or not charges.dispute(uow.connection, charge, event.dispute_ref):
                return False
            charge_flags.raise_flag(uow, charge, charge_flags.DISPUTED)
            return True
        case _:
            return False


def _refund(uow: UnitOfWork, tenant_id: uuid.UUID, refund_id: uuid.UUID) -> bool:
    """One that failed here may have gone after all: all of its charge is asked about."""
    if refunds.queue.nudge(uow.connection, tenant_id, refund_id, uow.now):
        return True
    charge_id = refunds.charge_of(uow.connection, tenant_id, refund_id)
    return charge_id is not None and charges.refunds.nudge(
        uow.connection, tenant_id, charge_id, uow.now
    )
