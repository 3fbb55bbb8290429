"""The terms of a plan beside its tariff: what is included, sold, renewed, warned of, ended.

Every part has a default that stands for "not offered", so that a plan of calls alone needs
none of them.
"""

from dataclasses import dataclass
from typing import Literal

from billing.money import MICROS
from billing.rates import LEG_KINDS, LegKind
from billing.regions import RegionSet

Mode = Literal["prepaid", "postpaid", "card_daily"]
Term = Literal["month", "year"]
Scope = Literal["account", "agency_shared"]
Exhaustion = Literal["charge_plan_rate", "block_new", "auto_upgrade"]
Settlement = Literal["balance_now", "daily", "business_day", "cycle"]
Share = Literal["full", "prorated"]
ChangeChannel = Literal["self", "ops_request"]
CancelEffect = Literal["period_end", "now"]
StatementPeriod = Literal["calendar", "cycle"]
RolloverMode = Literal["none", "capped", "unlimited"]
UnpaidRenewal = Literal["post_anyway", "suspend", "drop"]
Refunds = Literal["none", "card_payments"]
AlertChannel = Literal["email", "sms", "webhook", "in_app", "call"]

SECONDS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class AccessFee:
    """What access costs, usage apart; no yearly price means that no year is sold."""

    month_micros: int = 0
    year_micros: int | None = None

    def for_term(self, term: Term) -> int | None:
        return self.month_micros if term == "month" else self.year_micros


@dataclass(frozen=True, slots=True)
class Included:
    """What the access fee already pays for, in each billing cycle."""

    minutes: int = 0
    credit_micros: int = 0
    scope: Scope = "account"


@dataclass(frozen=True, slots=True)
class Entitlements:
    """How much of each an account may have; None is no limit (S4-12)."""

    seats: int | None = None
    concurrent_calls: int | None = None
    numbers: int | None = None


@dataclass(frozen=True, slots=True)
class PackageOffer:
    """Minutes paid in advance, by the month; `leg_scope` are the legs that draw them (S1-04)."""

    code: str
    number_type: str
    region_set: RegionSet | None
    minutes: int
    price_micros: int
    leg_scope: frozenset[LegKind]
    renews: bool
    priority: int

    @property
    def size_seconds(self) -> int:
        return self.minutes * SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Pool:
    """Minutes of a billing cycle, shared by all who may draw them; reset, never added to."""

    minutes: int
    scope: Scope
    leg_scope: frozenset[LegKind] = frozenset(LEG_KINDS)

    @property
    def size_seconds(self) -> int:
        return self.minutes * SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Recharge:
    """The card is charged when the balance drops below the minimum, up to the maximum (C6).

    Minimum and maximum are what a customer starts with; caps and cool-down bind everybody.
    """

    allowed: bool = False
    minimum_micros: int = 0
    maximum_micros: int = 0
    monthly_cap_micros: int | None = None
    daily_cap_micros: int | None = None
    cooldown_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Single minutes for sale, where a plan sells any (S4-11).

    `valid_days` None: they last to the end of the billing cycle.
    """

    minutes: int
    price_micros: int
    valid_days: int | None = None

    @property
    def size_seconds(self) -> int:
        return self.minutes * SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class TopUps:
    """The ways in which a customer may add to the account."""

    manual: bool = True
    card: bool = True
    bundles: tuple[Bundle, ...] = ()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How a plan is changed (C12, C13); `next_plan` is the code of the plan that comes next."""

    allowance: Share = "full"
    fee: Share = "full"
    channel: ChangeChannel = "ops_request"
    next_plan: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning on the nth day of arrears."""

    day: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspension:
    """The ladder of an account in arrears (C16); numbers are never due without a day named."""

    notices: tuple[Notice, ...] = ()
    suspend_day: int = 0
    due_for_release_day: int | None = None


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """What guards the release of numbers that are due."""

    ops_approval: bool = True
    hold_days: int = 10
    numbers_per_run_max: int = 10


@dataclass(frozen=True, slots=True)
class Statements:
    """The stretch of a statement (C14), and the days until what it asks for is due (S5-18).

    The anchor day is also that of the billing cycle.
    """

    period: StatementPeriod = "calendar"
    anchor_day: int = 1
    due_days: int = 14


@dataclass(frozen=True, slots=True)
class Rollover:
    """What becomes of minutes left at the end of a period (C4)."""

    mode: RolloverMode = "none"
    cap_minutes: int = 0

    def carried_seconds(self, remaining_seconds: int) -> int:
        if self.mode == "none":
            return 0
        if self.mode == "unlimited":
            return remaining_seconds
        return min(remaining_seconds, self.cap_minutes * SECONDS_PER_MINUTE)


@dataclass(frozen=True, slots=True)
class Alerts:
    """When and how an account is warned (C20): thresholds of money, minutes and days left."""

    channels: tuple[str, ...] = ("email", "in_app")
    balance_micros: tuple[int, ...] = (10 * MICROS,)
    minutes: tuple[int, ...] = ()
    days_left: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a plan says beside its tariff; `better_than` is the code of the lesser tier."""

    access_fee: AccessFee = AccessFee()
    included: Included = Included()
    entitlements: Entitlements = Entitlements()
    region_sets: tuple[RegionSet, ...] = ()
    packages: tuple[PackageOffer, ...] = ()
    pool: Pool | None = None
    exhaustion: Exhaustion = "charge_plan_rate"
    rollover: Rollover = Rollover()
    recharge: Recharge = Recharge()
    topup: TopUps = TopUps()
    settlement: Settlement = "balance_now"
    settlement_minimum_micros: int = 0
    renewal_without_balance: UnpaidRenewal = "post_anyway"
    upgrade: Upgrade = Upgrade()
    cancellation: CancelEffect = "period_end"
    refunds: Refunds = "none"
    suspension: Suspension = Suspension()
    release_policy: ReleasePolicy = ReleasePolicy()
    statement: Statements = Statements()
    alerts: Alerts = Alerts()
    support_contact: str = ""
    better_than: str = ""

    @property
    def minutes_are_all(self) -> bool:
        """No call begins without minutes, and one that is on goes on beyond them: what overruns
        them is noted as such, and priced by `in_call.overrun_price` (S4-08, S4-09)."""
        return self.exhaustion != "charge_plan_rate"

    @property
    def allowance(self) -> Pool | None:
        """The minutes of a cycle, whether the plan calls them a pool or included minutes."""
        if self.pool is None and self.included.minutes:
            return Pool(self.included.minutes, self.included.scope)
        return self.pool

    def find_bundle(self, minutes: int) -> Bundle | None:
        return next((one for one in self.topup.bundles if one.minutes == minutes), None)

    def find_package(self, code: str) -> PackageOffer | None:
        return next((offer for offer in self.packages if offer.code == code), None)


NO_TERMS = Terms()
