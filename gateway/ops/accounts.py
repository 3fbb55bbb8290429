"""Accounts: found, looked at, moved to another plan; each with its trail."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.lifecycle import Allowed
from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import PAGE, account_of, blueprint, deed, staff
from gateway.services import (
    accounts,
    audit,
    contacts,
    ledger,
    logins,
    numbers,
    overview,
    pages,
    plan_changes,
    plans,
    statement,
    tokens,
    vat_checks,
)
from gateway.services.accounts import AccountFlag
from gateway.services.errors import Conflict, Invalid
from gateway.uow import UnitOfWork

ACCOUNTS = 25
LINES_SHOWN = 10
CONTEXT = 3
LINE_LENGTH = 96


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind`: added, removed or same."""

    kind: str
    words: str


@blueprint.get("/accounts")
def list_accounts() -> str:
    query = request.args.get("query", "").replace("\0", "")
    flag = next((one for one in AccountFlag if one == request.args.get("flag")), None)
    after = request.args.get("after")
    before = pages.decode_cursor(after, pages.uuid_of) if after else None
    with runtime.current().units.read() as uow:
        found = accounts.list_accounts(
            uow, after=before, limit=ACCOUNTS + 1, query=query, flag=flag
        )
        page = pages.cut(found, ACCOUNTS, lambda account: pages.encode_cursor(account.id))
        days_left = {
            account.id: overview.overview(uow, account.scope, overview.BURN_WINDOW_DAYS).days_left
            for account in page.items
        }
    kept: dict[str, Any] = {"query": query or None, "flag": flag}
    return render_template(
        "ops/accounts.html",
        section="accounts",
        page=page,
        days_left=days_left,
        query=query,
        flag=flag,
        next_url=url_for("ops.list_accounts", after=page.next, **kept) if page.next else None,
        first_url=url_for("ops.list_accounts", **kept) if after else None,
    )


@blueprint.get("/accounts/<uuid:account_id>")
def account(account_id: UUID) -> str:
    return account_page(account_id)


def account_page(
    account_id: UUID,
    *,
    errors: Mapping[str, list[str]] | None = None,
    typed: Mapping[str, str] | None = None,
) -> str:
    """`errors` and `typed` belong to the money form that was refused."""
    running = runtime.current()
    with running.units.read() as uow:
        subject = account_of(uow, account_id)
        scope = subject.scope
        vat = vat_checks.standing(uow, running.settings, subject)
        answer = vat.answer if vat else None
        return render_template(
            "ops/account.html",
            section="accounts",
            subject=subject,
            vat=vat,
            can_ask=vat_checks.can_ask(running.settings, subject),
            register=answer,
            evidence=vat_checks.evidence_of(answer) if answer and answer.answer == "valid" else "",
            seen=overview.overview(uow, scope),
            lines=statement.list_postings(uow, scope, None, LINES_SHOWN).items,
            numbers=numbers.list_numbers(uow, scope, limit=PAGE).items,
            people=logins.list_logins(uow, scope),
            tokens=tokens.list_tokens(uow, scope),
            trail=audit.trail(uow, scope, limit=LINES_SHOWN),
            plans=plans.list_plans(uow),
            history=plan_changes.history(uow, scope),
            change=plan_changes.open_change(uow, scope),
            takes_top_ups=isinstance(ledger.top_up_by_hand(uow, subject.plan_version_id), Allowed),
            errors=errors or {},
            typed=typed or {},
        )


@blueprint.post("/accounts/<uuid:account_id>/vat-id")
@deed(back="ops.account")
def confirm_vat_id(uow: UnitOfWork, account_id: UUID) -> str:
    """Somebody has found it in the register."""
    evidence = request.form.get("evidence", "").replace("\0", "")
    accounts.confirm_vat_id(uow, account_of(uow, account_id).scope, evidence, staff().name)
    return _("The VAT id is confirmed: tax is left out where the law says so.")


@blueprint.post("/accounts/<uuid:account_id>/vat-id/withdrawal")
@deed(back="ops.account")
def withdraw_vat_id(uow: UnitOfWork, account_id: UUID) -> str:
    """It is not theirs after all, whoever confirmed it."""
    reason = request.form.get("reason", "").replace("\0", "")
    accounts.withdraw_vat_id(uow, account_of(uow, account_id).scope, reason, staff().name)
    return _("The VAT id is not confirmed any more: tax is charged.")


@blueprint.post("/accounts/<uuid:account_id>/vat-id/question")
def ask_about_vat_id(account_id: UUID) -> Response:
    """The register, again and now."""
    running = runtime.current()
    try:
        with running.units.begin() as uow:
            scope = account_of(uow, account_id).scope
            vat_checks.ask_again(uow, running.settings, scope, staff().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("VIES is asked: load this page again in a minute for what it says."))
    return redirect(url_for("ops.account", account_id=account_id))


