"""Sums over an account's credits and charges, by stretches of the chain."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, text

from billing.postings import wallet
from gateway.store.base import Scope


def credited_behind(*, tenant_id: str, account_id: str, wallet: str, seq: str) -> str:
    """SQL, made of SQL, for the sum of what `billing.statements` calls a credit: money in, its
    reversal and its refund. Served by `ix_posting_credit`: few lines, however many calls lie
    between them."""
    return f"""
(select coalesce(sum(case when p.credit = {wallet} then p.amount_micros
                          else - p.amount_micros end), 0)::bigint
   from posting as p
  where p.tenant_id = {tenant_id} and p.account_id = {account_id} and p.seq > {seq}
    and p.kind in ('topup','adjustment','reversal','refund')
    and (p.credit = {wallet} or (p.debit = {wallet} and p.kind in ('reversal','refund'))))"""


_BEHIND = credited_behind(
    tenant_id=":tenant_id", account_id=":account_id", wallet=":wallet", seq="s.seq"
)
_SINCE = text(
    f"""
select {_BEHIND}
  from unnest(cast(:seqs as bigint[])) with ordinality as s(seq, n) order by s.n
"""
)


def credited_since(connection: Connection, scope: Scope, seqs: Sequence[int]) -> list[int]:
    """What was credited to the wallet behind each of these places, less what was taken back.
    A corrected charge counts as well: it, too, lessens what is owed."""
    if not seqs:
        return []
    return list(
        connection.scalars(
            _SINCE,
            {
                "tenant_id": scope.tenant_id,
                "account_id": scope.account_id,
                "wallet": wallet(scope.account_id),
                "seqs": list(seqs),
            },
        )
    )


_CHARGED = text(
    """
select coalesce(sum(case when p.debit = :wallet then p.amount_micros
                         else - p.amount_micros end), 0)::bigint
  from posting as p
 where p.tenant_id = :tenant_id and p.account_id = :account_id
   and p.balance_after_micros is not null and p.seq > :after and p.seq <= :last
   and ((p.kind = 'reversal' and (p.debit = :wallet or p.credit = :wallet)
         and p.reverses_key not like 'topup:%' and p.reverses_key not like 'adjust:%'
         and p.reverses_key not like 'refund:%')
        or (p.kind not in ('reversal','credit_expiry','refund') and p.debit = :wallet))
"""
)


def charged_between(connection: Connection, scope: Scope, *, after_seq: int, last_seq: int) -> int:
    """What the account used: its charges less their corrections, as a statement counts them."""
    found: int = connection.execute(
        _CHARGED,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "wallet": wallet(scope.account_id),
            "after": after_seq,
            "last": last_seq,
        },
    ).scalar_one()
    return found


_HEAD = text("select seq from chain_head where tenant_id = :tenant_id")


def head_seq(connection: Connection, tenant_id: uuid.UUID) -> int:
    found: int = connection.execute(_HEAD, {"tenant_id": tenant_id}).scalar_one()
    return found
