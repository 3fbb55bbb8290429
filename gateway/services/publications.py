"""A plan on its way to customers: checked, questioned, compared, and published now or on a date.

Until its date a document is no version: versions are what calls may be billed by, and those are
never taken back. It may be called off until then.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog

from billing.plan_checks import plan_warnings, tier_warnings
from billing.plan_diff import DiffLine, compare
from billing.tariffs import Plan
from gateway.services import audit, payers, plan_changes, plans
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound, ServiceError
from gateway.services.ledger import books
from gateway.services.plans import Kind, PlanVersion
from gateway.store import publications as store
from gateway.store.base import Scope, new_id
from gateway.store.publications import Publication
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

AHEAD_MAX = dt.timedelta(days=800)
CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Checked:
    """A document that may be published: what to ask about it, and what it changes."""

    plan: Plan
    kind: Kind
    current: PlanVersion | None  # None: a new plan
    warnings: tuple[FieldError, ...]
    changes: tuple[DiffLine, ...]
    accounts: int  # on any version of the plan


def check(uow: UnitOfWork, code: str, document: Mapping[str, Any]) -> Checked:
    """Every error at its field (raised), every warning at its field (answered)."""
    current = _newest(uow, code)
    kind = cast(Kind, current.kind if current else "retail")
    plan = plans.read_plan(uow, code, document, kind)
    return Checked(
        plan=plan,
        kind=kind,
        current=current,
        warnings=_warnings(uow, code, plan) if kind == "retail" else (),
        changes=compare(current.document if current else {}, document),
        accounts=store.accounts_on_plan(uow.connection, code),
    )


def _warnings(uow: UnitOfWork, code: str, plan: Plan) -> tuple[FieldError, ...]:
    carrier = plans.carrier_tariff(uow.connection)
    found = (
        [] if carrier is None else [(w.path, w.message) for w in plan_warnings(plan, carrier.plan)]
    )
    better = _newest(uow, plan.terms.upgrade.next_plan)
    if better is not None:
        found += [("/upgrade/next_plan", w.message) for w in tier_warnings(better.plan, plan)]
    for lesser in plans.list_plans(uow):
        if lesser.plan.terms.upgrade.next_plan == code:
            found += [(w.path, w.message) for w in tier_warnings(plan, lesser.plan)]
    return tuple(FieldError(path, message, "warning") for path, message in found)


def _newest(uow: UnitOfWork, code: str) -> PlanVersion | None:
    try:
        return plans.get_plan(uow, code) if code else None
    except NotFound:
        return None


def publish(
    uow: UnitOfWork,
    code: str,
    document: Mapping[str, Any],
    actor: str,
    *,
    from_at: dt.datetime | None = None,
    moves_accounts: bool = False,
) -> Publication:
    """The next version, from an instant on; without one, or with one that is past, at the next
    look of the clock. With `moves_accounts` those on an older version move along, for calls that
    start after it; else they stay until they are moved."""
    checked = check(uow, code, document)
    at = max(uow.now, from_at or uow.now)
    if at > uow.now + AHEAD_MAX:
        raise Invalid.at("/from", "choose a date in the next two years")
    if checked.current is not None and not checked.changes and not moves_accounts:
        raise Conflict("That is the document of the newest version: nothing would change.")
    publication = Publication(
        id=new_id(),
        code=code,
        kind=checked.kind,
        document=dict(document),
        from_at=at,
        moves_accounts=moves_accounts,
        state="waiting",
        created_at=uow.now,
        created_by=actor,
        decided_at=None,
        decided_by=None,
        plan_version_id=None,
    )
    store.add(uow.connection, publication)
    audit.note(
        uow,
        None,
        actor,
        "plan.publication_ordered",
        code,
        from_at=at.isoformat(),
        moves_accounts=moves_accounts,
    )
    return publication


def waiting(uow: UnitOfWork, code: str | None = None) -> tuple[Publication, ...]:
    """The next one first."""
    return store.waiting(uow.connection, code=code)


def cancel(uow: UnitOfWork, id: uuid.UUID, actor: str) -> None:
    """Call it off while it waits."""
    found = store.lock(uow.connection, id)
    if found is None:
        raise NotFound("publication", id)
    if found.state != "waiting":
        raise Conflict(f"This publication is {found.state} already: look at it again.")
    store.decide(uow.connection, id, state="canceled", decided_at=uow.now, decided_by=actor)
    audit.note(uow, None, actor, "plan.publication_canceled", found.code)


def publish_due(units: UnitsOfWork) -> int:
    """Publish what is due; how many. Cut short while accounts move, it is taken up again."""
    with units.read() as uow:
        due = [p for p in store.waiting(uow.connection) if p.from_at <= uow.now]
    return sum(_publish(units, publication.id) for publication in due)


def publish_now(units: UnitsOfWork, publication: Publication) -> PlanVersion:
    """For who waits for it; the clock would do the same a moment later."""
    _publish(units, publication.id)
    with units.read() as uow:
        found = store.lock(uow.connection, publication.id)
        if found is None or found.plan_version_id is None:
            raise Conflict("This publication was decided by somebody else: look at it again.")
        return plans.plan_version(uow.connection, found.plan_version_id)


def _publish(units: UnitsOfWork, id: uuid.UUID) -> int:
    """The version first, in a transaction of its own; then each account in its own. The state
    is set last, and every step may be done twice."""
    with units.begin() as uow:
        found = store.lock(uow.connection, id, wait=False)
        if found is None or found.state != "waiting" or found.from_at > uow.now:
            return 0
        try:
            version = plans.publish_plan(
                uow, found.code, found.document, found.created_by, cast(Kind, found.kind)
            )
        except Invalid as refusal:
            _turn_down(uow, found, refusal.words)
            return 0
        store.decide(uow.connection, id, plan_version_id=version.id)
    if found.moves_accounts:
        _move_accounts(units, version, id, found.created_by)
    with units.begin() as uow:
        store.lock(uow.connection, id)
        store.decide(uow.connection, id, state="published", decided_at=uow.now, decided_by=CLOCK)
    return 1


def _turn_down(uow: UnitOfWork, publication: Publication, words: str) -> None:
    """Right when it was saved, and wrong beside what was published since."""
    log.error("plan.not_published", code=publication.code, words=words)
    store.decide(
        uow.connection, publication.id, state="canceled", decided_at=uow.now, decided_by=CLOCK
    )
    audit.note(uow, None, CLOCK, "plan.publication_refused", publication.code, words=words)


def _move_accounts(units: UnitsOfWork, version: PlanVersion, id: uuid.UUID, actor: str) -> None:
    """One that cannot be moved is left where it is and told to staff; the others go on."""
    with units.read() as uow:
        scopes = store.accounts_on_older(uow.connection, version.id)
    for scope in scopes:
        try:
            _move(units, scope, version, uuid.uuid5(id, scope.account_id.hex), actor)
        except ServiceError as refusal:
            log.error("plan.not_moved", account_id=str(scope.account_id), words=refusal.words)
            with units.begin() as uow:
                audit.note(
                    uow, scope, CLOCK, "plan.not_moved", version.plan_code, words=refusal.words
                )


def _move(
    units: UnitsOfWork, scope: Scope, version: PlanVersion, change_id: uuid.UUID, actor: str
) -> None:
    with units.begin() as uow, books(uow, scope) as opened:
        payers.join(uow, opened)
        plan_changes.move(uow, opened, version, change_id, actor)
