"""The statement: every line that moved an account's wallet, and why. Reads only."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing.explain import Explanation, ReceiptRef, explain_entry
from billing.explain import explain as billing_explain
from billing.explain_minutes import explain_surcharge, with_surcharge
from billing.message_postings import message_sid_of
from billing.metering import LegStatus, LegUsage
from billing.postings import SECONDS, Posting, PostingKind, charge_keys, wallet
from billing.rating import rate_leg
from billing.surcharges import rate_surcharge
from gateway.services import drawn_legs, entry_rules, included_credit, message_log, plans
from gateway.services.accounts import Account
from gateway.services.errors import NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    decode_cursor,
    encode_cursor,
    number_of,
)
from gateway.services.plans import PlanVersion
from gateway.store import statement as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

_POSTING_ID = re.compile(r"([0-9a-f-]{36})-([0-9]{1,18})")


EXPLAINED_BY_SUM = (
    PostingKind.PLAN_CHANGE,
    PostingKind.ISSUE,
    PostingKind.INCLUDED_CREDIT,
    PostingKind.CREDIT_EXPIRY,
)
"""Lines whose `reason` is the sum behind the amount."""


FILTERS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "usage": ("usage",),
    "texts": ("sms",),
    "rental": ("rental", "access_fee", "plan_change"),
    "topup": ("topup", "refund"),
    "adjustment": ("adjustment", "reversal"),
    "minutes": ("package", "issue", "draw", "expire"),
    "included": ("included_credit", "credit_expiry"),
}
"""Kinds of lines that somebody looks for together; "" is every line."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`amount_micros` is signed as the wallet sees it: negative is a charge. Lines in the unit
    SECONDS are of a bucket, and count whole seconds."""

    id: str
    seq: int
    key: str
    at: dt.datetime
    kind: str
    amount_micros: int
    balance_after_micros: int
    unit: str
    description: str
    call_sid: str | None
    leg_sid: str | None
    plan_version_id: uuid.UUID | None
    rate_micros: int | None
    billed_seconds: int | None
    receipt_id: uuid.UUID | None
    reverses_key: str | None
    actor: str | None
    reason: str | None
    package: str | None = None
    """Whose minutes they are: an account may have several packages and bundles, each with a balance
    of its own. A pool is the only one, and not named."""

    @property
    def in_seconds(self) -> bool:
        return self.unit == SECONDS

    @property
    def because(self) -> str | None:
        """What somebody gave as the reason; the sum of a line that has one is for `explain`."""
        return None if self.kind in EXPLAINED_BY_SUM else self.reason


def posting_id(tenant_id: uuid.UUID, seq: int) -> str:
    return f"{tenant_id}-{seq}"


def list_postings(
    uow: UnitOfWork,
    scope: Scope,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    kinds: Collection[str] = (),
) -> Page[StatementLine]:
    """Newest first. With `kinds` the search goes in bounded stretches: follow `next`."""
    limit = clamp(limit)
    before_seq = decode_cursor(after, number_of) if after else None
    rows, gave_up_at = store.page(
        uow.connection, scope, before_seq=before_seq, limit=limit + 1, kinds=kinds
    )
    lines = _with_packages(uow, scope, [_line(row) for row in rows[:limit]])
    if len(rows) > limit:
        return Page(lines, encode_cursor(lines[-1].seq))
    return Page(lines, None if gave_up_at is None else encode_cursor(gave_up_at))


def filters_of(uow: UnitOfWork, account: Account, chosen: str) -> tuple[str, ...]:
    """Those that the plan in force or a line of the account is about; the chosen one always."""
    terms = plans.plan_version(uow.connection, account.plan_version_id).plan.terms
    minutes = terms.packages or terms.allowance or terms.topup.bundles or account.draws_minutes
    credit = terms.included.credit_micros or included_credit.was_ever_granted(uow, account.scope)
    hidden = {name for name, there in (("minutes", minutes), ("included", credit)) if not there}
    return tuple(name for name in FILTERS if name == chosen or name not in hidden)


def get_posting(uow: UnitOfWork, scope: Scope, id: str) -> StatementLine:
    row = store.one(uow.connection, scope, _seq_of(scope, id))
    if row is None:
        raise NotFound("posting", id)
    return _with_packages(uow, scope, [_line(row)])[0]


def get_by_key(uow: UnitOfWork, scope: Scope, key: str) -> StatementLine:
    """The line of an event, such as "topup:<id>"."""
    for row in store.by_keys(uow.connection, scope, (key,)):
        return _line(row)
    raise NotFound("posting", key)


def find_by_key(uow: UnitOfWork, scope: Scope, key: str | None) -> StatementLine | None:
    """None for no key, and for a line of another account."""
    found = get_by_keys(uow, scope, (key,)) if key else ()
    return found[0] if found else None


def get_by_keys(uow: UnitOfWork, scope: Scope, keys: Collection[str]) -> tuple[StatementLine, ...]:
    """The lines of these events, oldest first; an event without a line is left out."""
    return tuple(_line(row) for row in store.by_keys(uow.connection, scope, keys))


def explain(uow: UnitOfWork, scope: Scope, id: str) -> Explanation:
    """Why a line is what it is, from the meter and the plan version of that moment."""
    line = get_posting(uow, scope, id)
    if line.leg_sid is not None:
        found = _explain_of_leg(uow, scope, line)
        if found is not None:
            return found
    message_sid = message_sid_of(line.key)
    if message_sid is not None:
        told = message_log.explain_sid(uow, scope, message_sid)
        if told is not None:
            return told
    by_rule = entry_rules.explain(uow, scope, line)
    return by_rule or explain_entry(_posting(scope, line), currency=line.unit)


def explain_legs(
    uow: UnitOfWork, scope: Scope, charged_micros: Mapping[str, int | None]
) -> dict[str, Explanation]:
    """Why each leg costs what it was charged, and why others cost nothing: legs that nobody
    answered have no line on the statement. Legs that are not settled (None) are left out."""
    settled = {sid: micros for sid, micros in charged_micros.items() if micros is not None}
    drawn = _draws(uow, scope, settled)
    explained = {}
    for row in store.metered(uow.connection, scope, settled):
        version = plans.plan_version(uow.connection, row.plan_version_id)
        draws = drawn.get(row.leg_sid, [])
        usage_micros = settled[row.leg_sid] - (row.surcharge_micros or 0)
        lines = _explain_usage(uow, scope, row, version, draws, usage_micros)
        leg = drawn_legs.join(lines, len(draws)) if draws else lines[-1]
        if row.surcharge_micros is not None:
            on_top = _explain_surcharge(row, version, row.surcharge_micros)
            leg = leg if on_top is None else with_surcharge(leg, on_top)
        explained[row.leg_sid] = leg
    return explained


def _explain_of_leg(uow: UnitOfWork, scope: Scope, line: StatementLine) -> Explanation | None:
    """One line of a leg: minutes of a bucket, money for its time, or the surcharge. A line of
    money may have been priced anew since, so that its own version and amount count."""
    assert line.leg_sid is not None
    rows = store.metered(uow.connection, scope, (line.leg_sid,))
    if not rows or line.plan_version_id is None:
        return None
    (row,) = rows
    version = plans.plan_version(uow.connection, line.plan_version_id)
    match line.kind:
        case PostingKind.SURCHARGE:
            return _explain_surcharge(row, version, -line.amount_micros)
        case PostingKind.USAGE:
            draws = _draws(uow, scope, (line.leg_sid,)).get(line.leg_sid, [])
            return _explain_usage(uow, scope, row, version, draws, -line.amount_micros)[-1]
        case PostingKind.DRAW:
            draws = _draws(uow, scope, (line.leg_sid,)).get(line.leg_sid, [])
            keys = [drawn.key for drawn in draws]
            if line.key not in keys:
                return None
            # What the leg cost in money stands on its row, as the version that stands prices it.
            version = plans.plan_version(uow.connection, row.plan_version_id)
            usage_micros = row.charge_micros - (row.surcharge_micros or 0)
            lines = _explain_usage(uow, scope, row, version, draws, usage_micros)
            return lines[keys.index(line.key)]
    return None


def _draws(
    uow: UnitOfWork, scope: Scope, leg_sids: Iterable[str]
) -> dict[str, list[StatementLine]]:
    """The minutes that legs drew, in the order of their lines; legs that drew none are left out."""
    drawn: dict[str, list[StatementLine]] = {}
    keys = store.draw_keys(uow.connection, scope, list(leg_sids))
    for row in store.by_keys(uow.connection, scope, keys):
        drawn.setdefault(row.leg_sid, []).append(_line(row))
    return drawn


def _explain_usage(
    uow: UnitOfWork,
    scope: Scope,
    row: Any,
    version: PlanVersion,
    draws: Sequence[StatementLine],
    charged_micros: int,
) -> tuple[Explanation, ...]:
    """A leg's lines: the minutes that it drew, then the money for its time."""
    usage = _usage_of(row)
    rated = rate_leg(usage, version.plan.tariff)
    if draws:
        seconds = {_bucket_of(draw): -draw.amount_micros for draw in draws}
        return drawn_legs.explain_lines(
            uow, scope, usage, rated, version, seconds, charged_micros, _receipts_of(row)
        )
    explained = billing_explain(
        usage,
        rated,
        version.plan.tariff,
        currency=version.plan.currency,
        plan_name=version.plan.name,
        plan_version=version.version,
        receipts=_receipts_of(row),
        forgiven_micros=rated.charge_micros - charged_micros,
    )
    return (explained,)


