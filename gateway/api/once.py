"""`Idempotency-Key`: a request that spends or buys happens once, however often it is sent.

The header is optional. Without it every request is a new one, so programs that retry must send it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Response, json, request
from pydantic import BaseModel

from gateway import runtime
from gateway.api.access import Access
from gateway.services import idempotency
from gateway.services.errors import ServiceError
from gateway.services.idempotency import Answer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class KeyUnusable(ServiceError):
    code = "idempotency_key_invalid"
    status = 400


V = TypeVar("V", bound=Callable[..., object])


def spends(view: V) -> V:
    """Marks a view that answers through `once`, for the OpenAPI document."""
    view.takes_key = True  # type: ignore[attr-defined]
    return view


def once(
    access: Access,
    deed: str,
    asked: BaseModel,
    act: Callable[[str], BaseModel],
    *,
    status: int = 201,
) -> Response:
    """Do `act(key)` and answer it; or answer what the same request was answered before.

    `act` must be idempotent by its key by itself: after a crash between the deed and its answer it
    runs again. Refusals are not kept, because they changed nothing.
    """
    sent = request.headers.get(HEADER)
    if sent is None:
        return _respond(status, _dump(act(f"api:{uuid.uuid4()}")))
    if _KEY.fullmatch(sent) is None:
        raise KeyUnusable(f"{HEADER} is 1 to 128 visible ASCII characters: send such a one.")
    units = runtime.current().units
    fingerprint = idempotency.request_hash(deed, _dump(asked))
    with units.begin() as uow:
        kept = idempotency.begin(uow, access.scope, sent, fingerprint)
    if kept is not None:
        return _respond(kept.status, kept.body, replayed=True)
    body = _dump(act(f"api:{sent}"))
    with units.begin() as uow:
        idempotency.keep(uow, access.scope, sent, Answer(status, body))
    return _respond(status, body)


def _dump(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _respond(status: int, body: Mapping[str, Any], *, replayed: bool = False) -> Response:
    response = Response(json.dumps(body), status, mimetype="application/json")
    if replayed:
        response.headers[REPLAYED] = "true"
    return response
