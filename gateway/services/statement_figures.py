"""What the ledger says of a period: the figures of a statement, issued or not.

They are those of the lines between two ends of the tenant's chain, read without any lock, because
what the chain has once is never changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from billing.calendar import Period, local_date
from billing.postings import Posting, wallet
from billing.shares import client_shares
from billing.statements import (
    Statement,
    statement_of,
)
from gateway.services import included_credit, plans
from gateway.services.errors import NotFound
from gateway.services.plans import PlanVersion
from gateway.store import clients as shared
from gateway.store import looks, statement_lines
from gateway.store import statements as store
from gateway.store.base import Scope
from gateway.store.clients import Share
from gateway.store.looks import BilledAccount
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork

# Lines carry the instant at which their transaction began; none takes longer than a minute.
ISSUED_AFTER = dt.timedelta(minutes=5)


def figures_of(
    uow: UnitOfWork,
    account: BilledAccount,
    version: PlanVersion,
    period: Period,
    last: StoredStatement | None,
    after_seq: int,
    last_seq: int,
) -> Statement:
    """Of the lines behind `after_seq`, to `last_seq`; `last` is the statement before."""
    numbers: dict[str, str | None] = {}

    def stream() -> Iterator[Posting]:
        for line in statement_lines.lines(
            uow.connection, account.scope, after_seq=after_seq, last_seq=last_seq
        ):
            numbers.clear()  # one line at a time: memory does not grow with them
            numbers[line.posting.key] = line.number
            yield line.posting

    included = included_credit.between(uow, account.scope, after_seq=after_seq, last_seq=last_seq)
    return statement_of(
        stream(),
        ledger_account=wallet(account.id),
        number_of=lambda posting: numbers[posting.key],
        mode=version.plan.mode,
        currency=account.currency,
        period=period,
        opening_micros=last.closing_micros if last else 0,
        included=included,
    )


def shares_of(figures: Statement, clients: list[Share]) -> list[dict[str, Any]]:
    """An agency's charges by client, summing to them to the micro (M13); its own part is first.
    What nobody caused alone (packages, the agency's access) is shared by the seconds that each
    drew."""
    if len(clients) < 2:
        return []
    shared = figures.charges_micros - sum(client.own_micros for client in clients)
    shares = client_shares(
        shared,
        {client.account_id: client.own_micros for client in clients},
        {client.account_id: client.used_seconds for client in clients},
    )
    return [
        {
            "account_id": str(client.account_id),
            "name": client.name,
            "own_micros": shares[client.account_id].own_micros,
            "shared_micros": shares[client.account_id].shared_micros,
            "used_seconds": client.used_seconds,
            "total_micros": shares[client.account_id].total_micros,
        }
        for client in clients
    ]


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the next statement will say, as it stands now: since the last one, up to a line."""

    since: dt.datetime
    after_seq: int
    last_seq: int
    figures: Statement
    shares: list[dict[str, Any]]


def so_far(uow: UnitOfWork, scope: Scope) -> SoFar:
    """Nothing is issued, and nothing is promised: corrections may follow."""
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    last = store.last_of(uow.connection, scope)
    since = last.ends_at if last else account.created_at
    today = local_date(uow.now, account.time_zone)
    period = Period(0, local_date(since, account.time_zone), today, since, uow.now)
    after_seq = last.last_seq if last else 0
    last_seq = statement_lines.last_seq_before(
        uow.connection, scope, after_seq=after_seq, ends_at=uow.now + ISSUED_AFTER
    )
    figures = figures_of(uow, account, version, period, last, after_seq, last_seq)
    clients = shared.shares(uow.connection, scope, after_seq=after_seq, last_seq=last_seq)
    return SoFar(since, after_seq, last_seq, figures, shares_of(figures, clients))
