"""The JSON Schema of the terms of a plan; `billing.terms_reader` is the judge."""

from typing import Any, get_args

from billing.rates import LEG_KINDS
from billing.schema_parts import AMOUNT, COUNTRY, NUMBER_TYPE, PREFIX, schema_object, several, whole
from billing.terms import (
    AlertChannel,
    CancelEffect,
    ChangeChannel,
    Exhaustion,
    Refunds,
    RolloverMode,
    Scope,
    Settlement,
    Share,
    StatementPeriod,
    UnpaidRenewal,
)


def _one_of(words: object) -> dict[str, Any]:
    return {"enum": list(get_args(words))}


_MINUTES = whole(0, 10_000_000)
_SIZE = whole(1, 10_000_000)
_COUNT = whole(1, 100_000)
_DAYS = whole(0, 365)
_FLAG = {"type": "boolean"}
_CODE = {"type": "string", "maxLength": 60}
_NAME = {"type": "string", "pattern": r"\S", "maxLength": 60}
_LEG_SCOPE = several(LEG_KINDS, at_least=1)
_CHANNELS = several(get_args(AlertChannel))
_REGION_LIST = schema_object(
    {
        "countries": {"type": "array", "items": COUNTRY},
        "area_codes": {"type": "array", "items": {"type": "string", "pattern": "^[2-9][0-9]{2}$"}},
        "prefixes": {"type": "array", "items": PREFIX},
    },
    description="Any of them matches; area codes are those of +1.",
)
_REGION_SET = schema_object(
    {"name": _NAME, "include": _REGION_LIST, "exclude": _REGION_LIST},
    required=("name", "include"),
    description="What is included, less what is excluded.",
)
_PACKAGE = schema_object(
    {
        "code": _NAME,
        "number_type": NUMBER_TYPE,
        "region_set": _CODE,
        "minutes": _SIZE,
        "price": AMOUNT,
        "leg_scope": _LEG_SCOPE,
        "renew": _FLAG,
        "priority": whole(0, 1_000),
    },
    required=("code", "number_type", "minutes", "price"),
    description="Minutes by the month, paid in advance; the lower priority is drawn first.",
)
_BUNDLE = schema_object(
    {"minutes": _SIZE, "price": AMOUNT, "valid_days": whole(1, 365)},
    required=("minutes", "price"),
    description="Single minutes; without valid_days they last to the end of the billing cycle.",
)
_NOTICE = schema_object({"day": _DAYS, "channels": _CHANNELS}, required=("day",))

TERMS_PROPERTIES: dict[str, Any] = {
    "access_fee": schema_object({"month": AMOUNT, "year": AMOUNT}),
    "included": schema_object(
        {"minutes": _MINUTES, "credit": AMOUNT, "scope": _one_of(Scope)},
        description="What the access fee pays for in each cycle: minutes, or credit for calls and "
        "texts. Credit that is not used expires with the cycle.",
    ),
    "entitlements": schema_object(
        {"seats": _COUNT, "concurrent_calls": whole(1, 10_000), "numbers": _COUNT}
    ),
    "region_sets": {"type": "array", "items": _REGION_SET},
    "package_limits": schema_object(
        {"minutes_min": _SIZE, "minutes_max": _SIZE},
        description="Sizes of packages that may be offered: by default 10,000 to 500,000.",
    ),
    "packages": {"type": "array", "items": _PACKAGE},
    "pool": schema_object(
        {"minutes": _SIZE, "scope": _one_of(Scope), "leg_scope": _LEG_SCOPE},
        required=("minutes",),
        description="Minutes of a billing cycle, reset on its date.",
    ),
    "exhaustion": _one_of(Exhaustion),
    "rollover": schema_object({"mode": _one_of(RolloverMode), "cap_minutes": _MINUTES}),
    "recharge": schema_object(
        {
            "allowed": _FLAG,
            "min": AMOUNT,
            "max": AMOUNT,
            "monthly_cap": AMOUNT,
            "daily_cap": AMOUNT,
            "cooldown_seconds": whole(0, 86_400),
        }
    ),
    "topup": schema_object(
        {"manual": _FLAG, "card": _FLAG, "bundles": {"type": "array", "items": _BUNDLE}},
        description="How money may come in: by hand (staff), by card, and minutes by the bundle.",
    ),
    "settlement": _one_of(Settlement),
    "settlement_minimum": AMOUNT,
    "renewal_without_balance": _one_of(UnpaidRenewal),
    "upgrade": schema_object(
        {
            "allowance": _one_of(Share),
            "fee": _one_of(Share),
            "channel": _one_of(ChangeChannel),
            "next_plan": _CODE,
        }
    ),
    "cancellation": schema_object({"effective": _one_of(CancelEffect)}),
    "refunds": {
        **_one_of(Refunds),
        "description": "Whether staff may give money of a card payment back to the card.",
    },
    "suspension": schema_object(
        {
            "notices": {"type": "array", "items": _NOTICE},
            "suspend_day": _DAYS,
            "due_for_release_day": _DAYS,
        },
        description="Days of arrears; without due_for_release_day no number is ever due.",
    ),
    "release_policy": schema_object(
        {"ops_approval": _FLAG, "hold_days": _DAYS, "numbers_per_run_max": _COUNT}
    ),
    "statement": schema_object(
        {"period": _one_of(StatementPeriod), "anchor_day": whole(1, 31), "due_days": _DAYS}
    ),
    "alerts": schema_object(
        {
            "channels": _CHANNELS,
            "balance": {"type": "array", "items": AMOUNT},
            "minutes": {"type": "array", "items": _MINUTES},
            "days_left": {"type": "array", "items": _DAYS},
        }
    ),
    "support_contact": {"type": "string", "maxLength": 120},
    "better_than": {**_CODE, "description": "Code of the plan that is the lesser tier."},
}
