"""A seeded month of calls, lived twice: once with a carrier that behaves, once with one that
doubles, delays, reorders and loses its callbacks. Both leave the same money."""

import datetime as dt
import random
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from world import BOTH_PHONES, MOBILE, VOICEMAIL, WAREHOUSE, Member, World, settings_for, world

from gateway.sandbox.callbacks import Faults

CALLS = 100
DAYS = 30
SEED = 42
AREAS = ("212", "415", "702", "907", "312")
ROTA = {
    "pattern": "sequential",
    "targets": [
        {"type": "number", "address": WAREHOUSE, "ring_seconds": 15},
        {"type": "number", "address": MOBILE, "confirm": True},
        {"type": "sip", "address": "sip:desk@acme.example"},
    ],
    "otherwise": VOICEMAIL,
}
BAD_DAYS = Faults(duplicate=0.2, delay=0.3, reorder=0.2, lose=0.15, seed=SEED)


def live(stage: World, faults: Faults) -> tuple[list[Member], list[str]]:
    """Three accounts and their callers, drawn from the seed; the CallSids in order."""
    rng = random.Random(SEED)
    cast = [
        stage.join("Acme", funds=500_000_000, document=BOTH_PHONES),
        stage.join("Cobalt", funds=500_000_000, plan="answered_minutes", document=ROTA),
        stage.join("Dune", funds=500_000_000, plan="started_minute", document=ROTA),
    ]
    stage.carrier.faults = faults
    sids = []
    for number in range(CALLS):
        sids.append(
            stage.call(
                rng.choice(cast).e164,
                from_=f"+1{rng.choice(AREAS)}555{rng.randrange(10_000):04}",
                hangs_up_after_seconds=rng.choice([None, None, None, 12.0, 40.0]),
                message_seconds=rng.choice([0.0, 5.0, 20.0]),
            )
        )
        stage.carrier.run_for(rng.uniform(0, 2 * DAYS * 86_400 / CALLS))
        if rng.random() < 0.3:
            stage.settle()
        if number % 10 == 9:
            stage.sweep()
    # Weeks later: everything that could be asked was asked.
    for _ in range(6):
        stage.carrier.run_for(900)
        stage.sweep()
        stage.settle()
    return cast, sids


LINES = """
select call_sid, coalesce(l.to_address, ''), p.kind, p.debit like 'wallet%', p.amount_micros,
       p.billed_seconds, p.rate_micros
  from posting as p left join leg as l using (tenant_id, call_sid, leg_sid)
 where p.tenant_id = :tenant and call_sid is not null
"""
SUMS = """
select sum(calls), sum(answered), sum(talk_seconds), sum(forwarded_seconds), sum(billed_seconds),
       sum(charge_micros), sum(cost_micros)
  from daily_usage where tenant_id = :tenant
"""
RECOMPUTED = """
select count(*) filter (where kind = 'inbound'),
       count(distinct call_sid) filter (where kind <> 'inbound' and talk_seconds > 0
                                          and confirmed is distinct from false),
       sum(talk_seconds) filter (where kind = 'inbound'),
       sum(talk_seconds) filter (where kind <> 'inbound'),
       sum(billed_seconds), sum(charge_micros), sum(cost_micros)
  from leg where tenant_id = :tenant
"""
BY_DAY = """
select day, sum(calls), sum(charge_micros) from daily_usage where tenant_id = :tenant
 group by day order by day
"""
BY_DAY_RECOMPUTED = """
select (c.started_at at time zone 'America/New_York')::date,
       count(*) filter (where l.kind = 'inbound'), sum(l.charge_micros)
  from leg as l join call as c using (tenant_id, call_sid)
 where l.tenant_id = :tenant group by 1 order by 1
"""
OPEN = """
select (select count(*) from leg where ended_at is null or settled_at is null)
     + (select count(*) from call where ended_at is null or check_at is not null)
"""


def money(stage: World, cast: list[Member], sids: list[str]) -> list[tuple[Any, ...]]:
    """Every line of money about a call, the call named by its place in the month."""
    place = {sid: number for number, sid in enumerate(sids)}
    lines: list[tuple[Any, ...]] = []
    with stage.units.read() as uow:
        for member in cast:
            found = uow.connection.execute(text(LINES), {"tenant": member.scope.tenant_id})
            lines += [(place[row[0]], *row[1:]) for row in found]
    # Our own numbers differ from world to world; the phones they reach do not.
    ours = {member.e164: "" for member in cast}
    return sorted((n, ours.get(to, to), *rest) for n, to, *rest in lines)


def proven(stage: World, cast: list[Member]) -> None:
    """The laws of every month."""
    stage.prove_ledger()
    with stage.units.read() as uow:
        assert uow.connection.scalar(text(OPEN)) == 0, "nothing is left open or unsettled"
        for member in cast:
            who = {"tenant": member.scope.tenant_id}
            for summed, recomputed in ((SUMS, RECOMPUTED), (BY_DAY, BY_DAY_RECOMPUTED)):
                sums = uow.connection.execute(text(summed), who).all()
                assert sums == uow.connection.execute(text(recomputed), who).all()
            charged = uow.connection.execute(text(SUMS), who).one()[5]
            assert stage.balance(member.scope) == 500_000_000 - charged


def test_a_month_with_a_bad_carrier_costs_what_a_month_with_a_good_one_costs(
    make_database: Callable[[], tuple[str, Callable[[], None]]],
    redis_url: str,
    tmp_path: Any,
) -> None:
    digests = []
    for faults in (Faults(), BAD_DAYS):
        url, drop = make_database()
        with world(settings_for(url, redis_url, tmp_path / url[-4:])) as stage:
            began = stage.carrier.clock.now()
            cast, sids = live(stage, faults)
            assert stage.carrier.clock.now() - began > dt.timedelta(days=DAYS * 0.8)
            proven(stage, cast)
            lines = money(stage, cast, sids)
            if faults is BAD_DAYS:
                replay(stage, cast)
                assert money(stage, cast, sids) == lines
        drop()
        digests.append(lines)
    good, bad = digests
    assert len(good) > CALLS
    assert sorted(set(good) ^ set(bad)) == []
    assert sha256(repr(good).encode()).digest() == sha256(repr(bad).encode()).digest()


def replay(stage: World, cast: list[Member]) -> None:
    """All of the month's callbacks a second time, each call's last first."""
    before = [stage.ledger_digest(member.scope) for member in cast]
    for callback in reversed(list(stage.carrier.captured)):
        assert stage.carrier.courier.deliver(callback).status in (200, 204)
    stage.sweep()
    stage.settle()
    assert [stage.ledger_digest(member.scope) for member in cast] == before
    proven(stage, cast)
