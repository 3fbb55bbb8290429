"""Pieces of JSON Schema that the parts of a plan document share."""

from typing import Any

AMOUNT = {
    "type": "string",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$",
    "description": "Decimal text in the plan's currency, at most 6 decimals.",
}
COUNTRY = {"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166 code."}
NUMBER_TYPE = {"enum": ["local", "mobile", "national", "toll-free"]}
INCREMENT_SECONDS = {"type": "integer", "minimum": 1, "maximum": 3_600}
SECONDS = {"type": "integer", "minimum": 0, "maximum": 3_600}
PREFIX = {"type": "string", "pattern": "^[1-9][0-9]{0,14}$"}


def schema_object(
    properties: dict[str, Any], *, required: tuple[str, ...] = (), description: str = ""
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return {**schema, "description": description} if description else schema


def prefixed(price: str) -> dict[str, Any]:
    """A price list by prefix; `price` is the name of the field that holds the amount."""
    entry = schema_object(
        {
            "prefixes": {"type": "array", "minItems": 1, "items": PREFIX},
            "label": {"type": "string", "pattern": r"\S", "maxLength": 80},
            price: AMOUNT,
        },
        required=("prefixes", "label", price),
        description="The longest prefix of the number wins.",
    )
    return {"type": "array", "items": entry}


def whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def several(options: tuple[str, ...], *, at_least: int = 0) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"enum": list(options)},
        "uniqueItems": True,
        "minItems": at_least,
    }
