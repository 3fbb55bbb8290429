"""Why a leg that drew minutes came to what it did: one explanation for each of its lines."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from billing.explain import Explanation, ReceiptRef, Step
from billing.explain_minutes import explain_drawn
from billing.metering import LegUsage
from billing.packages import Draw, Drawn, price_rest
from billing.rating import RatedLeg
from gateway.services import packages, plans
from gateway.services.plans import PlanVersion
from gateway.store import buckets
from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket
from gateway.uow import UnitOfWork


def drawn_of(
    rated: RatedLeg, seconds: Mapping[uuid.UUID, int], charged_micros: int, version: PlanVersion
) -> Drawn:
    """What settlement drew, from the lines that it left. Seconds that the bucket no longer had
    and that the plan charges are told by the charge."""
    rest = rated.billed_seconds - sum(seconds.values())
    drawn = Drawn(tuple(Draw(*part) for part in seconds.items()), rest)
    if version.plan.in_call.overrun_price == "zero":
        return drawn
    return next(
        (
            replace(drawn, overrun_seconds=overrun)
            for overrun in range(drawn.drawn_seconds + 1)
            if price_rest(rated, rest + overrun, version.plan.tariff) == charged_micros
        ),
        drawn,
    )


def explain_lines(
    uow: UnitOfWork,
    scope: Scope,
    usage: LegUsage,
    rated: RatedLeg,
    version: PlanVersion,
    seconds: Mapping[uuid.UUID, int],
    charged_micros: int,
    receipts: Sequence[ReceiptRef],
) -> tuple[Explanation, ...]:
    """In the order of the lines: each bucket, then the money, if any was due."""
    drawn = drawn_of(rated, seconds, charged_micros, version)
    lines = explain_drawn(
        usage,
        rated,
        drawn,
        version.plan,
        bucket_names=names_of(uow, scope, seconds),
        plan_version=version.version,
        receipts=receipts,
    )
    due = lines[-1].amount_micros if len(lines) > len(seconds) else 0
    if due == charged_micros:
        return lines
    less = Step("Less what lies past zero", f"{due} - {due - charged_micros}", charged_micros)
    last = lines[-1]
    return (
        *lines[:-1],
        replace(last, steps=(*last.steps, less), amount_micros=charged_micros),
    )


def join(lines: Sequence[Explanation], drawn_lines: int) -> Explanation:
    """One explanation of the whole leg; its amount is the money."""
    words = "; ".join(line.words for line in lines)
    steps = tuple(step for line in lines for step in line.steps)
    if len(lines) > drawn_lines:
        return Explanation(words, steps, lines[-1].amount_micros)
    return Explanation(words, (*steps, Step("Charge in millionths", "0", 0)), 0)


def names_of(uow: UnitOfWork, scope: Scope, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """As customers call them: "package local-10k", "the minutes of the cycle to 1 Mar 2026"."""
    return {
        bucket.id: _name(bucket)
        for bucket in buckets.find_all(uow.connection, scope.tenant_id, ids)
    }


def names_of_bought(
    uow: UnitOfWork, scope: Scope, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """Packages and bundles alone, in the words under which they were bought."""
    return {
        bucket.id: _sold_as(uow, bucket)
        for bucket in buckets.find_all(uow.connection, scope.tenant_id, ids)
        if bucket.kind != "pool"
    }


def _sold_as(uow: UnitOfWork, bucket: StoredBucket) -> str:
    terms = plans.plan_version(uow.connection, bucket.plan_version_id).plan.terms
    offer = terms.find_package(bucket.offer_code or "") if bucket.kind == "package" else None
    return _name(bucket) if offer is None else packages.offer_words(offer)


def _name(bucket: StoredBucket) -> str:
    match bucket.kind:
        case "package":
            return f"package {bucket.offer_code}"
        case "bundle":
            return f"the bundle of {bucket.offer_code} minutes"
        case _:
            return f"the minutes of the cycle to {bucket.ends_at:%d %b %Y}"
