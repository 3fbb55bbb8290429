"""Who is in the demo: a funded business, an empty one, and one customer on each operator's plan."""

from dataclasses import dataclass
from typing import Any

from billing.money import MICROS

OFFICE, MOBILE, WEST, EAST = "+14155550101", "+14155550102", "+13105550103", "+12125550104"
WORKSHOP = "+13125550105"


def _ring(*addresses: str, pattern: str = "simultaneous", **more: Any) -> dict[str, Any]:
    targets = [{"type": "number", "address": address} for address in addresses]
    return {"pattern": pattern, "targets": targets, **more}


def _voicemail(words: str) -> dict[str, Any]:
    return {"pattern": "voicemail", "say": words}


@dataclass(frozen=True, slots=True)
class DemoNumber:
    key: str
    number_type: str
    area_code: str
    label: str
    source: str
    plan: dict[str, Any]
    texts_to: str = ""


@dataclass(frozen=True, slots=True)
class DemoAccount:
    name: str
    email: str
    person: str
    plan_code: str
    funds_micros: int
    low_balance_micros: int
    time_zone: str
    about: str
    numbers: tuple[DemoNumber, ...]


FRONT_DESK = DemoNumber(
    key="demo-front-desk",
    number_type="local",
    area_code="415",
    label="Front desk",
    source="Google Ads",
    plan=_ring(
        OFFICE,
        MOBILE,
        otherwise=_voicemail("You have reached Acme. Please leave a message after the tone."),
    ),
    texts_to="ann@acme.example",
)
NEW_YORK = DemoNumber(
    key="demo-new-york",
    number_type="local",
    area_code="212",
    label="New York campaign",
    source="Radio",
    plan={
        "pattern": "hours",
        "time_zone": "America/New_York",
        "open": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00"}],
        "holidays": "US-NY",
        "then": _ring(
            EAST, OFFICE, pattern="sequential", otherwise=_voicemail("All lines are busy.")
        ),
        "otherwise": _voicemail("Our office is closed. Please leave a message."),
    },
)
HOTLINE = DemoNumber(
    key="demo-hotline",
    number_type="toll-free",
    area_code="",
    label="National hotline",
    source="TV",
    plan={
        "pattern": "geographic",
        "rules": [
            {"states": ["CA", "NV", "OR", "WA"], "then": _ring(WEST, OFFICE)},
            {"countries": ["CA"], "then": _ring(MOBILE)},
        ],
        "otherwise": {
            "pattern": "nearest",
            "offices": [
                {"postal_code": "94105", "country": "US", "then": _ring(OFFICE)},
                {"postal_code": "10001", "country": "US", "then": _ring(EAST)},
            ],
            "otherwise": _ring(OFFICE, otherwise=_voicemail("Please leave a message.")),
        },
    },
)
LAS_VEGAS = DemoNumber(
    key="demo-las-vegas",
    number_type="local",
    area_code="702",
    label="Las Vegas",
    source="Billboards",
    plan={
        "pattern": "say",
        "text": "Thank you for calling Acme.",
        "then": {
            "pattern": "sequential",
            "targets": [
                {
                    "type": "number",
                    "address": MOBILE,
                    "ring_seconds": 15,
                    "whisper": "A call from the Las Vegas billboard.",
                    "confirm": True,
                },
                {"type": "number", "address": WEST, "ring_seconds": 20},
            ],
            "otherwise": _voicemail("Please leave a message."),
        },
    },
)
SHOP = DemoNumber(
    key="demo-workshop",
    number_type="local",
    area_code="312",
    label="Workshop",
    source="Flyers",
    plan=_ring(WORKSHOP, otherwise=_voicemail("Bolt here, please leave a message.")),
)
MAIN = (
    DemoAccount(
        name="Acme",
        email="ann@acme.example",
        person="Ann",
        plan_code="payg",
        funds_micros=250 * MICROS,
        low_balance_micros=20 * MICROS,
        time_zone="America/Los_Angeles",
        about="a business with money on its account",
        numbers=(FRONT_DESK, NEW_YORK, HOTLINE, LAS_VEGAS),
    ),
    DemoAccount(
        name="Bolt",
        email="bob@bolt.example",
        person="Bob",
        plan_code="payg_cut",
        funds_micros=4 * MICROS,
        low_balance_micros=2 * MICROS,
        time_zone="America/Chicago",
        about="nearly empty: its number falls silent soon, until a top-up",
        numbers=(SHOP,),
    ),
)


def _sample(
    name: str, person: str, plan_code: str, area_code: str, about: str, *, funds: int = 60
) -> DemoAccount:
    """A small customer with one number, to see a plan's rules at work."""
    low = name.lower()
    return DemoAccount(
        name=name,
        email=f"{person.lower()}@{low}.example",
        person=person,
        plan_code=plan_code,
        funds_micros=funds * MICROS,
        low_balance_micros=5 * MICROS,
        time_zone="America/New_York",
        about=about,
        numbers=(
            DemoNumber(
                key=f"demo-{low}",
                number_type="local",
                area_code=area_code,
                label=f"{name} desk",
                source="Website",
                plan=_ring(OFFICE, otherwise=_voicemail(f"{name} here, please leave a message.")),
            ),
        ),
    )


SAMPLES = (
    _sample("Dune", "Dora", "package_minutes", "212", "minutes in packages, then per minute"),
    _sample("Elm", "Elsa", "prepaid_recharge", "305", "a prepaid balance with recharge"),
    _sample("Fern", "Finn", "small_teams", "617", "a subscription, usage to the card by day"),
    _sample("Grove", "Gina", "command_center", "206", "a pool of minutes in each cycle"),
    _sample("Hazel", "Hugo", "per_second_both_legs", "404", "both legs by the second"),
)
"""One customer on the plan of each of the five ways to sell calls."""

CAST = (*MAIN, *SAMPLES)
