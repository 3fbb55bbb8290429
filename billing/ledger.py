"""The chain of a tenant's postings: how a line is hashed, and how a whole ledger is proven."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from billing.postings import (
    AccountKind,
    AlreadyAReversal,
    Posting,
    PostingKind,
    adjustment_posting,
    cost_key,
    cost_posting,
    rental_posting,
    reverse,
    topup_posting,
    usage_key,
    usage_posting,
    wallet,
)

__all__ = [
    "GENESIS",
    "AccountKind",
    "AlreadyAReversal",
    "ChainFault",
    "ChainReport",
    "ChainRow",
    "FaultKind",
    "Posting",
    "PostingKind",
    "adjustment_posting",
    "chain_bytes",
    "chain_hash",
    "cost_key",
    "cost_posting",
    "fingerprint",
    "rental_posting",
    "reverse",
    "topup_posting",
    "usage_key",
    "usage_posting",
    "verify_chain",
    "wallet",
]

GENESIS = bytes(32)
"""What the first line of a tenant carries as the hash of its predecessor."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chain_bytes(prev_hash: bytes, seq: int, posting: Posting) -> bytes:
    """The line as bytes that can be read back in one way only.

    Lines of UTF-8 in a fixed order. Text stands as "<characters>:<text>", so that no text can
    imitate a line end; an absent value is "-"; ids are bare hex; the instant is whole
    microseconds since 1970 UTC, so that a session's time zone does not matter.
    """
    (key, kind, debit, credit, amount, at, account_id, unit, description, balance_after, call_sid,
     leg_sid, version, rate, billed, receipt, reverses_key, actor, reason) = posting  # fmt: skip
    since = at - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (
        f"ringledger/1\n{prev_hash.hex()}\n{seq}\n"
        f"{len(key)}:{key}\n{len(kind)}:{kind}\n"
        f"{len(debit)}:{debit}\n{len(credit)}:{credit}\n"
        f"{len(unit)}:{unit}\n{amount}\n{micros}\n{account_id.int:032x}\n"
        f"{len(description)}:{description}\n"
        f"{'-' if balance_after is None else balance_after}\n"
        f"{'-' if call_sid is None else f'{len(call_sid)}:{call_sid}'}\n"
        f"{'-' if leg_sid is None else f'{len(leg_sid)}:{leg_sid}'}\n"
        f"{'-' if version is None else f'{version.int:032x}'}\n"
        f"{'-' if rate is None else rate}\n"
        f"{'-' if billed is None else billed}\n"
        f"{'-' if receipt is None else f'{receipt.int:032x}'}\n"
        f"{'-' if reverses_key is None else f'{len(reverses_key)}:{reverses_key}'}\n"
        f"{'-' if actor is None else f'{len(actor)}:{actor}'}\n"
        f"{'-' if reason is None else f'{len(reason)}:{reason}'}\n"
    ).encode()


