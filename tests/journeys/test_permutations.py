"""Any order, any repetition, any single loss of a call's callbacks: the same call, the same legs,
the same money.

A call is made once, its callbacks are held back, and then each order is told of a copy of that call
under SIDs of its own, so that the world need not be rebuilt. All of it on a plan that charges what
people talked, and again on one that charges ringing too and, of the caller's time, only what was
spent with a person: its prices need facts that single callbacks carry.

Nine callbacks have 362,880 orders. What one of them changes depends on nothing but the rows that it
finds, so orders that left the same rows go on alike: it is enough to tell, from each set of rows
that any order reaches, each callback once more. That is every order, and every repetition. The plan
is asked at settlement only, so one walk serves both: each plan settles what its ends are.
"""

import datetime as dt
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Connection, text
from werkzeug.datastructures import MultiDict
from world import FRONT_DESK, MOBILE, Member, World, settings_for, world

from billing.catalogue import load_catalogue
from gateway.sandbox.callbacks import Callback
from gateway.services import calls, plans
from gateway.services.calls import Routed
from gateway.store.direct import execute, statement
from gateway.uow import UnitOfWork
from webhooks import params

HTTP_ORDERS = 15
VOICE = "http://gateway.test/webhooks/twilio/voice"
SEED = 20260303


@dataclass(frozen=True)
class Told:
    """One call as the carrier told it: the first webhook's form and all that came after."""

    member: Member
    began_at: dt.datetime
    first: dict[str, str]
    callbacks: tuple[Callback, ...]
    sids: tuple[str, ...]

    def copy(self) -> "Told":
        """The same call once more, under SIDs that nobody has seen."""
        new = {sid: "CA" + secrets.token_hex(16) for sid in self.sids}

        def rename(value: str) -> str:
            for sid, name in new.items():
                value = value.replace(sid, name)
            return value

        def form(params: dict[str, str]) -> dict[str, str]:
            return {name: rename(value) for name, value in params.items()}

        return Told(
            self.member,
            self.began_at,
            form(self.first),
            tuple(replace(c, url=rename(c.url), params=form(c.params)) for c in self.callbacks),
            tuple(new.values()),
        )

    @property
    def call_sid(self) -> str:
        return self.sids[0]


@pytest.fixture(scope="module")
def stage(lasting_held_stage: World) -> World:
    return lasting_held_stage


