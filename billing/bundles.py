"""Single minutes bought by the bundle, where a plan sells any (S4-11), and how money may come in.

A bundle is a bucket like a pool's: drawn by the same legs, and last of all minutes. It never
renews, never rolls over and is never refunded.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from billing.calendar import Period, local_date, local_midnight
from billing.lifecycle import Allowed, RefusalReason, Refused
from billing.packages import Bucket
from billing.postings import AccountKind, Posting, PostingKind, wallet
from billing.terms import Bundle, Pool, Terms

BUNDLE_PRIORITY = 1_001
"""Behind pools and behind every package, whose priorities end at 1,000."""

_LARGER_PLAN = "ask for a larger plan"


def may_buy_bundle(terms: Terms, minutes: int) -> Bundle | Refused:
    """Single minutes are sold only in the sizes that the plan lists (S4-11)."""
    bundle = terms.find_bundle(minutes)
    if bundle is not None:
        return bundle
    sold = ", ".join(str(bundle.minutes) for bundle in terms.topup.bundles)
    words = (
        f"Your plan sells bundles of {sold} minutes: choose one of them."
        if sold
        else f"Your plan sells no single minutes: {_LARGER_PLAN}."
    )
    return Refused(RefusalReason.NOT_FOR_SALE, words)


def may_top_up(terms: Terms, *, by_card: bool) -> Allowed | Refused:
    """Whether money may be added in this way (C6); if not, what to do instead.

    A top-up by hand is posted by staff, so these words are for staff: a correction, with its
    reason, is always possible.
    """
    if terms.topup.card if by_card else terms.topup.manual:
        return Allowed()
    if by_card:
        bundles = "buy a bundle of minutes, or " if terms.topup.bundles else ""
        words = f"Your plan takes no top-ups by card: {bundles}{_LARGER_PLAN}."
    else:
        words = (
            "The account's plan takes no top-ups by hand: post an adjustment with its reason,"
            " or move the account to a larger plan."
        )
    return Refused(RefusalReason.NOT_FOR_SALE, words)


def bundle_id(owner_id: UUID, key: str) -> UUID:
    """The same purchase always fills the same bucket, so that it is filled once."""
    return uuid5(owner_id, f"bundle:{key}")


def bundle_ends_at(bundle: Bundle, cycle: Period, zone: str, now: datetime) -> datetime:
    """The end of the billing cycle, or local midnight after as many days as the plan says."""
    if bundle.valid_days is None:
        return cycle.ends_at
    return local_midnight(local_date(now, zone) + timedelta(days=bundle.valid_days), zone)


def bundle_bucket(
    terms: Terms,
    *,
    bucket_id: UUID,
    owner_id: UUID,
    remaining_seconds: int,
    starts_at: datetime,
    ends_at: datetime,
) -> Bucket:
    """Drawn by the legs, and by the clients, that draw the plan's pool; without a pool, by all.

    A call that was running before the purchase draws nothing of it (S1-02).
    """
    like = terms.allowance or Pool(minutes=0, scope="account")
    return Bucket(
        id=bucket_id,
        kind="bundle",
        owner_id=owner_id,
        remaining_seconds=remaining_seconds,
        starts_at=starts_at,
        expires_at=ends_at,
        leg_scope=like.leg_scope,
        scope=like.scope,
        priority=BUNDLE_PRIORITY,
    )


def bundle_price_posting(
    bundle: Bundle,
    bucket: Bucket,
    *,
    unit: str,
    at: datetime,
    balance_before: int,
    plan_version_id: UUID,
    actor: str,
    description: str,
) -> Posting | None:
    """The owner pays for a bundle, once; None where it costs nothing."""
    if bundle.price_micros == 0:
        return None
    return Posting(
        key=f"bundle:{bucket.id}",
        kind=PostingKind.PACKAGE,
        debit=wallet(bucket.owner_id),
        credit=AccountKind.REVENUE,
        amount=bundle.price_micros,
        at=at,
        account_id=bucket.owner_id,
        unit=unit,
        description=description,
        balance_after=balance_before - bundle.price_micros,
        plan_version_id=plan_version_id,
        actor=actor,
    )
