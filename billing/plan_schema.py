"""The JSON Schema of a plan document, for editors and for the API's documentation.

`parse_plan` is the judge. It also checks what a schema cannot say: prices given twice, an
allowed country without a price, a grace without a length, a prepaid plan with credit.
"""

from typing import Any

from billing.schema_parts import (
    AMOUNT,
    COUNTRY,
    INCREMENT_SECONDS,
    NUMBER_TYPE,
    SECONDS,
    prefixed,
    schema_object,
    whole,
)
from billing.terms_schema import TERMS_PROPERTIES

_INBOUND = schema_object(
    {
        "country": COUNTRY,
        "number_type": NUMBER_TYPE,
        "per_minute": AMOUNT,
        "label": {"type": "string", "maxLength": 80},
    },
    required=("country", "number_type", "per_minute"),
)
_RENTAL = schema_object(
    {"country": COUNTRY, "number_type": NUMBER_TYPE, "per_month": AMOUNT},
    required=("country", "number_type", "per_month"),
)
_RENTAL_TRIAL = schema_object(
    {"days": whole(1, 365), "scope": {"enum": ["first_number", "every_number"]}},
    required=("days",),
    description="Days of 24 hours, counted from the purchase, that a number is free.",
)
_SMS = schema_object(
    {
        "inbound_flat": AMOUNT,
        "outbound": prefixed("price"),
        "unit": {"enum": ["segment", "message"]},
        "charge_failed": {"type": "boolean"},
        "charge_undelivered": {
            "type": "boolean",
            "description": "Sent, and told to have failed; as charge_failed where it is left out.",
        },
        "inbound_unit": {"enum": ["segment", "message"]},
    },
    required=("inbound_flat",),
    description="Messages; without it the plan sells none.",
)
_ROUNDING = schema_object(
    {
        "mode": {"enum": ["down", "up", "half_even"]},
        "scale": {"type": "integer", "minimum": 0, "maximum": 6},
        "once_per": {"enum": ["leg"]},
    },
    description="Decimals that a leg's charge keeps, and the direction; by default down to 6.",
)
_BILLABLE_LEGS = schema_object(
    {
        name: {"type": "boolean"}
        for name in ("inbound", "forwarded", "transfer", "ring_time", "ivr_time")
    }
)
_TARIFF = schema_object(
    {
        "increment": schema_object(
            {"initial_seconds": INCREMENT_SECONDS, "step_seconds": INCREMENT_SECONDS},
            required=("initial_seconds", "step_seconds"),
        ),
        "free_until_seconds": SECONDS,
        "threshold_mode": {"enum": ["all_or_nothing", "excess_only"]},
        "rounding": _ROUNDING,
        "connect_fee": AMOUNT,
        "inbound": {"type": "array", "items": _INBOUND},
        "outbound": prefixed("per_minute"),
        "sip_per_minute": AMOUNT,
        "client_per_minute": AMOUNT,
        "billable_legs": _BILLABLE_LEGS,
        "rental": {"type": "array", "items": _RENTAL},
        "rental_trial": _RENTAL_TRIAL,
        "surcharges": prefixed("per_minute"),
        "sms": _SMS,
    },
    required=("increment",),
)
_IN_CALL = schema_object(
    {
        "policy": {"enum": ["let_finish", "cut", "grace"]},
        "grace_seconds": SECONDS,
        "overrun_price": {"enum": ["plan", "zero"]},
        "hard_ceiling_seconds": {"type": "integer", "minimum": 60, "maximum": 86400},
    }
)

PLAN_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Plan",
    **schema_object(
        {
            "name": {"type": "string", "pattern": r"\S", "maxLength": 60},
            "description": {"type": "string", "maxLength": 500},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "mode": {"enum": ["prepaid", "postpaid", "card_daily"]},
            "tariff": _TARIFF,
            "suspend_when": {"enum": ["lt_zero", "lte_zero"]},
            "min_balance_to_start": AMOUNT,
            "credit_limit": AMOUNT,
            "in_call": _IN_CALL,
            "allowed_countries": {"type": "array", "items": COUNTRY},
            "concurrent_calls": whole(1, 10_000),
            **TERMS_PROPERTIES,
        },
        required=("name", "currency", "tariff"),
    ),
}
