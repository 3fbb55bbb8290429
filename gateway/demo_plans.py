"""Plans of the demo alone: what none of those that ship has, so that a newcomer sees it at work."""

from collections.abc import Mapping
from typing import Any

from billing.catalogue import load_catalogue


def demo_plans() -> dict[str, dict[str, Any]]:
    """By code; a plan that leads to another stands behind it."""
    return {code: {**load_catalogue()["payg"], **changes} for code, changes in _CHANGES.items()}


_CHANGES: Mapping[str, Mapping[str, Any]] = {
    "agency_eur": {
        "name": "Agency EUR",
        "description": "In euros, by invoice at the end of the month, collected by SEPA debit; the"
        " access fee includes 10.00 of calls and texts in each cycle. Demo prices.",
        "currency": "EUR",
        "mode": "postpaid",
        "credit_limit": "500.00",
        "settlement": "cycle",
        "access_fee": {"month": "29.00"},
        "included": {"credit": "10.00"},
        "statement": {"due_days": 1},
        "alerts": {"balance": []},
        "support_contact": "billing@ringledger.example",
    },
    "growing_large": {
        "name": "Growing Large",
        "description": "The larger tier: 600 minutes in each cycle. Demo prices.",
        "access_fee": {"month": "24.00"},
        "pool": {"minutes": 600},
        "refunds": "card_payments",
    },
    "growing": {
        "name": "Growing",
        "description": "20 minutes in each cycle; when they are used up, the plan becomes Growing"
        " Large by itself. Money of a card payment can go back to its card. Demo prices.",
        "access_fee": {"month": "9.00"},
        "pool": {"minutes": 20},
        "exhaustion": "auto_upgrade",
        "upgrade": {"next_plan": "growing_large", "fee": "prorated", "allowance": "prorated"},
        "refunds": "card_payments",
    },
}
