"""An agency looks at its clients: who shares its billing, who used which share, and by what."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.services import drawn_legs, statement, statement_figures, statements
from gateway.services.errors import NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    decode_cursor,
    encode_cursor,
    number_of,
)
from gateway.services.statement import StatementLine
from gateway.services.statement_figures import SoFar
from gateway.store import accounts as account_store
from gateway.store import clients as store
from gateway.store.base import Scope
from gateway.store.clients import Client
from gateway.uow import UnitOfWork

__all__ = ["Client"]


@dataclass(frozen=True, slots=True)
class Clients:
    """`shares` are of the charges since the last statement, by account: they sum to them. A client
    that never shared the billing has none."""

    so_far: SoFar
    clients: tuple[Client, ...]

    @property
    def shares(self) -> Mapping[uuid.UUID, Mapping[str, Any]]:
        return {uuid.UUID(share["account_id"]): share for share in self.so_far.shares}


@dataclass(frozen=True, slots=True)
class Caused:
    """What one client caused on the agency's books in a stretch: lines of money, newest first,
    and the seconds that it drew of each package or cycle."""

    client: Client
    page: Page[StatementLine]
    drawn: tuple[tuple[str, int], ...]


def has_clients(uow: UnitOfWork, scope: Scope) -> bool:
    return bool(_clients(uow, scope))


def list_clients(uow: UnitOfWork, scope: Scope) -> Clients:
    return Clients(statement_figures.so_far(uow, scope), _clients(uow, scope))


def _clients(uow: UnitOfWork, scope: Scope) -> tuple[Client, ...]:
    return tuple(store.clients(uow.connection, scope, now=uow.now))


def scope_of_client(uow: UnitOfWork, scope: Scope, client_id: uuid.UUID) -> Scope:
    """Of an agency's own client; another's is answered like one that does not exist."""
    client = Scope(scope.tenant_id, client_id)
    found = account_store.find(uow.connection, client)
    if found is None or found.parent_id != scope.account_id:
        raise NotFound("client", client_id)
    return client


def caused_by(
    uow: UnitOfWork,
    scope: Scope,
    client_id: uuid.UUID,
    *,
    statement_id: uuid.UUID | None = None,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Caused:
    """Of a statement, or without one of the time since the last."""
    client = next((c for c in _clients(uow, scope) if c.id == client_id), None)
    if client is None:
        raise NotFound("client", client_id)
    if statement_id is None:
        running = statement_figures.so_far(uow, scope)
        after_seq, last_seq = running.after_seq, running.last_seq
    else:
        issued = statements.get_statement(uow, scope, statement_id).stored
        after_seq, last_seq = issued.first_seq - 1, issued.last_seq
    limit = clamp(limit)
    found = store.keys_caused(
        uow.connection,
        scope,
        client_id,
        after_seq=after_seq,
        last_seq=last_seq,
        before=decode_cursor(after, number_of) if after else None,
        limit=limit + 1,
    )
    lines = statement.get_by_keys(uow, scope, [key for _seq, key in found[:limit]])[::-1]
    older = encode_cursor(found[limit - 1][0]) if len(found) > limit else None
    drawn = store.drawn_by(uow.connection, scope, client_id, after_seq=after_seq, last_seq=last_seq)
    names = drawn_legs.names_of(uow, scope, drawn)
    return Caused(
        client,
        Page(lines, older),
        tuple(sorted((names[bucket], seconds) for bucket, seconds in drawn.items())),
    )


def names_of_legs(uow: UnitOfWork, scope: Scope, leg_sids: Collection[str]) -> dict[str, str]:
    """Whose legs these are, where they are not the account's own."""
    return store.names_of_legs(uow.connection, scope, leg_sids)
