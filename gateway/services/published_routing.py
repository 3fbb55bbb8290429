"""Routing plans as calls ask for them: the published version, read once in a process."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import structlog

from gateway.store import forwarding
from gateway.uow import UnitOfWork
from routing.acts import Target
from routing.plans import PlanInvalid, load_plan, plan_targets
from routing.steps import Step

log = structlog.get_logger(__name__)

KEPT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Published:
    """A routing plan with what each call asks of it: the phones it may dial."""

    step: Step
    targets: tuple[Target, ...]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, step: Step) -> Published:
        targets = tuple(target for _, target in plan_targets(step))
        return cls(step, targets, tuple(t.address for t in targets if t.type == "number"))


_KEPT: dict[uuid.UUID, Published] = {}


def find(uow: UnitOfWork, tenant_id: uuid.UUID, version_id: uuid.UUID | None) -> Published | None:
    """Published versions never change, so a process parses each one once."""
    if version_id is None:
        return None
    published = _KEPT.get(version_id)
    if published is None:
        document = forwarding.document_of(uow.connection, tenant_id, version_id)
        if document is None:
            return None
        try:
            step = load_plan(document)
        except PlanInvalid:
            # S3-11: a pattern that this release does not know fails closed, and is reported.
            log.exception("forwarding.unreadable", version_id=str(version_id))
            return None
        if len(_KEPT) >= KEPT_MAX:
            _KEPT.clear()
        published = _KEPT[version_id] = Published.of(step)
    return published
