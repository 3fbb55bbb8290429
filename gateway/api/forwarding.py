"""How a number's calls are forwarded: the routing plan, its versions, and trying it out."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Items, Line, Listing
from gateway.api.previews import PreviewOut, dear_words, preview_out
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import forwarding, pages
from gateway.services.errors import NotFound
from gateway.services.forwarding import ForwardingVersion
from gateway.services.preview import Answer, Scenario
from gateway.uow import UnitOfWork
from routing.describe import describe
from routing.plans import load_plan


class RoutingPlan(RootModel[dict[str, Any]]):
    """A step: an object with a `pattern`; `otherwise` is the step for when it did not work out.
    May also carry a `note` for the history of versions."""


class VersionOut(BaseModel):
    version: int
    version_id: UUID
    published_at: dt.datetime
    published_by: str
    note: str
    reading: str = Field(description="The plan in plain words.")


class ForwardingOut(VersionOut):
    """The plan's own fields, with those of its version beside them. Sending them back is fine."""

    model_config = ConfigDict(extra="allow")

    pattern: str
    warnings: list[str] = Field(description="Phones of the plan that cost a surcharge.")


class PlanVersionOut(VersionOut):
    plan: dict[str, Any]


class PlanVersionsOut(Items[PlanVersionOut]):
    """A page of versions."""


class AnswerIn(Model):
    """A phone that picks up."""

    address: Line
    after_seconds: int = Field(6, ge=0, le=600)
    talk_seconds: int = Field(60, ge=0, le=86_400)
    takes: bool = Field(True, description="Presses 1 where the plan asks for it.")


class ScenarioIn(Model):
    caller: str | None = Field(None, max_length=20, description="E.164; null: withheld.")
    at: AwareDatetime | None = Field(None, description="When the call comes; null: now.")
    answers: list[AnswerIn] = Field(
        [], max_length=50, description="Who picks up; the other phones ring out."
    )
    message_seconds: int = Field(20, ge=0, le=3600, description="Spoken on a voicemail.")
    plan: dict[str, Any] | None = Field(None, description="Null: the plan in force.")


@blueprint.get("/numbers/<uuid:number_id>/forwarding")
@for_account
@blueprint.output(ForwardingOut)
def get_forwarding(access: Access, number_id: UUID) -> ForwardingOut:
    """The routing plan in force"""
    with runtime.current().units.read() as uow:
        version = forwarding.current(uow, access.scope, number_id)
        if version is None:
            raise NotFound("routing plan of number", number_id)
        return _forwarding_out(uow, access, version)


@blueprint.put("/numbers/<uuid:number_id>/forwarding")
@for_account
@blueprint.input(RoutingPlan, arg_name="body")
@blueprint.output(ForwardingOut)
def publish_forwarding(access: Access, number_id: UUID, body: RoutingPlan) -> ForwardingOut:
    """Publish a routing plan

    It becomes a new version that never changes; calls in progress keep theirs. Everything that is
    wrong with it is answered at once, each with the path of its field.
    """
    plan, note = _sent(body.root)
    with runtime.current().units.begin() as uow:
        version = forwarding.publish(uow, access.scope, number_id, plan, access.actor, note)
        return _forwarding_out(uow, access, version)


@blueprint.get("/numbers/<uuid:number_id>/forwarding/versions")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(PlanVersionsOut)
def list_versions(access: Access, number_id: UUID, query: Listing) -> object:
    """List the versions of a routing plan, newest first"""
    after = pages.decode_cursor(query.after, pages.number_of) if query.after else None
    with runtime.current().units.read() as uow:
        found = forwarding.versions(uow, access.scope, number_id, after=after, limit=query.limit)
    return {
        "items": [_version_out(version) for version in found],
        "next": pages.encode_cursor(found[-1].version) if len(found) == query.limit else None,
    }


@blueprint.post("/numbers/<uuid:number_id>/forwarding/versions/<int:version>/restore")
@for_account
@blueprint.output(ForwardingOut, status_code=201)
def restore_version(access: Access, number_id: UUID, version: int) -> ForwardingOut:
    """Publish an old version again, as a new one

    It is checked as of today: a destination may have lost its rate meanwhile.
    """
    with runtime.current().units.begin() as uow:
        restored = forwarding.restore(uow, access.scope, number_id, version, access.actor)
        return _forwarding_out(uow, access, restored)


@blueprint.post("/numbers/<uuid:number_id>/forwarding/preview")
@for_account
@blueprint.input(ScenarioIn, arg_name="body")
@blueprint.output(PreviewOut)
def preview_forwarding(access: Access, number_id: UUID, body: ScenarioIn) -> PreviewOut:
    """What would happen

    Plays one call through the plan: the path in words, every TwiML document, the legs and their
    price. The functions are those of a real call; nothing is stored and nobody rings.
    """
    running = runtime.current()
    with running.units.read() as uow:
        scenario = Scenario(
            at=body.at or uow.now,
            caller=body.caller,
            answers=tuple(
                Answer(answer.address, answer.after_seconds, answer.talk_seconds, answer.takes)
                for answer in body.answers
            ),
            message_seconds=body.message_seconds,
        )
        played = forwarding.what_would_happen(
            uow, access.scope, running.links, number_id, scenario, body.plan
        )
    return preview_out(played)


def _sent(body: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The plan and its note; what we answered beside the plan may come back with it."""
    ours = {*VersionOut.model_fields, "warnings"}
    note = body.get("note", "")
    plan = {name: value for name, value in body.items() if name not in ours}
    return plan, note if isinstance(note, str) else ""


def _fields(version: ForwardingVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "version_id": version.id,
        "published_at": version.published_at,
        "published_by": version.published_by,
        "note": version.note,
        "reading": describe(load_plan(version.document)),
    }


def _forwarding_out(uow: UnitOfWork, access: Access, version: ForwardingVersion) -> ForwardingOut:
    dear = forwarding.dear_targets(uow, access.scope, version.document)
    warnings = [dear_words(target, access.currency) for target in dear]
    return ForwardingOut(**{**version.document, **_fields(version), "warnings": warnings})


def _version_out(version: ForwardingVersion) -> PlanVersionOut:
    return PlanVersionOut(**_fields(version), plan=version.document)
