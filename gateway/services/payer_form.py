"""The fields by which staff and agencies choose who pays: read, shown, confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.services import accounts, memberships, payer_preview
from gateway.services.errors import Conflict, Forbidden, Invalid
from gateway.services.memberships import Billing
from gateway.services.payer_preview import PayerPreview
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

FIELDS = ("billing", "first_on", "last_on")


@dataclass(frozen=True, slots=True)
class Asked:
    """`seen` where a choice was made and holds, else what is wrong, by field; `refusal` where it
    is no field's fault, with the cure."""

    typed: Mapping[str, str]
    seen: PayerPreview | None = None
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    refusal: str = ""

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return 422 if self.errors else 409 if self.refusal else 200


@dataclass(frozen=True, slots=True)
class _Choice:
    billing: Billing
    first_on: dt.date | None
    last_on: dt.date | None


def asked(
    uow: UnitOfWork, scope: Scope, form: Mapping[str, str], *, may_begin_now: bool = True
) -> Asked:
    typed = _typed(form)
    if not typed["billing"]:
        return Asked(typed)
    try:
        choice = _read(uow, scope, typed, may_begin_now=may_begin_now)
        seen = payer_preview.preview(
            uow, scope, choice.billing, first_on=choice.first_on, last_on=choice.last_on
        )
    except Invalid as invalid:
        errors: dict[str, list[str]] = {}
        for error in invalid.errors:
            errors.setdefault(error.path.removeprefix("/"), []).append(error.message)
        return Asked(typed, errors=errors)
    except Conflict as conflict:
        return Asked(typed, refusal=conflict.words)
    return Asked(typed, seen)


def confirmed(
    uow: UnitOfWork,
    scope: Scope,
    form: Mapping[str, str],
    actor: str,
    *,
    may_begin_now: bool = True,
) -> None:
    typed = _typed(form)
    choice = _read(uow, scope, typed, may_begin_now=may_begin_now)
    memberships.schedule(
        uow,
        scope,
        choice.billing,
        first_on=choice.first_on,
        last_on=choice.last_on,
        actor=actor,
    )


def check_first_day(
    uow: UnitOfWork, scope: Scope, billing: Billing, first_on: dt.date | None
) -> None:
    """An agency plans days to come; what begins at once is staff's."""
    if first_on is None and accounts.get_account(uow, scope).billing != billing:
        raise Forbidden("Only staff may change who pays at once: name a first day.")


def _typed(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form.get(name, "").replace("\0", "").strip() for name in FIELDS}


def _read(
    uow: UnitOfWork, scope: Scope, typed: Mapping[str, str], *, may_begin_now: bool
) -> _Choice:
    if typed["billing"] not in ("own", "agency_shared"):
        raise Invalid.at("/billing", "choose who pays")
    billing: Billing = "agency_shared" if typed["billing"] == "agency_shared" else "own"
    first_on, last_on = _day(typed, "first_on"), _day(typed, "last_on")
    if not may_begin_now:
        try:
            check_first_day(uow, scope, billing, first_on)
        except Forbidden:
            raise Invalid.at("/first_on", "choose tomorrow or a later day") from None
    return _Choice(billing, first_on, last_on)


def _day(typed: Mapping[str, str], name: str) -> dt.date | None:
    if not typed[name]:
        return None
    try:
        return dt.date.fromisoformat(typed[name])
    except ValueError:
        raise Invalid.at(f"/{name}", "write a day, such as 2026-12-31") from None
