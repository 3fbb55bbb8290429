"""Plans written, questioned and published: now, or from a date on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from gettext import gettext as _
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops import periods
from gateway.ops.accounts import as_lines
from gateway.ops.pages import blueprint, deed, staff
from gateway.services import plans, publications
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound
from gateway.uow import UnitOfWork

DOCUMENT_LENGTH_MAX = 256 * 1024


@blueprint.get("/plan-draft")
def plan_draft() -> str:
    """`?code=` begins with the newest version of a plan; without it, with payg's under a new
    code."""
    code = request.args.get("code", "")
    with runtime.current().units.read() as uow:
        try:
            begin = plans.get_plan(uow, code or "payg").document
        except NotFound:
            begin = {}
    return _draft(code, "\n".join(as_lines(begin)))


@blueprint.post("/plan-draft")
def check_plan() -> str | tuple[str, int]:
    """What is wrong with it, what to ask about it, and what it changes; nothing is saved."""
    code = request.form.get("code", "").strip()
    text = request.form.get("document", "")
    try:
        document = _document(text)
        with runtime.current().units.read() as uow:
            checked = publications.check(uow, code, document)
    except Invalid as invalid:
        return _draft(code, text, invalid.errors), 422
    return render_template(
        "ops/plan_check.html",
        section="plans",
        code=code,
        document=json.dumps(document, ensure_ascii=False),
        checked=checked,
    )


@blueprint.post("/plan-publication")
def publish_plan() -> str | tuple[str, int] | Response:
    """`from` empty: at once, and then the page of the new version."""
    code = request.form.get("code", "").strip()
    text = request.form.get("document", "")
    units = runtime.current().units
    try:
        on = request.form.get("from", "")
        from_at = periods.instant(periods.day(on, "/from")) if on else None
        with units.begin() as uow:
            order = publications.publish(
                uow,
                code,
                _document(text),
                staff().name,
                from_at=from_at,
                moves_accounts=request.form.get("moves") == "yes",
            )
            waits = order.from_at > uow.now
    except Invalid as invalid:
        return _draft(code, text, invalid.errors), 422
    except Conflict as refusal:
        return _draft(code, text, (FieldError("", refusal.words),)), 409
    if waits:
        flash(_("It is published on %(day)s.") % {"day": order.from_at.date()})
        return redirect(url_for("ops.list_plans"))
    version = publications.publish_now(units, order)
    flash(
        _("Version %(version)s of %(code)s is published.")
        % {"version": version.version, "code": code}
    )
    return redirect(url_for("ops.plan", code=code, version=version.version))


@blueprint.post("/plan-publication/<uuid:publication_id>/cancel")
@deed(back="ops.list_plans")
def cancel_publication(uow: UnitOfWork, publication_id: UUID) -> str:
    publications.cancel(uow, publication_id, staff().name)
    return _("Called off: the plan stays as it is.")


def _draft(code: str, text: str, errors: tuple[FieldError, ...] = ()) -> str:
    return render_template(
        "ops/plan_draft.html",
        section="plans",
        code=code,
        document=text,
        problems=[e for e in errors if e.path != "/code"],
        errors={"code": [e.message for e in errors if e.path == "/code"]},
    )


def _document(text: str) -> Mapping[str, Any]:
    """The JSON that was typed, or a refusal that says where it stops being JSON."""
    if len(text) > DOCUMENT_LENGTH_MAX or "\0" in text:
        raise Invalid.at("", "write a plan of at most 256 KB of text")
    try:
        document = json.loads(text)
    except RecursionError:
        raise Invalid.at("", "it is nested too deeply") from None
    except ValueError as error:
        raise Invalid.at("", f"this is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Invalid.at("", "write one object: { … }")
    return document
