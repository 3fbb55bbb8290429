"""Who is in the demo: a funded business, an empty one, and customers on each operator's plan."""

from dataclasses import dataclass
from typing import Any

from billing.money import MICROS
from billing.terms import Term

FUNDS_KEY = "demo-funds"
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
class DemoText:
    """Between the first of the account's numbers and a phone, at noon of the day."""

    day: int
    is_in: bool
    body: str
    peer: str = "+17025550111"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount:
    """A customer, and what it did in the days before the first start (`gateway.demo_past`): days
    are counted from the one on which its account was opened."""

    name: str
    email: str
    person: str
    plan_code: str
    about: str
    numbers: tuple[DemoNumber, ...]
    time_zone: str = "America/New_York"
    country: str = "US"
    term: Term = "month"
    funds_micros: int = 0  # paid at the beginning, by card where there is one
    low_balance_micros: int = 5 * MICROS
    has_card: bool = True
    agency: str = ""  # its name; empty for an account of its own
    shares_from: int | None = None  # the day on which the agency began to pay
    calls_a_day: float = 0.6
    talk_seconds: int = 150
    packages: tuple[tuple[int, str], ...] = ()  # bought: the day, the offer
    stopped: tuple[tuple[int, str], ...] = ()  # renewals that were stopped
    wishes: tuple[tuple[int, str], ...] = ()  # plans asked for
    texts: tuple[DemoText, ...] = ()
    pays_bills: bool = False  # by bank transfer, some days before they are due
    iban: str = ""  # bills are collected from it: its mandate was signed on the first day
    refund: tuple[int, int] | None = None  # the day, and the micros of its first payment
    opens_on: int = 0  # so many days after the others
    currency: str = "USD"
    is_new: bool = False  # opened at the first start, without a past


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
        about="pay as you go, with money on its account",
        numbers=(FRONT_DESK, NEW_YORK, HOTLINE, LAS_VEGAS),
        calls_a_day=1.8,
        texts=(
            DemoText(20, True, "Hi, do you have an appointment on Friday?"),
            DemoText(20, False, "Yes: at ten, or at half past two. Which one suits you?"),
            DemoText(21, True, "Ten is fine. Thank you!"),
            DemoText(30, True, "Are you open on Monday?", "+12125550187"),
            DemoText(33, False, "We are, from eight to six.", "+12125550187"),
        ),
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
        has_card=False,
        is_new=True,
    ),
)


def _desk(name: str, area_code: str, number_type: str = "local") -> DemoNumber:
    key = name.lower().replace(" ", "-")
    return DemoNumber(
        key=f"demo-{key}" if number_type == "local" else f"demo-{key}-{number_type}",
        number_type=number_type,
        area_code=area_code,
        label=f"{name} desk" if number_type == "local" else f"{name} hotline",
        source="Website" if number_type == "local" else "TV",
        plan=_ring(OFFICE, otherwise=_voicemail(f"{name} here, please leave a message.")),
    )


OPERATORS = (
    DemoAccount(
        name="Dune",
        email="dora@dune.example",
        person="Dora",
        plan_code="package_minutes",
        about="an agency: packages of minutes, shared with two of its three clients",
        funds_micros=2_400 * MICROS,
        numbers=(_desk("Dune", "212"), _desk("Dune", "", "toll-free")),
        calls_a_day=0.9,
        talk_seconds=400,
        packages=((1, "local_10k"), (12, "toll_free_10k")),
        stopped=((30, "toll_free_10k"),),
    ),
    DemoAccount(
        name="Dune Dental",
        email="dana@dune-dental.example",
        person="Dana",
        plan_code="package_minutes",
        about="a client of Dune that shares its billing",
        agency="Dune",
        shares_from=0,
        has_card=False,
        numbers=(_desk("Dune Dental", "305"),),
        calls_a_day=0.9,
        talk_seconds=300,
    ),
    DemoAccount(
        name="Dune Law",
        email="luis@dune-law.example",
        person="Luis",
        plan_code="package_minutes",
        about="a client of Dune that shares its billing since a month",
        agency="Dune",
        shares_from=12,
        funds_micros=30 * MICROS,
        has_card=False,
        numbers=(_desk("Dune Law", "617"),),
        talk_seconds=420,
    ),
    DemoAccount(
        name="Dune Motors",
        email="mona@dune-motors.example",
        person="Mona",
        plan_code="package_minutes",
        about="a client of Dune that pays by itself",
        agency="Dune",
        funds_micros=60 * MICROS,
        numbers=(_desk("Dune Motors", "512"),),
    ),
    DemoAccount(
        name="Elm",
        email="elsa@elm.example",
        person="Elsa",
        plan_code="prepaid_recharge",
        about="a prepaid balance that its card fills up by itself",
        funds_micros=30 * MICROS,
        numbers=(_desk("Elm", "305"), _desk("Elm", "", "toll-free")),
        calls_a_day=1.6,
        talk_seconds=420,
    ),
    DemoAccount(
        name="Fern",
        email="finn@fern.example",
        person="Finn",
        plan_code="small_teams",
        about="a subscription, usage to the card each business day; asked for a larger plan",
        numbers=(_desk("Fern", "617"),),
        calls_a_day=0.9,
        wishes=((34, "large_teams"),),
    ),
    DemoAccount(
        name="Fig",
        email="faye@fig.example",
        person="Faye",
        plan_code="small_teams",
        about="the same plan, paid by the year",
        term="year",
        numbers=(_desk("Fig", "415"),),
    ),
    DemoAccount(
        name="Grove",
        email="gina@grove.example",
        person="Gina",
        plan_code="command_center",
        about="a pool of minutes in each billing cycle, paid by invoice",
        has_card=False,
        numbers=(_desk("Grove", "206"),),
        calls_a_day=1.5,
        talk_seconds=900,
        pays_bills=True,
    ),
    DemoAccount(
        name="Hazel",
        email="hugo@hazel.example",
        person="Hugo",
        plan_code="per_second_both_legs",
        about="both legs by the second, prepaid; its first number was free for a week",
        funds_micros=40 * MICROS,
        numbers=(_desk("Hazel", "404"), _desk("Hazel", "", "toll-free")),
        calls_a_day=0.9,
    ),
    DemoAccount(
        name="Iris",
        email="ivan@iris.example",
        person="Ivan",
        plan_code="per_second_postpaid",
        about="the same by invoice at the end of the month, paid by bank transfer",
        has_card=False,
        numbers=(_desk("Iris", "702"),),
        calls_a_day=1.2,
        pays_bills=True,
    ),
)
"""Customers on the plan of each of the five operators."""

MORE = (
    DemoAccount(
        name="Juno",
        email="jana@juno.example",
        person="Jana",
        plan_code="agency_eur",
        about="in euros: included credit, invoices with German VAT, collected by SEPA debit",
        currency="EUR",
        country="DE",
        time_zone="Europe/Berlin",
        has_card=False,
        numbers=(_desk("Juno", "646"),),
        calls_a_day=0.9,
        talk_seconds=600,
        iban="DE02120300000000202051",
    ),
    DemoAccount(
        name="Kale",
        email="kim@kale.example",
        person="Kim",
        plan_code="growing",
        about="its minutes ran out and its plan became the larger one by itself; one refund",
        funds_micros=60 * MICROS,
        numbers=(_desk("Kale", "503"),),
        calls_a_day=1.8,
        talk_seconds=420,
        refund=(34, 15 * MICROS),
        opens_on=24,
    ),
)
"""What none of the operators does, on plans of the demo's own."""

CAST = (*MAIN, *OPERATORS, *MORE)
