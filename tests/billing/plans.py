"""Plan documents for the tests: the smallest one that is valid, and small changes to it."""

from copy import deepcopy
from typing import Any

from billing.catalogue import load_catalogue
from billing.tariffs import Plan, Tariff, parse_plan

SMALLEST: dict[str, Any] = {
    "name": "Smallest",
    "currency": "USD",
    "allowed_countries": ["US"],
    "tariff": {
        "increment": {"initial_seconds": 1, "step_seconds": 1},
        "inbound": [{"country": "US", "number_type": "local", "per_minute": "0.05"}],
        "outbound": [{"prefixes": ["1"], "label": "US & Canada", "per_minute": "0.05"}],
        "sip_per_minute": "0.01",
        "client_per_minute": "0.01",
    },
}


def document(**changes: Any) -> dict[str, Any]:
    """The smallest plan; a `tariff` change is merged into its tariff."""
    merged = deepcopy(SMALLEST)
    merged["tariff"] |= changes.pop("tariff", {})
    return merged | changes


def plan(**changes: Any) -> Plan:
    return parse_plan(document(**changes))


def tariff(initial: int = 1, step: int = 1, **changes: Any) -> Tariff:
    increment = {"initial_seconds": initial, "step_seconds": step}
    return plan(tariff={"increment": increment, **changes}).tariff


def catalogue_plan(name: str) -> Plan:
    return parse_plan(load_catalogue()[name])
