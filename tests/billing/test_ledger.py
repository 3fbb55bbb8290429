from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.ledger import (
    GENESIS,
    AlreadyAReversal,
    ChainRow,
    FaultKind,
    Posting,
    PostingKind,
    adjustment_posting,
    chain_bytes,
    chain_hash,
    cost_posting,
    fingerprint,
    rental_posting,
    reverse,
    topup_posting,
    usage_posting,
    verify_chain,
    wallet,
)
from billing.metering import LegStatus, LegUsage
from billing.rating import carrier_cost, rate_leg
from tests.billing.plans import catalogue_plan

ACME = UUID(int=0xACE)
PLAN_VERSION = UUID(int=0x91A)
RECEIPT = UUID(int=0x5EC)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAYG = catalogue_plan("payg").tariff
COST = catalogue_plan("carrier_cost").tariff


def leg(seconds: int) -> LegUsage:
    return LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        number_country="US",
        number_type="local",
    )


def topup(amount: int, balance_before: int = 0, number: int = 1) -> Posting:
    return topup_posting(
        UUID(int=number),
        amount=amount,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=balance_before,
        description="Manual top-up",
        actor="Olga",
        reason="invoice 7",
    )


def usage(seconds: int, balance_before: int, leg_sid: str = "CA01") -> Posting:
    rated = rate_leg(leg(seconds), PAYG)
    return usage_posting(
        leg(seconds),
        rated,
        amount=rated.charge_micros,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=balance_before,
        call_sid="CA01",
        leg_sid=leg_sid,
        plan_version_id=PLAN_VERSION,
        receipt_id=RECEIPT,
    )


def cost(seconds: int, leg_sid: str = "CA01") -> Posting:
    return cost_posting(
        carrier_cost(leg(seconds), COST),
        unit="USD",
        at=NOON,
        account_id=ACME,
        call_sid="CA01",
        leg_sid=leg_sid,
        plan_version_id=None,
        receipt_id=RECEIPT,
    )


def chained(postings: list[Posting]) -> list[ChainRow]:
    rows, previous = [], GENESIS
    for seq, posting in enumerate(postings, start=1):
        current = chain_hash(previous, seq, posting)
        rows.append(ChainRow(seq, previous, current, posting))
        previous = current
    return rows


def acmes_month(legs: int = 20) -> list[Posting]:
    """A top-up, then legs of growing length with their cost: a line of every common kind."""
    postings, balance = [topup(50_000_000)], 50_000_000
    for number in range(legs):
        charge = usage(10 + 7 * number, balance, leg_sid=f"CA{number:02d}")
        balance -= charge.amount
        postings += [charge, cost(10 + 7 * number, leg_sid=f"CA{number:02d}")]
    return postings


def test_s5_02_the_wallet_after_83_s_holds_49_930834() -> None:
    charge = usage(83, balance_before=50_000_000)
    assert charge.balance_after == 49_930_834
    assert charge.signed_for(wallet(ACME)) == -69_166
    assert (charge.key, charge.rate_micros, charge.billed_seconds) == ("usage:CA01:0", 50_000, 83)


def test_s2_09_the_balance_is_the_sum_of_its_postings_after_every_line() -> None:
    balance = 0
    for posting in acmes_month():
        balance += posting.signed_for(wallet(ACME))
        assert posting.balance_after in (balance, None)
    rent = rental_posting(
        UUID(int=7),
        0,
        amount=2_000_000,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=balance,
        description="Rent of +1 415 555 0101",
        plan_version_id=PLAN_VERSION,
    )
    assert rent.balance_after == balance - 2_000_000
    assert rent.signed_for(wallet(ACME)) == -2_000_000


def test_every_ledger_sums_to_zero_because_every_line_is_a_transfer() -> None:
    report = verify_chain(chained(acmes_month()))
    assert report.ok and report.lines == 41
    assert sum(report.balances.values()) == 0
    assert set(report.balances) == {
        (account, "USD")
        for account in (wallet(ACME), "cash", "revenue", "carrier_cost", "carrier_payable")
    }


