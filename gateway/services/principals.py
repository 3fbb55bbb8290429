"""Who asks: a person who logged in, or a program with a token."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from gateway.store.base import Scope

Role = Literal["owner", "member", "ops", "account"]


@dataclass(frozen=True, slots=True)
class Principal:
    """`name` is the actor in the audit trail: of a person the log-in, which never changes, with
    `person` as it is called now. Staff (`ops`) have no scope of their own: the edge
    gives them the account's they act for."""

    kind: Literal["login", "token"]
    id: UUID | None  # None: the bootstrap token, which is a setting and not a row
    name: str
    role: Role
    scope: Scope | None
    person: str = ""  # empty for a program
    session_epoch: int = 0  # a session made under an older epoch has ended

    @property
    def is_ops(self) -> bool:
        return self.role == "ops"

    @property
    def may_manage(self) -> bool:
        """Tokens, account settings and purchases: owners, account tokens and staff."""
        return self.role in ("owner", "account", "ops")
