"""Postings in seconds: a bucket is filled, drawn, carried over, and what is left expires.

Amounts are whole seconds of the unit SECONDS. A bucket is an owned ledger account; the house
accounts `seconds_issued`, `seconds_used` and `expired` are its counterparts. A pool that is
overdrawn stands below zero, and stays so: the next cycle has a bucket of its own.
"""

from datetime import datetime
from uuid import UUID

from billing.metering import LegUsage
from billing.packages import Bucket, BucketKind, Draw
from billing.postings import SECONDS, AccountKind, Posting, PostingKind, wallet
from billing.purchases import Package

__all__ = [
    "SECONDS",
    "bucket_account",
    "carry_posting",
    "draw_key",
    "draw_posting",
    "expire_posting",
    "issue_posting",
    "package_key",
    "package_price_posting",
]


def bucket_account(kind: BucketKind, bucket_id: UUID) -> str:
    """The ledger account that holds a bucket: "package:<hex>", "pool:<hex>", "bundle:<hex>"."""
    return f"{kind}:{bucket_id.hex}"


def package_key(package_id: UUID, n: int) -> str:
    """The price of the nth month; the purchase itself is month 0."""
    return f"package:{package_id}:{n}"


def package_price_posting(
    package: Package,
    n: int,
    *,
    unit: str,
    at: datetime,
    balance_before: int,
    plan_version_id: UUID,
    description: str,
) -> Posting | None:
    """The owner pays for a month of a package; None where it costs nothing."""
    price = package.offer.price_micros
    if price == 0:
        return None
    return Posting(
        key=package_key(package.id, n),
        kind=PostingKind.PACKAGE,
        debit=wallet(package.owner_id),
        credit=AccountKind.REVENUE,
        amount=price,
        at=at,
        account_id=package.owner_id,
        unit=unit,
        description=description,
        balance_after=balance_before - price,
        plan_version_id=plan_version_id,
        actor=package.purchaser.words,
    )


def issue_posting(
    bucket: Bucket,
    *,
    seconds: int,
    at: datetime,
    plan_version_id: UUID,
    description: str,
    actor: str | None = None,
    formula: str | None = None,
) -> Posting:
    """A period begins, or minutes were bought: their seconds are there, all at once and only
    once. `formula` is the sum behind the seconds, where there is more than one."""
    return Posting(
        key=f"issue:{bucket.id}",
        kind=PostingKind.ISSUE,
        debit=AccountKind.SECONDS_ISSUED,
        credit=bucket_account(bucket.kind, bucket.id),
        amount=seconds,
        at=at,
        account_id=bucket.owner_id,
        unit=SECONDS,
        description=description,
        balance_after=bucket.remaining_seconds + seconds,
        plan_version_id=plan_version_id,
        actor=actor,
        reason=formula,
    )


def draw_key(leg_sid: str, bucket_id: UUID) -> str:
    """A leg draws a bucket at most once."""
    return f"draw:{leg_sid}:{bucket_id}"


def draw_posting(
    usage: LegUsage,
    drawn: Draw,
    bucket: Bucket,
    *,
    at: datetime,
    account_id: UUID,
    call_sid: str,
    leg_sid: str,
    plan_version_id: UUID,
    receipt_id: UUID | None,
) -> Posting:
    """A leg takes seconds; `account_id` made it, and may be a client of the bucket's owner."""
    assert drawn.bucket_id == bucket.id, "the draw is of this bucket"
    return Posting(
        key=draw_key(leg_sid, bucket.id),
        kind=PostingKind.DRAW,
        debit=bucket_account(bucket.kind, bucket.id),
        credit=AccountKind.SECONDS_USED,
        amount=drawn.seconds,
        at=at,
        account_id=account_id,
        unit=SECONDS,
        description=f"Minutes of the {bucket.kind}, {usage.kind} leg",
        balance_after=bucket.remaining_seconds - drawn.seconds,
        call_sid=call_sid,
        leg_sid=leg_sid,
        plan_version_id=plan_version_id,
        billed_seconds=drawn.seconds,
        receipt_id=receipt_id,
    )


def carry_posting(bucket: Bucket, into: Bucket, *, seconds: int, at: datetime) -> Posting:
    """What the plan lets roll over moves into the next period's bucket (C4)."""
    return Posting(
        key=f"carry:{bucket.id}",
        kind=PostingKind.ISSUE,
        debit=bucket_account(bucket.kind, bucket.id),
        credit=bucket_account(into.kind, into.id),
        amount=seconds,
        at=at,
        account_id=bucket.owner_id,
        unit=SECONDS,
        description="Minutes carried over",
        balance_after=bucket.remaining_seconds - seconds,
    )


def expire_posting(bucket: Bucket, *, seconds: int, at: datetime) -> Posting:
    """What is left at the end of a period is gone, and says so (S1-16)."""
    return Posting(
        key=f"expire:{bucket.id}",
        kind=PostingKind.EXPIRE,
        debit=bucket_account(bucket.kind, bucket.id),
        credit=AccountKind.EXPIRED,
        amount=seconds,
        at=at,
        account_id=bucket.owner_id,
        unit=SECONDS,
        description="Unused minutes expired",
        balance_after=bucket.remaining_seconds - seconds,
    )
