"""What a number's rent stands at: months posted, paid until, asked again when."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.store.base import Scope, of_scope, scope_values
from gateway.store.numbers import DidRow


@dataclass(frozen=True, slots=True)
class StoredRental:
    """A number that is rented; `rental_n` months were posted."""

    id: uuid.UUID
    e164: str
    country: str
    number_type: str
    rental_micros: int
    bought_at: dt.datetime
    trial_until: dt.datetime | None
    rental_n: int
    rented_until: dt.datetime
    rent_due_at: dt.datetime

    @property
    def waits(self) -> bool:
        """A month is not covered by the balance yet."""
        return self.rent_due_at > self.rented_until


_RENTALS = select(*(getattr(DidRow, name) for name in StoredRental.__dataclass_fields__))


_RENTED = _RENTALS.where(
    *of_scope(DidRow), DidRow.released_at.is_(None), DidRow.rent_due_at <= bindparam("due_by")
).order_by(DidRow.rent_due_at, DidRow.id)
_HAS_WAITING = select(
    select(DidRow.id)
    .where(
        *of_scope(DidRow),
        DidRow.released_at.is_(None),
        DidRow.rent_due_at > DidRow.rented_until,
    )
    .exists()
)


def rented(
    connection: Connection, scope: Scope, *, due_by: dt.datetime
) -> tuple[StoredRental, ...]:
    """Numbers whose next month is due by an instant, the longest due first."""
    rows = connection.execute(_RENTED, {**scope_values(scope), "due_by": due_by})
    return tuple(StoredRental(*row) for row in rows)


def has_waiting(connection: Connection, scope: Scope) -> bool:
    return bool(connection.scalar(_HAS_WAITING, scope_values(scope)))


def bought_ever(connection: Connection, scope: Scope) -> int:
    """How many numbers an account had, released ones as well."""
    return (
        connection.scalar(
            select(func.count()).where(
                DidRow.tenant_id == scope.tenant_id, DidRow.account_id == scope.account_id
            )
        )
        or 0
    )


def paid_until(connection: Connection, scope: Scope, e164: str) -> dt.datetime | None:
    """Until when an account paid for a number that it released; None if it never had it."""
    return connection.scalar(
        select(func.max(DidRow.rented_until)).where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.e164 == e164,
            DidRow.rental_n > 0,
        )
    )


def change(connection: Connection, scope: Scope, did_id: uuid.UUID, values: dict[str, Any]) -> None:
    connection.execute(
        update(DidRow)
        .where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id == did_id,
        )
        .values(**values)
    )


_KEPT = _RENTALS.where(
    *of_scope(DidRow), DidRow.released_at.is_(None), DidRow.rent_due_at.is_not(None)
).order_by(DidRow.id)


def kept(connection: Connection, scope: Scope) -> tuple[StoredRental, ...]:
    """Every number that an account rents."""
    return tuple(StoredRental(*row) for row in connection.execute(_KEPT, scope_values(scope)))