@pytest.mark.parametrize(
    "amount, debit, credit, balance_after",
    [
        pytest.param(5_000_000, "adjustments", wallet(ACME), 6_000_000, id="C10 staff gives"),
        pytest.param(-5_000_000, wallet(ACME), "adjustments", -4_000_000, id="C10 staff takes"),
    ],
)
def test_an_adjustment_is_a_posting_with_reason_and_actor(
    amount: int, debit: str, credit: str, balance_after: int
) -> None:
    posting = adjustment_posting(
        UUID(int=3),
        amount=amount,
        unit="USD",
        at=NOON,
        account_id=ACME,
        balance_before=1_000_000,
        actor="Olga",
        reason="dropped calls on Monday",
    )
    assert (posting.debit, posting.credit, posting.amount) == (debit, credit, 5_000_000)
    assert posting.balance_after == balance_after
    assert (posting.actor, posting.reason) == ("Olga", "dropped calls on Monday")


def test_c10_a_reversal_undoes_a_line_and_points_at_it() -> None:
    charge = usage(83, balance_before=50_000_000)
    undo = reverse(
        charge, key="reverse:1", reason="test call", actor="Olga", at=NOON, balance_after=50_000_000
    )
    assert undo.signed_for(wallet(ACME)) == -charge.signed_for(wallet(ACME))
    assert (undo.kind, undo.reverses_key) == (PostingKind.REVERSAL, charge.key)
    assert verify_chain(chained([topup(50_000_000), charge, undo])).ok
    with pytest.raises(AlreadyAReversal, match="post an adjustment"):
        reverse(undo, key="reverse:2", reason="oops", actor="Olga", at=NOON, balance_after=0)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_posting_never_moves_nothing_or_less(amount: int) -> None:
    with pytest.raises(AssertionError, match="positive amount"):
        chained([topup(amount)])


CHANGES: dict[str, Any] = {
    "key": "usage:CA99:0",
    "kind": PostingKind.ADJUSTMENT,
    "debit": wallet(UUID(int=2)),
    "credit": "adjustments",
    "amount": 69_167,
    "at": NOON + timedelta(microseconds=1),
    "account_id": UUID(int=2),
    "unit": "EUR",
    "description": "Something else",
    "balance_after": 0,
    "call_sid": None,
    "leg_sid": "CA99",
    "plan_version_id": None,
    "rate_micros": 0,
    "billed_seconds": 84,
    "receipt_id": None,
    "reverses_key": "usage:CA00:0",
    "actor": "",
    "reason": "because",
}


@pytest.mark.parametrize("name", Posting._fields)
def test_no_field_of_a_line_can_be_altered_unnoticed(name: str) -> None:
    rows = chained([topup(50_000_000), usage(83, 50_000_000), cost(83)])
    forged = rows[1].posting._replace(**{name: CHANGES[name]})
    rows[1] = replace(rows[1], posting=forged)
    fault = verify_chain(rows).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == (FaultKind.ALTERED, 2)


def _swap(rows: list[ChainRow]) -> None:
    rows[4], rows[5] = rows[5], rows[4]


def _forge_and_rehash_one(rows: list[ChainRow]) -> None:
    row = rows[5]
    forged = row.posting._replace(description="Never mind")
    rows[5] = replace(row, posting=forged, hash=chain_hash(row.prev_hash, row.seq, forged))


def _renumber_after_a_deletion(rows: list[ChainRow]) -> None:
    del rows[5]
    rows[5:] = [replace(row, seq=row.seq - 1) for row in rows[5:]]


