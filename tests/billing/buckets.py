"""Buckets and legs for the tests of minutes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from billing.metering import LegStatus, LegUsage
from billing.packages import Bucket, LegMoment
from billing.regions import RegionList, RegionSet

ACME = UUID(int=0xACE)
BOLT = UUID(int=0xB017)
COBALT = UUID(int=0xC0B)
PLAN_VERSION = UUID(int=0x91A)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MONTH = timedelta(days=31)
CONTIGUOUS = RegionSet(
    "us_ca_contiguous",
    RegionList(countries=frozenset({"US", "CA"})),
    RegionList(area_codes=frozenset({"808", "907"})),
)
SAN_FRANCISCO, HONOLULU, LONDON = "+14155550101", "+18085550101", "+442079460000"


def bucket(number: int = 1, remaining_seconds: int = 600_000, **changes: Any) -> Bucket:
    usual: dict[str, Any] = {
        "id": UUID(int=number),
        "kind": "package",
        "owner_id": ACME,
        "remaining_seconds": remaining_seconds,
        "starts_at": NOON - timedelta(days=1),
        "expires_at": NOON + MONTH,
        "leg_scope": frozenset({"inbound"}),
        "number_type": "local",
    }
    return Bucket(**(usual | changes))


def inbound(talk_seconds: int = 83, number_type: str = "local") -> LegUsage:
    return LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=talk_seconds,
        number_country="US",
        number_type=number_type,
    )


def forwarded(
    talk_seconds: int = 83, to: str = "+16045550101", number_type: str = "local"
) -> LegUsage:
    return LegUsage(
        kind="forwarded",
        status=LegStatus.COMPLETED,
        talk_seconds=talk_seconds,
        number_country="US",
        number_type=number_type,
        target_kind="number",
        target_address=to,
    )


def moment(
    began_at: datetime = NOON,
    account_id: UUID = ACME,
    number_e164: str = SAN_FRANCISCO,
    shares_with: UUID | None = None,
) -> LegMoment:
    return LegMoment(account_id, number_e164, began_at, began_at, shares_with)