@pytest.fixture(scope="module")
def lasting_held_stage(
    make_database: Callable[[], tuple[str, Callable[[], None]]],
    servers: Any,
    worker_number: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Callbacks are held until a test delivers them."""
    url, drop = make_database()
    settings = settings_for(url, servers.redis(worker_number % 64), tmp_path_factory.mktemp("var"))
    with world(settings, hold=True) as opened:
        yield opened
    drop()


def listen(stage: World, member: Member, **script: Any) -> Told:
    """Make one call and write down everything that the carrier has to say about it."""
    asked: list[tuple[str, dict[str, str]]] = []
    real = stage.carrier.exchange.poster

    def poster(request: Any) -> Any:
        asked.append((request.url, dict(request.params)))
        return real(request)

    before = len(stage.carrier.captured)
    began_at = stage.carrier.clock.now()
    stage.carrier.poster = stage.carrier.exchange.poster = poster
    try:
        call_sid = stage.call(member.e164, **script)
    finally:
        stage.carrier.poster = stage.carrier.exchange.poster = real
    callbacks = list(stage.carrier.captured)[before:]
    first = next(form for url, form in asked if url.endswith("/voice"))
    for url, form in asked:
        if "/dial?" in url:
            callbacks.append(Callback("action", call_sid, url, form, stage.carrier.clock.now()))
    legs = sorted({c.params["CallSid"] for c in callbacks} - {call_sid})
    return Told(member, began_at, first, tuple(callbacks), (call_sid, *legs))


def deliver(stage: World, callback: Callback) -> None:
    """Over HTTP, signed."""
    reply = stage.carrier.courier.deliver(callback)
    assert reply.status in (200, 204), reply


def tell(uow: UnitOfWork, callback: Callback) -> None:
    """The same, short of HTTP: parsed by the webhooks' own parser, done by their service."""
    parts = urlsplit(callback.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    form = MultiDict(callback.params)
    received = params.as_received(form)
    path = parts.path.split("/")
    if callback.kind == "status":
        event = params.leg_event(form, now=uow.now, source="status")
        facts = params.call_facts(form, now=uow.now)
        assert calls.close_call(uow, params.tenant(path[-1]), event, facts, received)
        return
    tenant_id, call_sid = params.tenant(path[-3]), path[-2]
    if callback.kind == "action":
        outcome = params.dial_outcome(form, cursor=query["at"])
        assert isinstance(calls.continue_call(uow, tenant_id, call_sid, outcome, received), Routed)
        return
    event = params.leg_event(form, now=uow.now, cursor=query["at"])
    assert calls.record_leg(uow, tenant_id, call_sid, event, received)


def begin(uow: UnitOfWork, told: Told) -> None:
    """The first webhook, at the moment at which it came: it carries none itself."""
    form, then = MultiDict(told.first), replace(uow, now=told.began_at)
    facts = params.call_facts(form, now=told.began_at)
    assert isinstance(calls.open_call(then, facts, params.as_received(form)), Routed)


CALL = """
select status, refused, won_leg_sid, voicemail, answered_at, ended_at, from_number, to_number
  from call where tenant_id = :tenant and call_sid = :call
"""
LEGS = """
select leg_sid, kind, target_kind, to_address, cursor, status, answered_at, ended_at, talk_seconds,
       confirmed, settled_at is not null, billed_seconds, rate_micros, charge_micros, cost_micros
  from leg where tenant_id = :tenant and call_sid = :call
"""
RINGS = """
select leg_sid, started_at, ring_seconds from leg
 where tenant_id = :tenant and call_sid = :call
"""
MONEY = """
select key, kind, debit, credit, amount_micros, leg_sid, billed_seconds, rate_micros
  from posting where tenant_id = :tenant and call_sid = :call
"""


@dataclass(frozen=True)
class Left:
    """What a call left behind, with SIDs replaced by their places: rows of call, legs, postings.

    `rings` apart: when a leg began to ring that nobody took is known from its first callback only,
    and nobody asks the carrier for what costs nothing.
    """

    rows: tuple[str, ...]
    rings: tuple[str, ...]


def left(stage: World, told: Told) -> Left:
    who = {"tenant": told.member.scope.tenant_id, "call": told.call_sid}

    def rows(query: str) -> tuple[str, ...]:
        found = uow.connection.execute(text(query), who).all()
        assert found, "a call without legs or without money proves nothing"
        return tuple(sorted(rename(repr(tuple(row))) for row in found))

    def rename(words: str) -> str:
        for place, sid in enumerate(told.sids):
            words = words.replace(sid, f"<{place}>")
        return words

    with stage.units.read() as uow:
        return Left(rows(CALL) + rows(LEGS) + rows(MONEY), rows(RINGS))


# All that a call has in the database before it is settled. A receipt's id is drawn anew each time;
# its key names the callback.
STATE = statement(
    """
select md5(string_agg(row, chr(10) order by row)) from (
  select to_jsonb(c)::text from call as c where c.tenant_id = :tenant and call_sid = :call
  union all
  select (to_jsonb(l) - 'end_receipt_id')::text || coalesce(r.key, '')
    from leg as l left join receipt as r on r.tenant_id = l.tenant_id and r.id = l.end_receipt_id
   where l.tenant_id = :tenant and l.call_sid = :call
  union all
  select to_jsonb(d)::text from leg_due as d where d.tenant_id = :tenant and d.leg_sid = any(:sids)
  union all
  select (to_jsonb(r) - 'id')::text from receipt as r
   where r.tenant_id = :tenant and r.call_sid = :call
  union all
  select (to_jsonb(o) - 'id')::text from outbox as o where o.tenant_id = :tenant
) as found(row)
"""
)


def state(connection: Connection, told: Told) -> str:
    who = {"tenant": told.member.scope.tenant_id, "call": told.call_sid, "sids": list(told.sids)}
    row = execute(connection, STATE, who).fetchone()
    assert row is not None and row[0] is not None
    return str(row[0])


@dataclass
class Walk:
    """Every set of rows that any order of the callbacks leads to, from the first webhook on:
    an order that leads to it, by what was told and the rows."""

    stage: World
    told: Told
    paths: dict[tuple[frozenset[int], str], tuple[int, ...]] = field(default_factory=dict)

    def telling(self, places: Iterable[int]) -> list[tuple[int, ...]]:
        """An order for each different end of telling just these."""
        wanted = frozenset(places)
        return [path for (known, _), path in self.paths.items() if known == wanted]

    def run(self) -> None:
        """In one transaction, each step back by a savepoint; nothing of it stays."""
        with self.stage.units.engine.connect() as connection:
            uow = UnitOfWork(connection, self.stage.units.clock())
            begin(uow, self.told)
            self._from(uow, state(connection, self.told), ())

    def _from(self, uow: UnitOfWork, here: str, path: tuple[int, ...]) -> None:
        known = frozenset(path)
        if (known, here) in self.paths:
            return
        self.paths[known, here] = path
        for place, callback in enumerate(self.told.callbacks):
            step = uow.connection.begin_nested()
            tell(uow, callback)
            there = state(uow.connection, self.told)
            if place in known:
                assert there == here, f"{said(self.told, path)} and then {place} once more"
            else:
                self._from(uow, there, (*path, place))
            step.rollback()


RINGING = {
    "inbound": True, "forwarded": True, "transfer": True, "ring_time": True, "ivr_time": False,
}  # fmt: skip
TALK_MICROS, TALK_AND_RINGING_MICROS = 69_166, 73_333  # 83 s, and 5 s more, at 0.05 a minute


@pytest.fixture(scope="module", params=["payg", "ringing"])
def plan(request: pytest.FixtureRequest, stage: World) -> str:
    if request.param == "ringing":
        payg = load_catalogue()["payg"]
        document = payg | {"tariff": payg["tariff"] | {"billable_legs": RINGING}}
        with stage.units.begin() as uow:
            plans.publish_plan(uow, "ringing", document, "test")
    return str(request.param)


def ring_two(stage: World, plan: str) -> Told:
    """Two phones ring together, the front desk answers after 5 s and talks for 83 s."""
    acme = stage.join("Acme", funds=1_000_000_000, plan=plan)
    stage.person(FRONT_DESK, talks=83)
    stage.nobody(MOBILE)
    return listen(stage, acme)


@pytest.fixture(scope="module")
def answered(stage: World, plan: str) -> Told:
    return ring_two(stage, plan)


@pytest.fixture(scope="module")
def walk(stage: World) -> Walk:
    walked = Walk(stage, ring_two(stage, "payg").copy())
    walked.run()
    return walked


@pytest.fixture(scope="module")
def expected(stage: World, answered: Told) -> Left:
    """What the order in which things happened leaves behind."""
    return settled(stage, answered, [range(9)])[0]


def retold(stage: World, told: Told, order: Sequence[int]) -> Told:
    copy = told.copy()
    with stage.units.begin() as uow:
        begin(uow, copy)
        for place in order:
            tell(uow, copy.callbacks[place])
    return copy


def settled(stage: World, told: Told, orders: Sequence[Sequence[int]]) -> list[Left]:
    """What each order leaves behind."""
    copies = [retold(stage, told, order) for order in orders]
    assert stage.settle() == 3 * len(copies)
    return [left(stage, copy) for copy in copies]


def said(told: Told, order: Sequence[int]) -> list[tuple[str, str]]:
    callbacks = [told.callbacks[place] for place in order]
    return [(c.kind, c.params["CallStatus"]) for c in callbacks]


def test_the_call_that_is_permuted_is_the_usual_one(
    answered: Told, expected: Left, plan: str
) -> None:
    assert sorted(said(answered, range(9))) == [
        ("action", "in-progress"),
        ("leg", "canceled"),
        ("leg", "completed"),
        ("leg", "in-progress"),
        ("leg", "initiated"),
        ("leg", "initiated"),
        ("leg", "ringing"),
        ("leg", "ringing"),
        ("status", "completed"),
    ]
    each = TALK_MICROS if plan == "payg" else TALK_AND_RINGING_MICROS
    assert sum(str(each) in row for row in expected.rows) == 4  # two legs, two postings


def test_every_order_and_repetition_of_the_callbacks_leaves_the_same_call_legs_and_ledger(
    stage: World, answered: Told, walk: Walk, expected: Left
) -> None:
    assert said(walk.told, range(9)) == said(answered, range(9)), "it was the same call"
    subsets = {known for known, _ in walk.paths}
    assert len(subsets) == 2**9, "each callback was told before and after each other"
    ends = walk.telling(range(9))
    for order, end in zip(ends, settled(stage, answered, ends), strict=True):
        assert end == expected, said(walk.told, order)
    stage.prove_ledger()


def test_orders_over_http_with_every_callback_doubled_and_drains_in_between(
    stage: World, answered: Told, expected: Left
) -> None:
    """The whole way in, each callback a second time at a random later moment, and the drain
    running whenever it likes: what was settled early is settled once."""
    drawn = random.Random(SEED)
    for _ in range(HTTP_ORDERS):
        copy = answered.copy()
        order = [*range(9), *range(9)]
        drawn.shuffle(order)
        first = Callback("voice", copy.call_sid, VOICE, copy.first, copy.began_at)
        with patch.object(stage.units, "clock", lambda copy=copy: copy.began_at):
            deliver(stage, first)
        for place in order:
            deliver(stage, copy.callbacks[place])
            if drawn.random() < 0.2:
                stage.settle()
        deliver(stage, first)
        stage.settle()
        assert left(stage, copy).rows == expected.rows, said(copy, order)
    stage.prove_ledger()


LOST = [pytest.param(place, id=f"{place + 1} of 9") for place in range(9)]


@pytest.mark.parametrize("lost", LOST)
def test_any_one_lost_callback_is_made_good_by_asking_the_carrier(
    stage: World, answered: Told, expected: Left, walk: Walk, lost: int
) -> None:
    """From each set of rows that any order of the other eight leaves."""
    orders = walk.telling({*range(9)} - {lost})
    copies = [retold(stage, answered, order) for order in orders]
    for copy in copies:
        remember(stage, answered, copy)
    stage.settle()
    stage.sweep()
    stage.settle()
    assert copies
    for copy, order in zip(copies, orders, strict=True):
        assert left(stage, copy).rows == expected.rows, said(copy, order)
    stage.prove_ledger()


def remember(stage: World, told: Told, copy: Told) -> None:
    """The carrier's own record of the copy, for whoever asks by REST."""
    books = stage.carrier.books
    for sid, name in zip(told.sids, copy.sids, strict=True):
        call = books.calls[sid]
        parent = copy.call_sid if call.parent_call_sid else ""
        books.calls[name] = replace(call, sid=name, parent_call_sid=parent)
    books.children[copy.call_sid] = list(copy.sids[1:])
