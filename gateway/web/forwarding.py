"""The forwarding editor, the history of its versions, and what would happen to a call."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import browser, runtime
from gateway.services import forwarding, numbers, plans
from gateway.services.errors import Forbidden, Invalid
from gateway.services.forwarding import ForwardingVersion
from gateway.services.numbers import Number
from gateway.services.preview import Scenario
from gateway.uow import UnitOfWork
from gateway.web import drafts, plan_edit, plan_form, prices
from gateway.web.accounts import time_zones
from gateway.web.blueprint import blueprint, owners_only, principal, scope
from gateway.web.drafts import Draft
from routing.describe import outline
from routing.plans import load_plan


@dataclass(frozen=True, slots=True)
class Change:
    kind: str  # added, removed, or empty for what stayed
    words: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    version: ForwardingVersion
    changes: tuple[Change, ...]


@blueprint.get("/numbers/<uuid:number_id>/forwarding", endpoint="forwarding")
def edit(number_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        number = numbers.get_number(uow, scope(), number_id)
        current = forwarding.current(uow, scope(), number_id)
        document = dict(current.document) if current else _first_plan()
        draft = drafts.opened(document, _check(uow), uow.now, g.account.time_zone)
        _price(uow, number, draft)
    return _page(number, current, draft)


@blueprint.post("/numbers/<uuid:number_id>/forwarding")
def rework(number_id: UUID) -> Response | tuple[str, int]:
    """Every button of the editor. Only Publish stores anything."""
    zone = g.account.time_zone
    with runtime.current().units.read() as uow:
        number = numbers.get_number(uow, scope(), number_id)
        current = forwarding.current(uow, scope(), number_id)
        draft, verb = drafts.submitted(request.form, _check(uow), time_zone=zone)
        _price(uow, number, draft)
        asked = drafts.scenario(draft, zone) if verb == "preview" else None
        if asked is not None and draft.step is not None:
            draft.preview = _what_would_happen(uow, number, draft, asked)
    if verb == "publish" and draft.step is not None:
        published = _publish(number, draft)
        if published is not None:
            return _published(number, published)
    if verb in drafts.SEEN and draft.complaints:
        draft.problem = draft.problem or _("Not yet: some fields need another look.")
    failed = bool(draft.problem) or bool(draft.scenario_errors)
    return _page(number, current, draft), 422 if failed else 200


@blueprint.get("/numbers/<uuid:number_id>/forwarding/history")
def forwarding_history(number_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        number = numbers.get_number(uow, scope(), number_id)
        versions = forwarding.versions(uow, scope(), number_id)
    return render_template(
        "web/forwarding_history.html",
        section="numbers",
        number=number,
        entries=history(versions),
    )


@blueprint.post("/numbers/<uuid:number_id>/forwarding/history/<int:version>/restore")
@owners_only
def restore_forwarding(number_id: UUID, version: int) -> Response:
    with runtime.current().units.begin() as uow:
        restored = forwarding.restore(uow, scope(), number_id, version, principal().name)
    flash(
        _("Version %(old)d is live again, as version %(new)d.")
        % {"old": version, "new": restored.version}
    )
    return redirect(url_for("web.forwarding", number_id=number_id))


def history(versions: Sequence[ForwardingVersion]) -> tuple[HistoryEntry, ...]:
    """Newest first, each with what it changed against the one before, in plain words."""
    told = [_lines(version.document) for version in versions]
    return tuple(
        HistoryEntry(version, _changes(told[n + 1] if n + 1 < len(told) else [], told[n]))
        for n, version in enumerate(versions)
    )


def _lines(document: Any) -> list[str]:
    return ["\u2003" * depth + words for depth, words in outline(load_plan(document))]


def _changes(before: list[str], after: list[str]) -> tuple[Change, ...]:
    kinds = {"+ ": "added", "- ": "removed", "  ": ""}
    return tuple(
        Change(kinds[line[:2]], line[2:])
        for line in difflib.ndiff(before, after)
        if line[:2] in kinds
    )


def _first_plan() -> dict[str, Any]:
    return {
        **plan_edit.new_step("simultaneous"),
        "otherwise": plan_edit.new_step("voicemail"),
    }


def _check(uow: UnitOfWork) -> drafts.Check:
    return lambda document: forwarding.check(uow, scope(), document)


def _price(uow: UnitOfWork, number: Number, draft: Draft) -> None:
    if draft.step is not None:
        tariff = plans.plan_version(uow.connection, g.account.plan_version_id).plan.tariff
        draft.prices = prices.of_a_minute(draft.step, number, tariff)


def _what_would_happen(
    uow: UnitOfWork, number: Number, draft: Draft, asked: Scenario
) -> forwarding.Preview:
    links = runtime.current().links
    return forwarding.what_would_happen(uow, scope(), links, number.id, asked, draft.document)


def _publish(number: Number, draft: Draft) -> ForwardingVersion | None:
    if not principal().may_manage:
        raise Forbidden(_("Only an owner of the account can publish: ask one."))
    try:
        with runtime.current().units.begin() as uow:
            return forwarding.publish(
                uow, scope(), number.id, draft.document, principal().name, draft.note
            )
    except Invalid as invalid:
        drafts.complain(draft, invalid.errors)
        return None


def _published(number: Number, version: ForwardingVersion) -> Response:
    flash(
        _("Version %(version)d is live. New calls follow it from now on.")
        % {"version": version.version}
    )
    target = url_for("web.number", number_id=number.id)
    if browser.is_htmx():
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target)


def _page(number: Number, current: ForwardingVersion | None, draft: Draft) -> str:
    template = "web/_editor.html" if browser.is_htmx() else "web/forwarding.html"
    return render_template(
        template,
        section="numbers",
        number=number,
        current=current,
        draft=draft,
        zones=time_zones(),
        ctx={
            "url": url_for("web.forwarding", number_id=number.id),
            "errors": draft.errors,
            "focus": draft.focus,
            "known": plan_edit.PATTERNS,
            "carried": carried,
        },
    )


def carried(step: dict[str, Any], path: str) -> tuple[tuple[str, str], ...]:
    """Hidden fields for a step that has no form: it comes back as it was."""
    return tuple(
        (name, value)
        for name, value in plan_form.to_fields(step, path)
        if name != f"{path}/pattern"
    )
