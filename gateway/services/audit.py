"""The audit trail: who did what to which account, in the transaction that did it."""

import uuid
from typing import Any

from gateway.store import audit
from gateway.store.audit import AuditLine
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

HOUSE = Scope(uuid.UUID(int=0), uuid.UUID(int=0))
"""Whose trail holds what concerns no account: plans, staff, their tokens."""

LIMIT_MAX = 200


def note(
    uow: UnitOfWork, scope: Scope | None, actor: str, action: str, subject: object, **detail: Any
) -> None:
    """`action` is a past event, "number.bought"; `detail` must be JSON and hold no secret."""
    audit.add(
        uow.connection,
        scope or HOUSE,
        at=uow.now,
        actor=actor,
        action=action,
        subject=str(subject),
        detail=detail,
    )


def of_action(uow: UnitOfWork, scope: Scope | None, action: str) -> tuple[AuditLine, ...]:
    """The newest lines about one kind of event."""
    return audit.newest(uow.connection, scope or HOUSE, before=None, limit=LIMIT_MAX, action=action)


def trail(
    uow: UnitOfWork, scope: Scope | None, *, after: uuid.UUID | None = None, limit: int = 50
) -> tuple[AuditLine, ...]:
    """Newest first; `after` is the id of the last line already seen."""
    return audit.newest(
        uow.connection, scope or HOUSE, before=after, limit=min(max(limit, 1), LIMIT_MAX)
    )
