"""What a program may send: strict JSON, known fields only, every complaint with its path.

APIFlask's pydantic adapter is replaced by one that refuses what JSON leaves open (a key twice,
NaN) and what PostgreSQL cannot store (NUL, lone surrogates), before any model sees it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from gateway.services.errors import FieldError, Invalid, ServiceError

DEPTH_MAX = 64
_COMPLAINTS_MAX = 50


class Unreadable(ServiceError):
    """The body is no JSON document that could be looked at field by field."""

    code = "bad_request"
    status = 400


class Model(BaseModel):
    """Of every body and query: an unknown field is a mistake, and "1" is not 1."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class StrictModels(PydanticAdapter):
    """How APIFlask reads bodies and queries into models."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        if location == "json":
            return read(self.model_class, parse_json(request))
        assert location == "query", f"no route of ours takes input from {location}"
        return read(self.model_class, _query(request), from_text=True)


registry.register("pydantic", StrictModels)


def parse_json(request: Request) -> Any:
    """The body as Python values, or a refusal that says what is wrong with it."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    try:
        document = json.loads(
            request.get_data(cache=True).decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_not_json,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise Unreadable("The body is not UTF-8.") from None
    except RecursionError:
        raise Unreadable("The body is nested too deeply.") from None
    except ValueError as error:
        raise Unreadable(f"The body is not JSON: {error}") from None
    check_text(document)
    return document


def read(model: type[BaseModel], document: Any, *, from_text: bool = False) -> BaseModel:
    """`from_text`: a query string has no numbers and booleans, so "50" is 50 there."""
    try:
        if from_text:
            return model.model_validate(document, strict=False)
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise Invalid(
            FieldError(pointer(complaint["loc"]), _words(complaint))
            for complaint in error.errors(include_url=False, include_input=False)
        ) from None


def check_text(document: Any) -> None:
    """Refuse text that cannot be stored, wherever it hides, keys included."""
    errors = []
    for path, text in _texts(document, (), 0):
        if "\0" in text:
            errors.append(FieldError(pointer(path), "holds the character NUL: leave it out"))
        elif any("\ud800" <= character <= "\udfff" for character in text):
            errors.append(FieldError(pointer(path), "holds half a character (a lone surrogate)"))
        if len(errors) == _COMPLAINTS_MAX:
            break
    if errors:
        raise Invalid(errors)


def pointer(path: tuple[int | str, ...]) -> str:
    """RFC 6901; what cannot be shown as it is appears as "?"."""
    return "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()
        for part in path
    ).replace("\0", "?")


def _texts(
    value: Any, path: tuple[int | str, ...], depth: int
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if depth > DEPTH_MAX:
        raise Unreadable(f"The body is nested more than {DEPTH_MAX} levels deep.")
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index), depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), key
            yield from _texts(item, (*path, key), depth + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the field {twice!a} is there twice")
    return fields


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_json(text)


def _query(request: Request) -> dict[str, str]:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid.at(pointer((name,)), "is there twice: send it once")
    query = request.args.to_dict()
    check_text(query)
    return query


def _words(complaint: Any) -> str:
    match complaint["type"]:
        case "extra_forbidden":
            return "is not a field here: leave it out, or check its spelling"
        case "missing":
            return "is missing"
        case "value_error":
            return str(complaint["ctx"]["error"])
        case _:
            return str(complaint["msg"])