def _explain_surcharge(row: Any, version: PlanVersion, charged_micros: int) -> Explanation | None:
    rated = rate_surcharge(_usage_of(row), version.plan.tariff)
    if rated is None:
        return None
    return explain_surcharge(
        rated,
        version.plan,
        plan_version=version.version,
        receipts=_receipts_of(row),
        forgiven_micros=rated.charge_micros - charged_micros,
    )


def _usage_of(row: Any) -> LegUsage:
    """The leg as it was metered."""
    inbound = row.kind == "inbound"
    return LegUsage(
        kind=row.kind,
        status=LegStatus(row.status),
        talk_seconds=row.talk_seconds,
        ring_seconds=row.ring_seconds,
        bridged_seconds=int(row.bridged_seconds),
        number_country=row.country,
        number_type=row.number_type,
        target_kind=None if inbound else row.target_kind,
        target_address="" if inbound else row.to_address,
    )


def _receipts_of(row: Any) -> tuple[ReceiptRef, ...]:
    if row.received_at is None:
        return ()
    return (ReceiptRef(row.event or "received", row.received_at),)


def _bucket_of(line: StatementLine) -> uuid.UUID:
    """Named last in the key of each line of minutes."""
    return uuid.UUID(line.key.rpartition(":")[2])


def _with_packages(
    uow: UnitOfWork, scope: Scope, lines: Sequence[StatementLine]
) -> tuple[StatementLine, ...]:
    buckets = {line.id: _bucket_of(line) for line in lines if line.in_seconds}
    names = drawn_legs.names_of_bought(uow, scope, set(buckets.values())) if buckets else {}
    return tuple(
        replace(line, package=names[buckets[line.id]]) if buckets.get(line.id) in names else line
        for line in lines
    )


