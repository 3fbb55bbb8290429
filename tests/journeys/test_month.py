"""A seeded month in every operator's house, lived twice: once in fair weather, once with a carrier
and a card network that double, delay, reorder and lose, and with workers that are killed at it.
Both leave the same money, and so does every webhook that comes once more."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from world import World, settings_for, world

from tests.journeys.months import CENT, OPERATORS, Books, Month, Operator, digest

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
       coalesce(sum(talk_seconds) filter (where kind <> 'inbound'), 0),
       sum(billed_seconds),
       sum(charge_micros) + (select coalesce(sum(m.charge_micros), 0) from message as m
                              where m.tenant_id = :tenant),
       sum(cost_micros) + (select coalesce(sum(m.cost_micros), 0) from message as m
                            where m.tenant_id = :tenant)
  from leg where tenant_id = :tenant
"""
BY_DAY = """
select day, sum(calls), sum(charge_micros) from daily_usage where tenant_id = :tenant
 group by day order by day
"""
BY_DAY_RECOMPUTED = """
select (at at time zone 'America/New_York')::date, sum(calls), sum(charge_micros)
  from (select c.started_at, (l.kind = 'inbound')::int, l.charge_micros
          from leg as l join call as c using (tenant_id, call_sid) where l.tenant_id = :tenant
        union all
        select created_at, 0, charge_micros from message
         where tenant_id = :tenant) as used (at, calls, charge_micros)
 group by 1 order by 1
"""
OPEN = """
select (select count(*) from leg where ended_at is null or settled_at is null)
     + (select count(*) from call where ended_at is null)
     + (select count(*) from message where settled_at is null and due_at is not null)
     + (select count(*) from message where due_at is null and error is null)
"""
TEXTS = "select count(*) from message where carrier_sid is not null"
CREDITED = "select coalesce(sum(credited_micros), 0) from charge"


def proven(stage: World, month: Month) -> None:
    """The laws of every month."""
    stage.prove_ledger()
    with stage.units.read() as uow:
        assert uow.connection.scalar(text(OPEN)) == 0, "nothing is left open or unsettled"
        assert uow.connection.scalar(text(CREDITED)) == stage.cards.taken() * CENT
        assert uow.connection.scalar(text(TEXTS)) == len(stage.carrier.messages.by_sid)
        for member in month.cast.values():
            who = {"tenant": member.scope.tenant_id}
            for summed, recomputed in ((SUMS, RECOMPUTED), (BY_DAY, BY_DAY_RECOMPUTED)):
                sums = uow.connection.execute(text(summed), who).all()
                assert sums == uow.connection.execute(text(recomputed), who).all()


@pytest.mark.timeout(400)  # two months of seven seconds each, on a machine with other work as well
@pytest.mark.parametrize("operator", [pytest.param(one, id=one.name) for one in OPERATORS])
def test_a_rough_month_costs_what_a_fair_one_costs(
    operator: Operator,
    make_database: Callable[[], tuple[str, Callable[[], None]]],
    redis_url: str,
    tmp_path: Any,
) -> None:
    lives = []
    for rough in (False, True):
        url, drop = make_database()
        with world(settings_for(url, redis_url, tmp_path / url[-4:])) as stage:
            month = Month(stage, operator, rough)
            month.live()
            proven(stage, month)
            lives.append(Books(month).content())
            if rough:
                month.replay()
                proven(stage, month)
                assert Books(month).content() == lives[-1], "what comes again moves nothing"
        drop()
    assert operator.deaths <= {name for name, n in month.kills.items() if n}, month.kills
    fair, harsh = lives
    assert operator.kinds <= {line[1] for line in fair["postings"]}
    assert len(fair["statements"]) >= len(month.cast)
    for part, lines in fair.items():
        assert sorted(set(lines) ^ set(harsh[part]), key=repr) == []
    assert digest(fair) == digest(harsh)
