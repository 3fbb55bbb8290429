"""Who pays for a client: itself or its agency, from an instant on; no past call changes payer."""

from __future__ import annotations

from typing import Literal

from gateway.services import audit, ledger
from gateway.services.errors import Invalid
from gateway.store import accounts as account_store
from gateway.store import memberships as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

Billing = Literal["own", "agency_shared"]


def set_billing(uow: UnitOfWork, scope: Scope, billing: Billing, actor: str) -> bool:
    """From now on; calls that run keep the payer they began with (S1-14). False if it was so."""
    with ledger.books(uow, scope) as opened:
        parent_id = opened.locked.parent_id
        if parent_id is None:
            raise Invalid.at("/billing", "an account without an agency pays by itself: write own")
        agency = account_store.find(uow.connection, Scope(scope.tenant_id, parent_id))
        assert agency is not None, "a parent stays in its tenant"
        if agency.currency != opened.currency:
            raise Invalid.at("/billing", f"the agency pays in {agency.currency}: write own")
        account = account_store.find(uow.connection, scope)
        assert account is not None
        if account.billing == billing:
            return False
        store.add(uow.connection, scope, from_at=uow.now, billing=billing, actor=actor)
        account_store.change(uow.connection, scope, {"billing": billing, "draws_minutes": True})
    audit.note(uow, scope, actor, "account.billing_changed", scope.account_id, billing=billing)
    return True
