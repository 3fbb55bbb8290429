"""Routing plans of numbers: checked, published as versions that never change, restored, and tried
out before anybody calls."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.links import PublicLinks
from gateway.services import accounts, audit, plans, preview
from gateway.services.accounts import Account
from gateway.services.errors import FieldError, Invalid, NotFound
from gateway.services.preview import DearTarget, Line, Preview, Scenario, Terms
from gateway.store import forwarding, numbers
from gateway.store.base import Scope
from gateway.store.forwarding import ForwardingVersion
from gateway.store.numbers import Number
from gateway.uow import UnitOfWork
from routing.numbering import InvalidNumber, parse_e164
from routing.plans import PlanContext, PlanInvalid, Step, load_plan, parse_plan, plan_targets

__all__ = [
    "DearTarget",
    "ForwardingVersion",
    "Preview",
    "Scenario",
    "check",
    "current",
    "current_of",
    "dear_targets",
    "get_version",
    "publish",
    "restore",
    "versions",
    "what_would_happen",
]

NOTE_LENGTH_MAX = 200
LIMIT_MAX = 200


def current(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID) -> ForwardingVersion | None:
    """The version in force; None while nothing is published. A foreign number is `NotFound`."""
    _number(uow, scope, did_id)
    return forwarding.in_force(uow.connection, scope, [did_id]).get(did_id)


def current_of(
    uow: UnitOfWork, scope: Scope, did_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, ForwardingVersion]:
    """For a list of numbers, in one statement; those without a plan are absent."""
    return forwarding.in_force(uow.connection, scope, did_ids)


def check(uow: UnitOfWork, scope: Scope, document: object) -> Step:
    """What `publish` would say of a document: the plan, or `Invalid` with all that is wrong."""
    return _parse(uow, accounts.get_account(uow, scope), document)


def publish(
    uow: UnitOfWork,
    scope: Scope,
    did_id: uuid.UUID,
    document: object,
    actor: str,
    note: str = "",
) -> ForwardingVersion:
    """Check it and put it in force as the next version. Calls in progress keep theirs."""
    number = _number(uow, scope, did_id)
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid.at("/note", f"use at most {NOTE_LENGTH_MAX} characters")
    step = _parse(uow, accounts.get_account(uow, scope), document)
    version = forwarding.publish(
        uow.connection,
        scope,
        did_id,
        step.to_document(),
        published_at=uow.now,
        published_by=actor,
        note=note.strip(),
    )
    if version is None:
        raise NotFound("number", did_id)
    audit.note(
        uow, scope, actor, "forwarding.published", number.e164, version=version.version, note=note
    )
    return version


def versions(
    uow: UnitOfWork,
    scope: Scope,
    did_id: uuid.UUID,
    *,
    after: int | None = None,
    limit: int = 50,
) -> tuple[ForwardingVersion, ...]:
    """Newest first; `after` is the version number of the last one seen."""
    _number(uow, scope, did_id)
    return forwarding.history(
        uow.connection,
        scope.tenant_id,
        did_id,
        before=after,
        limit=min(max(limit, 1), LIMIT_MAX),
    )


def get_version(
    uow: UnitOfWork, scope: Scope, did_id: uuid.UUID, version: int
) -> ForwardingVersion:
    _number(uow, scope, did_id)
    found = forwarding.find_version(uow.connection, scope.tenant_id, did_id, version)
    if found is None:
        raise NotFound("version", version)
    return found


def restore(
    uow: UnitOfWork, scope: Scope, did_id: uuid.UUID, version: int, actor: str
) -> ForwardingVersion:
    """Publish an old version's document again, as a new version; checked as of today, since a
    destination may have lost its rate meanwhile."""
    old = get_version(uow, scope, did_id, version)
    return publish(
        uow, scope, did_id, old.document, actor, note=f"Restored from version {old.version}"
    )


def what_would_happen(
    uow: UnitOfWork,
    scope: Scope,
    links: PublicLinks,
    did_id: uuid.UUID,
    scenario: Scenario,
    document: object | None = None,
) -> Preview:
    """Play one call through the plan in force, or through a document that is not published yet.

    The same functions decide, render and rate as for a real call; nothing is stored and nobody
    rings.
    """
    number = _number(uow, scope, did_id)
    account = accounts.get_account(uow, scope)
    if document is not None:
        step = _parse(uow, account, document)
    else:
        version = forwarding.in_force(uow.connection, scope, [did_id]).get(did_id)
        if version is None:
            raise Invalid.at("", "nothing is published for this number yet: send a plan")
        step = load_plan(version.document)
    carrier = plans.carrier_tariff(uow.connection)
    line = Line(
        e164=number.e164,
        country=number.country,
        number_type=number.number_type,
        links=links.call(number.tenant_id, preview.SAMPLE_CALL_SID),
        own_numbers=numbers.ours_among(
            uow.connection,
            [target.address for _, target in plan_targets(step) if target.type == "number"],
        ),
    )
    terms = Terms(
        plan=plans.plan_version(uow.connection, account.plan_version_id).plan,
        carrier=carrier.plan.tariff if carrier else None,
        balance_micros=account.balance_micros,
        status=account.status,
        number_status=number.status,
    )
    return preview.play(step, line, terms, scenario)


def dear_targets(uow: UnitOfWork, scope: Scope, document: object) -> tuple[DearTarget, ...]:
    """What a published document forwards to at a surcharge of the account's plan."""
    account = accounts.get_account(uow, scope)
    tariff = plans.plan_version(uow.connection, account.plan_version_id).plan.tariff
    return preview.dear_targets(load_plan(document), tariff)


def _number(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID) -> Number:
    found = numbers.find(uow.connection, scope, did_id)
    if found is None:
        raise NotFound("number", did_id)
    return found


def _parse(uow: UnitOfWork, account: Account, document: object) -> Step:
    tariff = plans.plan_version(uow.connection, account.plan_version_id).plan.tariff
    dialled = frozenset(_numbers_in(document, account.country))
    context = PlanContext(
        own_numbers=numbers.ours_among(uow.connection, sorted(dialled)),
        allowed_countries=frozenset(account.allowed_countries),
        has_rate=lambda kind, address: tariff.can_forward_to(kind, address),  # type: ignore[arg-type]
        default_region=account.country,
    )
    try:
        return parse_plan(document, context)
    except PlanInvalid as refusal:
        raise Invalid(FieldError(e.path, e.message, e.code) for e in refusal.errors) from None


def _numbers_in(document: object, region: str) -> Iterator[str]:
    """Every telephone number that a document may dial, before it is known to be a plan: which of
    them are ours is asked in one statement."""
    waiting: list[Any] = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
            address = part.get("address")
            if isinstance(address, str):
                try:
                    yield parse_e164(address, region)
                except InvalidNumber:
                    continue
        elif isinstance(part, list):
            waiting.extend(part)
