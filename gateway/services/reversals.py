"""A line that was wrong is undone by another line: one deed, with a reason, never an edit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from billing.credits import vat_key
from billing.ledger import PostingKind, reverse
from billing.money import format_amount
from billing.postings import Posting, reversal_key, wallet
from gateway.services import audit, statement
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books, books
from gateway.services.statement import StatementLine
from gateway.store import ledger, refunds
from gateway.store import reversals as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

REASON_LENGTH_MAX = 200
AT_ONCE_MAX = 500
REVERSIBLE = frozenset(PostingKind) - {
    PostingKind.REVERSAL,
    PostingKind.CARRIER_COST,
    PostingKind.PACKAGE,
    PostingKind.ISSUE,
    PostingKind.DRAW,
    PostingKind.EXPIRE,
    PostingKind.INCLUDED_CREDIT,
    PostingKind.CREDIT_EXPIRY,
    PostingKind.REFUND,
}
"""What moved the customer's own money. Minutes are corrected by an adjustment, and so is what was
paid for them: a reversal would give the price back and leave the minutes (S1-15). So is credit
that the access fee includes: what of it is left follows from its grants. What a refund gave back
is at the card."""


def reverse_posting(
    uow: UnitOfWork, scope: Scope, posting_id: str, *, reason: str, actor: str
) -> StatementLine:
    """Give back what a line took, or take back what it gave; a second time answers the first."""
    return reverse_postings(uow, scope, (posting_id,), reason=reason, actor=actor)[0]


def reverse_postings(
    uow: UnitOfWork, scope: Scope, posting_ids: Sequence[str], *, reason: str, actor: str
) -> tuple[StatementLine, ...]:
    """All of them or none, in one transaction; the reversals in the order asked for."""
    check_reason(reason)
    if not 1 <= len(posting_ids) <= AT_ONCE_MAX:
        raise Invalid.at("/ids", f"choose 1 to {AT_ONCE_MAX} lines")
    lines = [statement.get_posting(uow, scope, id) for id in dict.fromkeys(posting_ids)]
    for line in lines:
        _check(line)
        _check_refunds(uow, scope, line)
    with books(uow, scope) as opened:
        done = ledger.keys_taken(
            uow.connection, scope.tenant_id, [reversal_key(line.key) for line in lines]
        )
        for line in lines:
            if reversal_key(line.key) not in done:
                _post(uow, opened, line, reason.strip(), actor)
    return tuple(statement.get_by_key(uow, scope, reversal_key(line.key)) for line in lines)


def post_reversal(
    uow: UnitOfWork, opened: Books, original: Posting, *, reason: str, actor: str
) -> Posting:
    """The line that undoes another one of the account, of its wallet or of its tax, into its open
    books; with a credit goes the tax that came in beside it."""
    owned = wallet(opened.scope.account_id)
    undone = opened.post(
        lambda balance: reverse(
            original,
            key=reversal_key(original.key),
            reason=reason,
            actor=actor,
            at=uow.now,
            balance_after=None if original.owned is None else balance - original.signed_for(owned),
        )
    )
    if original.kind == PostingKind.TOPUP:
        tax = ledger.find_posting(uow.connection, opened.scope.tenant_id, vat_key(original.key))
        if tax is not None:
            post_reversal(uow, opened, tax, reason=reason, actor=actor)
    return undone


def look_alikes(uow: UnitOfWork, scope: Scope, posting_id: str) -> tuple[StatementLine, ...]:
    """Other charges of the same mistake, probably: same kind, same price of the same plan version
    and, for a call, the same number and far end; not undone yet, newest first (M14)."""
    line = statement.get_posting(uow, scope, posting_id)
    if line.kind not in REVERSIBLE:
        return ()
    keys = store.look_alike_keys(uow.connection, scope, line.seq, limit=AT_ONCE_MAX)
    return tuple(reversed(statement.get_by_keys(uow, scope, keys)))


def reversal_of(uow: UnitOfWork, scope: Scope, line: StatementLine) -> StatementLine | None:
    """The line that undid this one."""
    try:
        return statement.get_by_key(uow, scope, reversal_key(line.key))
    except NotFound:
        return None


def check_reason(reason: str) -> None:
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid.at(
            "/reason", f"say why, in at most {REASON_LENGTH_MAX} characters: customers read it"
        )


def _check(line: StatementLine) -> None:
    if line.kind == PostingKind.REVERSAL:
        raise Conflict("This line undoes another one: post an adjustment instead.")
    if line.kind == PostingKind.PACKAGE:
        raise Conflict("This line bought minutes, which stay: post an adjustment instead.")
    if line.kind in (PostingKind.INCLUDED_CREDIT, PostingKind.CREDIT_EXPIRY):
        raise Conflict("This line moved included credit: post an adjustment instead.")
    if line.kind == PostingKind.REFUND:
        raise Conflict("This line gave money back to a card: post an adjustment instead.")
    if line.kind not in REVERSIBLE:
        raise Conflict("This line moved minutes, not money: post an adjustment instead.")


def _check_refunds(uow: UnitOfWork, scope: Scope, line: StatementLine) -> None:
    """A payment of which a part went back to its card is not undone as a whole."""
    if line.kind != PostingKind.TOPUP:
        return
    if refunds.given_back(uow.connection, scope, uuid.UUID(line.key.split(":")[1])).net_micros:
        raise Conflict("Money of this payment was refunded: post an adjustment for the rest.")


def _post(uow: UnitOfWork, opened: Books, line: StatementLine, reason: str, actor: str) -> None:
    scope = opened.scope
    original = ledger.find_posting(uow.connection, scope.tenant_id, line.key)
    assert original is not None, "a line of the statement is a posting"
    post_reversal(uow, opened, original, reason=reason, actor=actor)
    audit.note(
        uow,
        scope,
        actor,
        "posting.reversed",
        line.id,
        key=line.key,
        amount=format_amount(-line.amount_micros),
        reason=reason,
    )
