"""Service on and off: an account and its numbers change together, in the posting's transaction."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, update

from gateway.store.accounts import AccountRow
from gateway.store.base import Scope
from gateway.store.numbers import DidRow


def set_service(connection: Connection, scope: Scope, *, active: bool, now: dt.datetime) -> None:
    """Numbers on their way out (releasing, released) stay as they are."""
    before, after = ("suspended", "active") if active else ("active", "suspended")
    connection.execute(
        update(AccountRow)
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .values(status=after, suspended_at=None if active else now)
    )
    connection.execute(
        update(DidRow)
        .where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.status == before,
        )
        .values(status=after)
    )
