"""The first answer to a request that spends or buys, kept for those who ask again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.services.errors import Conflict
from gateway.store import idempotency as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

KEY_LENGTH_MAX = 128


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


class KeyReused(Conflict):
    """Another request came under a key that was used before."""

    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!a} was used for another request: "
            "send the same body again, or a new key."
        )


def request_hash(deed: str, body: Mapping[str, Any]) -> bytes:
    """What was asked for: the deed and its fields, in any order."""
    text = json.dumps([deed, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def begin(uow: UnitOfWork, scope: Scope, key: str, asked: bytes) -> Answer | None:
    """The kept answer; None when the deed is to be done, now or once more.

    "Once more" is a request whose first try is under way or died: the deed itself must take the
    key, so that doing it twice is doing it once.
    """
    row = store.claim(uow.connection, scope, key, asked, uow.now)
    if bytes(row.request_hash) != asked:
        raise KeyReused(key)
    return None if row.status is None else Answer(row.status, row.body or {})


def keep(uow: UnitOfWork, scope: Scope, key: str, answer: Answer) -> None:
    """The first answer stays; a second run's is dropped. Refusals are not kept: they changed
    nothing, so the same request may be tried again, for instance after a top-up."""
    store.keep(uow.connection, scope, key, answer.status, answer.body)