@blueprint.post("/accounts/<uuid:account_id>/email-link")
@deed(back="ops.account")
def send_email_link(uow: UnitOfWork, account_id: UUID) -> str:
    """Mail the link that confirms the billing address once more."""
    email = contacts.send_again(uow, account_of(uow, account_id).scope, staff().name)
    return _("A link is on its way to %(address)s.") % {"address": email}


@blueprint.get("/accounts/<uuid:account_id>/audit")
def account_audit(account_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        return _trail_page(
            audit.trail(uow, subject.scope, after=_after(), limit=PAGE + 1),
            lambda **query: url_for("ops.account_audit", account_id=account_id, **query),
            subject,
        )


@blueprint.get("/audit")
def house_audit() -> str:
    """What concerns no account: plans, staff, their tokens."""
    with runtime.current().units.read() as uow:
        return _trail_page(
            audit.trail(uow, None, after=_after(), limit=PAGE + 1),
            lambda **query: url_for("ops.house_audit", **query),
            None,
        )


@blueprint.post("/accounts/<uuid:account_id>/plan")
def change_plan(account_id: UUID) -> str | Response:
    """Two steps: what would change, line by line; then the change, at once or from a day on."""
    code = request.form.get("plan", "")
    on = request.form.get("on", "")
    with runtime.current().units.begin() as uow:
        subject = account_of(uow, account_id)
        wanted = plans.get_plan(uow, code)
        confirmed = request.form.get("confirmed") == wanted.id.hex
        if confirmed and on:
            try:
                at = periods.instant(periods.day(on, "/on"))
                change = plan_changes.request(uow, subject.scope, code, staff().name)
                plan_changes.schedule(uow, subject.scope, change.id, at, staff().name)
            except (Conflict, Invalid) as refusal:
                flash(refusal.words, "error")
            else:
                flash(_("The plan changes on %(day)s.") % {"day": on})
            return redirect(url_for("ops.account", account_id=account_id))
        if confirmed:
            moved = accounts.update_account(uow, subject.scope, {"plan_code": code}, staff().name)
            flash(
                _("%(name)s is on %(plan)s, version %(version)s.")
                % {"name": moved.name, "plan": moved.plan_name, "version": moved.plan_version}
            )
            return redirect(url_for("ops.account", account_id=account_id))
        current = plans.plan_version(uow.connection, subject.plan_version_id)
    return render_template(
        "ops/plan_change.html",
        section="accounts",
        subject=subject,
        current=current,
        wanted=wanted,
        changes=list(compare(current.document, wanted.document)),
    )


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[DiffLine]:
    """Two documents line by line: what changed, with three lines around it."""
    before, after = as_lines(old), as_lines(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(CONTEXT)):
        if number:
            yield DiffLine("same", "…")
        for kind, first, last, first_new, last_new in group:
            if kind == "equal":
                yield from (DiffLine("same", line) for line in before[first:last])
            else:
                yield from (DiffLine("removed", line) for line in before[first:last])
                yield from (DiffLine("added", line) for line in after[first_new:last_new])


def as_lines(value: object, indent: str = "") -> list[str]:
    """JSON for people: what fits on a line stays on one, so that a price list reads as a list."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= LINE_LENGTH or not isinstance(value, dict | list) or not value:
        return [indent + flat]
    deeper = indent + "  "
    if isinstance(value, list):
        parts = [as_lines(item, deeper) for item in value]
        brackets = "[]"
    else:
        brackets = "{}"
        parts = []
        for key, item in value.items():
            name = f"{deeper}{json.dumps(key, ensure_ascii=False)}: "
            first, *rest = as_lines(item, deeper)
            parts.append([name + first.removeprefix(deeper), *rest])
    for part in parts[:-1]:
        part[-1] += ","
    return [indent + brackets[0], *(line for part in parts for line in part), indent + brackets[1]]


def _after() -> UUID | None:
    after = request.args.get("after")
    return pages.decode_cursor(after, pages.uuid_of) if after else None


def _trail_page(lines: Any, url: Any, subject: accounts.Account | None) -> str:
    page = pages.cut(lines, PAGE, lambda line: pages.encode_cursor(line.id))
    return render_template(
        "ops/audit.html",
        section="audit" if subject is None else "accounts",
        subject=subject,
        page=page,
        next_url=url(after=page.next) if page.next else None,
        first_url=url() if request.args.get("after") else None,
    )
