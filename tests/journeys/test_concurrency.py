"""Everything at once: sixteen copies of each callback, two drains, money from both sides."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from world import CALLER, FRONT_DESK, MOBILE, ONE_PHONE, Member, World

from gateway.sandbox.poster import Request
from gateway.services import ledger, settlement
from gateway.services.settlement import Drained
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow
from gateway.store.numbers import DidRow
from gateway.store.outbox import OutboxRow
from gateway.store.receipts import ReceiptRow

COPIES = 16


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:
    """One for the whole file; each test opens accounts of its own."""
    return lasting_stage


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Every deed on a thread of its own, all let go in the same moment; raises what they raise."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        gate.wait(20)
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result(60) for future in [pool.submit(run, deed) for deed in deeds]]


def test_sixteen_copies_of_every_request_of_a_call_are_one_receipt_one_leg_one_charge(
    stage: World,
) -> None:
    acme = stage.join("Acme")
    stage.person(FRONT_DESK, talks=83)
    stage.nobody(MOBILE)
    real = stage.carrier.poster
    kinds = []

    def copied(request: Request) -> Any:
        answers = at_once([lambda: real(request)] * COPIES)
        assert {answer.status for answer in answers} <= {200, 204}
        assert len({answer.body for answer in answers}) == 1, "each copy gets the same document"
        kinds.append(request.url)
        return answers[0]

    stage.carrier.poster = stage.carrier.exchange.poster = copied
    stage.carrier.courier._poster = copied
    try:
        call_sid = stage.call(acme.e164)
    finally:
        stage.carrier.poster = stage.carrier.exchange.poster = real
        stage.carrier.courier._poster = real

    assert len(kinds) == 10  # voice, dial, the parent's end, four of the winner, three of the loser
    assert len(stage.rows(ReceiptRow, acme.scope)) == 10
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.call_sid == call_sid
    assert len(stage.rows(LegRow, acme.scope)) == 3
    assert sum(d.legs for d in at_once([lambda: settlement.drain(stage.units)] * 4)) == 3
    assert stage.balance(acme.scope) == 50_000_000 - 2 * 69_166
    stage.prove_ledger()


def calls_for(stage: World, member: Member, count: int, *, seconds: float = 60) -> None:
    stage.person(FRONT_DESK, talks=seconds)
    for _ in range(count):
        stage.call(member.e164)


@pytest.mark.parametrize(
    "accounts, calls",
    [pytest.param(12, 2, id="many accounts"), pytest.param(1, 24, id="one hot account")],
)
def test_drains_that_run_at_once_settle_each_leg_once(
    stage: World, accounts: int, calls: int
) -> None:
    members = [stage.join("Acme", document=ONE_PHONE) for _ in range(accounts)]
    for member in members:
        calls_for(stage, member, calls)
    drained: list[Drained] = at_once([lambda: settlement.drain(stage.units)] * 4)
    # Whoever finds an account taken leaves it to its holder; the next ring comes at once.
    left = settlement.drain(stage.units)
    assert sum(d.failed for d in (*drained, left)) == 0
    assert sum(d.legs for d in (*drained, left)) == accounts * calls * 2
    for member in members:
        assert stage.balance(member.scope) == 50_000_000 - calls * 100_000
    stage.prove_ledger()


def top_up(stage: World, member: Member, amount: int, key: str) -> None:
    with stage.units.begin() as uow:
        ledger.top_up(
            uow, member.scope, amount_micros=amount, method="manual", reason="race",
            actor="Olga", idempotency_key=key,
        )  # fmt: skip


def adjust(stage: World, member: Member, amount: int, key: str) -> None:
    with stage.units.begin() as uow:
        ledger.adjust(
            uow, member.scope, amount_micros=amount, reason="race", actor="Olga",
            idempotency_key=key,
        )  # fmt: skip


def test_twenty_settlements_top_ups_and_adjustments_at_once_keep_the_chain_whole(
    stage: World,
) -> None:
    acme = stage.join("Acme", document=ONE_PHONE)
    calls_for(stage, acme, 10)
    before = len(stage.rows(PostingRow, acme.scope))
    deeds: list[Callable[[], Any]] = [lambda: settlement.drain(stage.units)] * 6
    deeds += [lambda n=n: top_up(stage, acme, 1_000_000, f"up{n}") for n in range(7)]  # type: ignore[misc]
    deeds += [lambda n=n: adjust(stage, acme, -300_000, f"down{n}") for n in range(7)]  # type: ignore[misc]
    random.Random(7).shuffle(deeds)
    at_once(deeds)
    stage.settle()
    spent = 10 * 100_000
    assert stage.balance(acme.scope) == 50_000_000 + 7_000_000 - 2_100_000 - spent
    costs = 20  # what the carrier takes, one line a leg
    assert len(stage.rows(PostingRow, acme.scope)) == before + 20 + costs + 14
    stage.prove_ledger()


def test_one_idempotency_key_pressed_sixteen_times_is_one_top_up(stage: World) -> None:
    acme = stage.join("Acme")
    at_once([lambda: top_up(stage, acme, 10_000_000, "the button")] * COPIES)
    assert stage.balance(acme.scope) == 60_000_000
    at_once([lambda: adjust(stage, acme, -10_000_000, "the other button")] * COPIES)
    assert stage.balance(acme.scope) == 50_000_000
    stage.prove_ledger()


@pytest.mark.parametrize(
    "credit, ends", [(100_000, "active"), (99_999, "suspended"), (100_001, "active")]
)
def test_a_suspension_that_races_with_a_top_up_ends_as_the_balance_says(
    stage: World, credit: int, ends: str
) -> None:
    """S2-12, E8: exactly zero is service, a millionth below is none, whoever comes first."""
    for _ in range(4):
        bolt = stage.join("Bolt", funds=0, document=ONE_PHONE)
        calls_for(stage, bolt, 1)  # 60 s on two legs: 0.10
        credited = partial(top_up, stage, bolt, credit, "race")
        at_once([lambda: settlement.drain(stage.units), credited])
        stage.settle()
        balance = stage.balance(bolt.scope)
        assert balance == credit - 100_000
        assert stage.status(bolt.scope) == ends
        (number,) = stage.rows(DidRow, bolt.scope)
        assert number.status == ends
    stage.prove_ledger()


def test_suspensions_and_restorations_in_a_storm_are_announced_in_pairs(stage: World) -> None:
    """Each crossing leaves one mail; the last one says what the balance says."""
    bolt = stage.join("Bolt", funds=0, document=ONE_PHONE)
    deeds: list[Callable[[], Any]] = []
    for n in range(10):
        deeds.append(lambda n=n: adjust(stage, bolt, -1_000_000, f"take{n}"))  # type: ignore[misc]
        deeds.append(lambda n=n: top_up(stage, bolt, 1_000_000, f"give{n}"))  # type: ignore[misc]
    at_once(deeds)
    assert stage.balance(bolt.scope) == 0
    assert stage.status(bolt.scope) == "active"
    with stage.units.read() as uow:
        table = OutboxRow.__table__
        kinds = list(
            uow.connection.scalars(
                table.select()
                .with_only_columns(table.c.kind)
                .where(
                    table.c.account_id == bolt.scope.account_id,
                    table.c.kind.in_(["suspended", "restored"]),
                )
            )
        )
    assert kinds.count("suspended") == kinds.count("restored")
    stage.prove_ledger()


def test_two_first_webhooks_of_different_calls_at_once_are_two_calls(stage: World) -> None:
    acme = stage.join("Acme", document=ONE_PHONE)
    sids = [f"CA{n:032x}" for n in range(COPIES)]
    answers = at_once(
        [
            lambda sid=sid: stage.post(  # type: ignore[misc]
                "/webhooks/twilio/voice", {"CallSid": sid, "From": CALLER, "To": acme.e164}
            )
            for sid in sids
        ]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert all(FRONT_DESK in answer.text for answer in answers)
    assert [call.call_sid for call in stage.rows(CallRow, acme.scope)] == sids