@pytest.mark.parametrize(
    "crime, kind, seq",
    [
        pytest.param(lambda rows: rows.pop(0), FaultKind.MISSING, 1, id="the first line gone"),
        pytest.param(lambda rows: rows.pop(5), FaultKind.MISSING, 6, id="a line gone"),
        pytest.param(_renumber_after_a_deletion, FaultKind.UNLINKED, 6, id="gone and renumbered"),
        pytest.param(_swap, FaultKind.MISSING, 5, id="two lines swapped"),
        pytest.param(
            lambda rows: rows.insert(5, rows[4]), FaultKind.MISSING, 6, id="a line told twice"
        ),
        pytest.param(_forge_and_rehash_one, FaultKind.UNLINKED, 7, id="forged and rehashed"),
        pytest.param(lambda rows: rows.pop(), FaultKind.MISSING, 41, id="the last line cut off"),
        pytest.param(lambda rows: rows.clear(), FaultKind.MISSING, 1, id="everything gone"),
    ],
)
def test_the_first_line_that_does_not_hold_is_named(crime: Any, kind: FaultKind, seq: int) -> None:
    rows = chained(acmes_month())
    head = rows[-1].seq, rows[-1].hash
    assert verify_chain(rows, head=head).ok
    crime(rows)
    fault = verify_chain(rows, head=head).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == (kind, seq)
    assert str(seq) in fault.words


def test_a_whole_rewritten_chain_is_noticed_by_the_remembered_head() -> None:
    head = chained(acmes_month())[-1]
    rewritten = chained([topup(1), topup(1, 1, number=2)])
    fault = verify_chain(rewritten, head=(2, head.hash)).fault
    assert fault is not None and fault.kind == FaultKind.WRONG_HEAD


def test_a_line_that_claims_another_balance_is_named_even_with_a_good_hash() -> None:
    wrong = usage(83, 50_000_000)._replace(balance_after=49_930_835)
    fault = verify_chain(chained([topup(50_000_000), wrong])).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == (FaultKind.WRONG_BALANCE_AFTER, 2)


@pytest.mark.parametrize(
    "changes, words",
    [
        pytest.param({(wallet(ACME), "USD"): 1}, "is stored as 1", id="a wallet"),
        pytest.param({("revenue", "USD"): 0}, "is stored as 0", id="a house account"),
        pytest.param({("tax", "USD"): 5}, "its entries sum to 0", id="one without entries"),
    ],
)
def test_a_stored_balance_that_is_not_its_entries_is_named(
    changes: dict[tuple[str, str], int], words: str
) -> None:
    rows = chained(acmes_month())
    stored = dict(verify_chain(rows).balances)
    assert verify_chain(rows, cached_balances=stored).ok
    fault = verify_chain(rows, cached_balances=stored | changes).fault
    assert fault is not None and fault.kind == FaultKind.WRONG_BALANCE
    assert words in fault.words


def test_an_empty_ledger_holds() -> None:
    report = verify_chain([], cached_balances={}, head=(0, GENESIS))
    assert report.ok and report.head == GENESIS


def test_a_lines_bytes_do_not_depend_on_the_time_zone_of_the_reader() -> None:
    tokyo = topup(1)._replace(at=NOON.astimezone(timezone(timedelta(hours=9))))
    assert chain_bytes(GENESIS, 1, tokyo) == chain_bytes(GENESIS, 1, topup(1))


