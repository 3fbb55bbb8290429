"""Plans: published versions of a document, never edited; the carrier's own tariff is one too."""

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.tariffs import Plan, PlanInvalid, parse_plan
from billing.upgrades import upgrade_errors
from gateway.services import audit
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound
from gateway.store import plans
from gateway.store.plans import StoredPlanVersion
from gateway.uow import UnitOfWork

Kind = Literal["retail", "carrier"]
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
MEMO_MAX = 512


@dataclass(frozen=True, slots=True)
class PlanVersion:
    id: uuid.UUID
    plan_id: uuid.UUID
    plan_code: str
    kind: str
    version: int
    document: Mapping[str, Any]
    plan: Plan
    published_at: dt.datetime
    published_by: str

    @property
    def label(self) -> str:
        """ "payg v2", as the trail names it."""
        return f"{self.plan_code} v{self.version}"


def publish_plan(
    uow: UnitOfWork, code: str, document: Mapping[str, Any], actor: str, kind: Kind = "retail"
) -> PlanVersion:
    """The next version; the document of the current one again changes nothing and answers it.

    Accounts stay on the version they have until they are moved.
    """
    read_plan(uow, code, document, kind)
    plan_id = plans.lock_or_add(uow.connection, code, kind, uow.now)
    if plan_id is None:
        raise Conflict(f"{code} is the code of a plan of another kind: choose another code.")
    latest = plans.latest_of(uow.connection, code)
    if latest is not None and latest.document == document:
        return plan_version(uow.connection, latest.id)
    number = latest.version + 1 if latest else 1
    id = plans.add_version(
        uow.connection,
        plan_id,
        number,
        dict(document),
        published_at=uow.now,
        published_by=actor,
    )
    audit.note(uow, None, actor, "plan.published", code, version=number)
    return plan_version(uow.connection, id)


def read_plan(uow: UnitOfWork, code: str, document: Mapping[str, Any], kind: Kind) -> Plan:
    """The plan of a document that may be published; raises every error at its field."""
    if CODE.fullmatch(code) is None:
        raise Invalid.at("/code", 'write 2 to 40 small letters, digits or "_", such as payg')
    try:
        plan = parse_plan(document)
    except PlanInvalid as refusal:
        raise Invalid(FieldError(e.path, e.message) for e in refusal.errors) from None
    if kind == "retail":
        sold = {version.plan_code: version.plan for version in list_plans(uow)}
        errors = [FieldError(e.path, e.message) for e in upgrade_errors(code, plan, sold)]
        if errors:
            raise Invalid(errors)
    return plan


def publish_catalogue(uow: UnitOfWork, actor: str) -> tuple[str, ...]:
    """Publish what ships with the product and was never published here; the codes that were.

    A plan that exists is left alone: the operator may have changed its prices.
    """
    added = []
    for code, document in load_catalogue().items():
        if plans.latest_of(uow.connection, code) is None:
            kind: Kind = "carrier" if code == CARRIER_COST else "retail"
            publish_plan(uow, code, document, actor, kind)
            added.append(code)
    return tuple(added)


def plan_version(connection: Connection, id: uuid.UUID) -> PlanVersion:
    """One published version; read from the database once per process, because it never changes."""
    known = _memo.get(id)
    if known is not None:
        return known
    stored = plans.find_version(connection, id)
    if stored is None:
        raise NotFound("plan version", id)
    return _remember(stored)


def get_plan(uow: UnitOfWork, code: str) -> PlanVersion:
    """The newest version."""
    stored = plans.latest_of(uow.connection, code)
    if stored is None:
        raise NotFound("plan", code)
    return _remember(stored)


def list_plans(uow: UnitOfWork) -> tuple[PlanVersion, ...]:
    """The newest version of each plan for sale."""
    return tuple(map(_remember, plans.latest_of_kind(uow.connection, "retail")))


def versions(uow: UnitOfWork, code: str) -> tuple[PlanVersion, ...]:
    """Newest first."""
    found = tuple(map(_remember, plans.all_versions(uow.connection, code)))
    if not found:
        raise NotFound("plan", code)
    return found


def carrier_tariff(connection: Connection) -> PlanVersion | None:
    """What the carrier charges us: the newest published plan of its kind; None before there is
    one."""
    found = plans.latest_of_kind(connection, "carrier")
    return _remember(max(found, key=lambda stored: stored.published_at)) if found else None


_memo: dict[uuid.UUID, PlanVersion] = {}


def _remember(stored: StoredPlanVersion) -> PlanVersion:
    known = _memo.get(stored.id)
    if known is None:
        known = PlanVersion(
            id=stored.id,
            plan_id=stored.plan_id,
            plan_code=stored.code,
            kind=stored.kind,
            version=stored.version,
            document=stored.document,
            plan=parse_plan(stored.document),
            published_at=stored.published_at,
            published_by=stored.published_by,
        )
        if len(_memo) >= MEMO_MAX:
            _memo.clear()
        _memo[stored.id] = known
    return known
