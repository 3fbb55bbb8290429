"""The JSON Schema of a plan document, for editors and for the API's documentation.

`parse_plan` is the judge. It also checks what a schema cannot say: prices given twice, an
allowed country without a price, a grace without a length, a prepaid plan with credit.
"""

from typing import Any

_AMOUNT = {
    "type": "string",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$",
    "description": "Decimal text in the plan's currency, at most 6 decimals.",
}
_COUNTRY = {"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166 code."}
_NUMBER_TYPE = {"enum": ["local", "mobile", "national", "toll-free"]}
_INCREMENT_SECONDS = {"type": "integer", "minimum": 1, "maximum": 3600}
_SECONDS = {"type": "integer", "minimum": 0, "maximum": 3600}


def _object(
    properties: dict[str, Any], *, required: tuple[str, ...] = (), description: str = ""
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return {**schema, "description": description} if description else schema


_INBOUND = _object(
    {
        "country": _COUNTRY,
        "number_type": _NUMBER_TYPE,
        "per_minute": _AMOUNT,
        "label": {"type": "string", "maxLength": 80},
    },
    required=("country", "number_type", "per_minute"),
)
_OUTBOUND = _object(
    {
        "prefixes": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": "^[1-9][0-9]{0,14}$"},
        },
        "label": {"type": "string", "pattern": r"\S", "maxLength": 80},
        "per_minute": _AMOUNT,
    },
    required=("prefixes", "label", "per_minute"),
    description="The longest prefix of the dialled number wins.",
)
_RENTAL = _object(
    {"country": _COUNTRY, "number_type": _NUMBER_TYPE, "per_month": _AMOUNT},
    required=("country", "number_type", "per_month"),
)
_ROUNDING = _object(
    {
        "mode": {"enum": ["down", "up", "half_even"]},
        "scale": {"type": "integer", "minimum": 0, "maximum": 6},
        "once_per": {"enum": ["leg"]},
    },
    description="Decimals that a leg's charge keeps, and the direction; by default down to 6.",
)
_BILLABLE_LEGS = _object(
    {
        name: {"type": "boolean"}
        for name in ("inbound", "forwarded", "transfer", "ring_time", "ivr_time")
    }
)
_TARIFF = _object(
    {
        "increment": _object(
            {"initial_seconds": _INCREMENT_SECONDS, "step_seconds": _INCREMENT_SECONDS},
            required=("initial_seconds", "step_seconds"),
        ),
        "free_until_seconds": _SECONDS,
        "threshold_mode": {"enum": ["all_or_nothing", "excess_only"]},
        "rounding": _ROUNDING,
        "connect_fee": _AMOUNT,
        "inbound": {"type": "array", "items": _INBOUND},
        "outbound": {"type": "array", "items": _OUTBOUND},
        "sip_per_minute": _AMOUNT,
        "client_per_minute": _AMOUNT,
        "billable_legs": _BILLABLE_LEGS,
        "rental": {"type": "array", "items": _RENTAL},
    },
    required=("increment",),
)
_IN_CALL = _object(
    {
        "policy": {"enum": ["let_finish", "cut", "grace"]},
        "grace_seconds": _SECONDS,
        "overrun_price": {"enum": ["plan", "zero"]},
        "hard_ceiling_seconds": {"type": "integer", "minimum": 60, "maximum": 86400},
    }
)

PLAN_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Plan",
    **_object(
        {
            "name": {"type": "string", "pattern": r"\S", "maxLength": 60},
            "description": {"type": "string", "maxLength": 500},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "mode": {"enum": ["prepaid", "postpaid", "card_daily"]},
            "tariff": _TARIFF,
            "suspend_when": {"enum": ["lt_zero", "lte_zero"]},
            "min_balance_to_start": _AMOUNT,
            "credit_limit": _AMOUNT,
            "in_call": _IN_CALL,
            "allowed_countries": {"type": "array", "items": _COUNTRY},
            "concurrent_calls": {"type": "integer", "minimum": 1, "maximum": 10000},
        },
        required=("name", "currency", "tariff"),
    ),
}