def test_the_canonical_form_is_fixed_for_ever() -> None:
    assert chain_bytes(GENESIS, 2, usage(83, 50_000_000)).decode() == (
        "ringledger/1\n"
        f"{'0' * 64}\n"
        "2\n"
        "12:usage:CA01:0\n"
        "5:usage\n"
        f"39:wallet:{ACME.hex}\n"
        "7:revenue\n"
        "3:USD\n"
        "69166\n"
        "1772366400000000\n"
        f"{ACME.hex}\n"
        "11:Inbound leg\n"
        "49930834\n"
        "4:CA01\n"
        "4:CA01\n"
        f"{PLAN_VERSION.hex}\n"
        "50000\n"
        "83\n"
        f"{RECEIPT.hex}\n"
        "-\n-\n-\n"
    )


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["\n", "-", "1:a\n-"])
MAYBE_TEXTS = TEXTS | st.none()
POSTINGS = st.builds(
    Posting,
    key=TEXTS,
    kind=st.sampled_from(PostingKind),
    debit=st.sampled_from(["cash", wallet(ACME)]),
    credit=st.sampled_from(["revenue", "tax"]),
    amount=st.integers(1, 10**15),
    at=st.datetimes(timezones=st.just(UTC)),
    account_id=st.uuids(),
    unit=TEXTS,
    description=TEXTS,
    balance_after=st.integers(-(10**15), 10**15) | st.none(),
    call_sid=MAYBE_TEXTS,
    leg_sid=MAYBE_TEXTS,
    plan_version_id=st.uuids() | st.none(),
    rate_micros=st.integers(0, 10**9) | st.none(),
    billed_seconds=st.integers(0, 10**6) | st.none(),
    receipt_id=st.uuids() | st.none(),
    reverses_key=MAYBE_TEXTS,
    actor=MAYBE_TEXTS,
    reason=MAYBE_TEXTS,
)
TEXT_FIELDS = {4, 5, 6, 7, 8, 12, 14, 15, 20, 21, 22}
"""Places of the texts among the 22 lines of the canonical form, counted from 1."""


def read_back(canonical: str) -> list[str | None]:
    """An independent reader: proof that the bytes can be understood in one way only."""
    values: list[str | None] = []
    place = 0
    while canonical:
        place += 1
        head, _, rest = canonical.partition("\n")
        if place in TEXT_FIELDS and head != "-":
            size, _, _ = canonical.partition(":")
            start = len(size) + 1
            end = start + int(size)
            assert canonical[end] == "\n"
            values.append(canonical[start:end])
            canonical = canonical[end + 1 :]
        else:
            values.append(None if head == "-" else head)
            canonical = rest
    return values


@given(POSTINGS, st.integers(1, 10**9))
def test_a_lines_bytes_read_back_to_the_same_fields(posting: Posting, seq: int) -> None:
    p = posting
    since = p.at - datetime(1970, 1, 1, tzinfo=UTC)
    assert read_back(chain_bytes(GENESIS, seq, p).decode()) == [
        "ringledger/1",
        GENESIS.hex(),
        str(seq),
        p.key,
        p.kind,
        p.debit,
        p.credit,
        p.unit,
        str(p.amount),
        str(since // timedelta(microseconds=1)),
        p.account_id.hex,
        p.description,
        None if p.balance_after is None else str(p.balance_after),
        p.call_sid,
        p.leg_sid,
        p.plan_version_id and p.plan_version_id.hex,
        None if p.rate_micros is None else str(p.rate_micros),
        None if p.billed_seconds is None else str(p.billed_seconds),
        p.receipt_id and p.receipt_id.hex,
        p.reverses_key,
        p.actor,
        p.reason,
    ]


def test_the_fingerprint_of_a_month_ignores_order_and_arrival() -> None:
    month = acmes_month()
    later = [
        posting._replace(at=NOON + timedelta(days=1), receipt_id=None, balance_after=None)
        for posting in month
    ]
    Random(7).shuffle(later)
    assert fingerprint(later) == fingerprint(month)


@pytest.mark.parametrize(
    "name", ["key", "kind", "debit", "amount", "unit", "rate_micros", "billed_seconds", "leg_sid"]
)
def test_the_fingerprint_notices_any_other_charge(name: str) -> None:
    month = acmes_month()
    other = [*month[:3], month[3]._replace(**{name: CHANGES[name]}), *month[4:]]
    assert fingerprint(other) != fingerprint(month)


def test_the_fingerprint_notices_a_line_posted_twice() -> None:
    month = acmes_month()
    assert fingerprint([*month, month[-1]]) != fingerprint(month)
