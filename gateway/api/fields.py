"""The field types of the API: money as decimal text, pages, cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from billing.money import InvalidAmount, format_amount, format_rate, parse_amount
from gateway.api.strict import Model
from gateway.services.pages import LIMIT_DEFAULT, LIMIT_MAX, Page

T = TypeVar("T")
S = TypeVar("S")


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise InvalidAmount('is written as text, such as "50.00": numbers in JSON lose digits')
    return parse_amount(value)


Amount = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$",
            "description": "Decimal text with at most 6 decimals.",
            "examples": ["50.00"],
        }
    ),
]
"""Comes in as decimal text, reaches the view as micros."""

Money = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]+\.[0-9]{2,6}$",
        description="Exact decimal text, 2 to 6 decimals, in `currency`.",
        examples=["49.930834"],
    ),
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
Line = Annotated[str, Field(min_length=1, max_length=200)]
OptionalLine = Annotated[str, Field(max_length=200)]

PDF_FILE: Any = {
    200: {
        "description": "PDF/A-3B",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    },
}


def money(micros: int) -> str:
    return format_amount(micros)


def money_or_none(micros: int | None) -> str | None:
    return None if micros is None else format_amount(micros)


def rate_or_none(per_minute_micros: int | None) -> str | None:
    return None if per_minute_micros is None else format_rate(per_minute_micros)


class Listing(Model):
    """What every list takes."""

    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Items per page.")
    after: str | None = Field(
        None, max_length=300, description='The "next" of the page before; opaque.'
    )


class Items(BaseModel, Generic[T]):
    """A page; `next` is null at the end. A filtered page may be short and still have a `next`."""

    items: list[T]
    next: str | None = Field(description='Send it as "after" for the page behind this one.')


def page(found: Page[S], shape: Callable[[S], Any]) -> dict[str, Any]:
    return {"items": [shape(item) for item in found.items], "next": found.next}