def of_legs(uow: UnitOfWork, scope: Scope, leg_sids: Iterable[str]) -> tuple[StatementLine, ...]:
    """What these legs drew and were charged, found by key: postings have no index by call."""
    sids = list(leg_sids)
    keys = store.draw_keys(uow.connection, scope, sids)
    keys += [key for leg in sids for key in charge_keys(leg)]
    rows = store.by_keys(uow.connection, scope, keys)
    return _with_packages(uow, scope, [_line(row) for row in rows])


def _line(row: Any) -> StatementLine:
    return StatementLine(
        id=posting_id(row.tenant_id, row.seq),
        seq=row.seq,
        key=row.key,
        at=row.at,
        kind=row.kind,
        amount_micros=-row.amount_micros if row.takes else row.amount_micros,
        balance_after_micros=row.balance_after_micros,
        unit=row.unit,
        description=row.description,
        call_sid=row.call_sid,
        leg_sid=row.leg_sid,
        plan_version_id=row.plan_version_id,
        rate_micros=row.rate_micros,
        billed_seconds=row.billed_seconds,
        receipt_id=row.receipt_id,
        reverses_key=row.reverses_key,
        actor=row.actor,
        reason=row.reason,
    )


def _posting(scope: Scope, line: StatementLine) -> Posting:
    """The line as the rules know it; the wallet side is all that a statement shows."""
    mine, other = wallet(scope.account_id), "house"
    charges = line.amount_micros < 0
    return Posting(
        key=line.key,
        kind=PostingKind(line.kind),
        debit=mine if charges else other,
        credit=other if charges else mine,
        amount=abs(line.amount_micros),
        at=line.at,
        account_id=scope.account_id,
        unit=line.unit,
        description=line.description,
        reverses_key=line.reverses_key,
        actor=line.actor,
        reason=line.reason,
    )


def _seq_of(scope: Scope, id: str) -> int:
    """The chain number in a public id of this tenant."""
    match = _POSTING_ID.fullmatch(id)
    if match is None or match.group(1) != str(scope.tenant_id):
        raise NotFound("posting", id)
    return int(match.group(2))