def chain_hash(prev_hash: bytes, seq: int, posting: Posting) -> bytes:
    """SHA-256 of the line, its number and its predecessor's hash.

    Every line passes here before it is stored, so nothing impossible gets a place in the chain.
    """
    assert posting.amount > 0, "a posting moves a positive amount"
    assert posting.debit != posting.credit, "a posting moves between two accounts"
    return sha256(chain_bytes(prev_hash, seq, posting)).digest()


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A posting as it stands in the chain; `seq` counts from 1 within a tenant."""

    seq: int
    prev_hash: bytes
    hash: bytes
    posting: Posting


class FaultKind(StrEnum):
    MISSING = "missing"
    UNLINKED = "unlinked"
    ALTERED = "altered"
    WRONG_BALANCE_AFTER = "wrong_balance_after"
    WRONG_HEAD = "wrong_head"
    WRONG_BALANCE = "wrong_balance"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first thing that does not hold; `seq` is None when no single line is to blame."""

    kind: FaultKind
    seq: int | None
    words: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along the chain found; balances are by (ledger account, unit)."""

    lines: int
    head: bytes
    balances: Mapping[tuple[str, str], int]
    fault: ChainFault | None

    @property
    def ok(self) -> bool:
        return self.fault is None


def verify_chain(
    rows: Iterable[ChainRow],
    *,
    cached_balances: Mapping[tuple[str, str], int] | None = None,
    head: tuple[int, bytes] | None = None,
) -> ChainReport:
    """Walk a tenant's whole ledger in order and stop at the first line that does not hold.

    `cached_balances` are the stored balances by (ledger account, unit); `head` is the number
    and hash of the last line as the tenant's own row remembers it, without which lines cut
    off at the end cannot be noticed. Memory does not grow with the number of lines.
    """
    balances: dict[tuple[str, str], int] = {}
    lines, previous = 0, GENESIS
    for row in rows:
        fault = _fault_of(row, lines + 1, previous)
        if fault is None:
            _move(balances, row.posting)
            fault = _balance_fault(row, balances)
        if fault is not None:
            return ChainReport(lines, previous, balances, fault)
        lines, previous = row.seq, row.hash
    fault = _head_fault(lines, previous, head) or _cache_fault(balances, cached_balances)
    return ChainReport(lines, previous, balances, fault)


def _fault_of(row: ChainRow, expected: int, previous: bytes) -> ChainFault | None:
    if row.seq != expected:
        words = f"line {expected} is missing: the next one found is {row.seq}"
        return ChainFault(FaultKind.MISSING, expected, words)
    if row.prev_hash != previous:
        words = f"line {row.seq} does not point at the line before it"
        return ChainFault(FaultKind.UNLINKED, row.seq, words)
    if row.hash != chain_hash(previous, row.seq, row.posting):
        words = f"line {row.seq} ({row.posting.key}) was altered after it was written"
        return ChainFault(FaultKind.ALTERED, row.seq, words)
    return None


def _move(balances: dict[tuple[str, str], int], posting: Posting) -> None:
    debit, credit = (posting.debit, posting.unit), (posting.credit, posting.unit)
    balances[debit] = balances.get(debit, 0) - posting.amount
    balances[credit] = balances.get(credit, 0) + posting.amount


def _balance_fault(row: ChainRow, balances: Mapping[tuple[str, str], int]) -> ChainFault | None:
    owned = row.posting.owned
    stands = None if owned is None else balances[owned, row.posting.unit]
    if row.posting.balance_after == stands:
        return None
    words = f"line {row.seq} says that {row.posting.balance_after} was left; it was {stands}"
    return ChainFault(FaultKind.WRONG_BALANCE_AFTER, row.seq, words)


def _head_fault(lines: int, last: bytes, head: tuple[int, bytes] | None) -> ChainFault | None:
    if head is None or head == (lines, last):
        return None
    if head[0] > lines:
        words = f"line {lines + 1} is missing: {head[0]} lines were written, {lines} are left"
        return ChainFault(FaultKind.MISSING, lines + 1, words)
    words = f"the last line remembered is {head[0]}; the ledger ends with another, {lines}"
    return ChainFault(FaultKind.WRONG_HEAD, lines, words)


def _cache_fault(
    balances: Mapping[tuple[str, str], int],
    cached: Mapping[tuple[str, str], int] | None,
) -> ChainFault | None:
    if cached is None:
        return None
    for account, unit in sorted({*balances, *cached}):
        entries = balances.get((account, unit), 0)
        stored = cached.get((account, unit), 0)
        if entries != stored:
            words = f"{account} ({unit}) is stored as {stored}, but its entries sum to {entries}"
            return ChainFault(FaultKind.WRONG_BALANCE, None, words)
    return None


def fingerprint(postings: Iterable[Posting]) -> str:
    """One digest of what was charged, whatever the order and the moment it was posted.

    Two replays of the same calls agree on it. Order numbers, hashes, instants, receipts,
    running balances and words are left out.
    """
    lines = sorted(
        repr(
            (
                posting.key,
                str(posting.kind),
                posting.debit,
                posting.credit,
                posting.unit,
                posting.amount,
                posting.account_id.hex,
                posting.call_sid,
                posting.leg_sid,
                posting.rate_micros,
                posting.billed_seconds,
                posting.reverses_key,
            )
        )
        for posting in postings
    )
    return sha256("\n".join(lines).encode()).hexdigest()
