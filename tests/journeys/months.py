"""A month in an operator's house, drawn from a seed: calls, texts, rent, minutes, cards, bills.

It is lived as often as wanted. In a fair month every callback comes once and in order and no
process dies; in a rough one callbacks and the card network's answers come twice, late, out of order
or not at all, and the workers are killed around their commits. What happens is the same in both.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from mortal import Death, dies
from sqlalchemy import text
from world import FRONT_DESK, MOBILE, ONE_PHONE, VOICEMAIL, WAREHOUSE, Member, World

from billing.money import parse_amount
from billing.purchases import Purchaser
from billing.transfers import Transfer
from gateway.sandbox.callbacks import Faults
from gateway.sandbox.cards import CardFaults
from gateway.sandbox.people import CallerScript
from gateway.services import (
    accounts,
    card_payments,
    card_settling,
    memberships,
    message_sweeping,
    messages,
    packages,
    payment_deeds,
    payment_methods,
    plan_changes,
    recharge,
    statements,
    sweeping,
    transfers,
)
from gateway.services.message_sweeping import NEVER_RECEIVED
from gateway.services.messages import NewText
from gateway.store.buckets import BucketRow
from gateway.store.charges import ChargeRow
from gateway.store.ledger import LedgerAccountRow, PostingRow
from gateway.store.legs import LegRow
from gateway.store.messages import MessageRow
from gateway.store.numbers import DidRow
from gateway.store.packages import PackageRow
from gateway.store.statements import StatementRow
from routing.numbering import pretty
from workers.context import Work
from workers.schedule import BELLS

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY = dt.date(2026, 3, 3)  # on which the accounts are opened
DAYS = 34  # to the sixth of April: over the ends of a month, of a cycle, and of every period
AREAS = ("212", "415", "702", "907", "312")
ROTA: dict[str, Any] = {
    "pattern": "sequential",
    "targets": [
        {"type": "number", "address": WAREHOUSE, "ring_seconds": 15},
        {"type": "number", "address": MOBILE, "confirm": True},
        {"type": "sip", "address": "sip:desk@acme.example"},
    ],
    "otherwise": VOICEMAIL,
}
DEATHS = {
    "settle": (0.5, 2),
    "carrier": (0.4, 9),  # the hourly looks of calls and texts come first
    "a text is sent": (0.9, 8),
    "a card is charged": (0.9, 9),
    "notify": (0.6, 3),
    "renewals": (1.0, 2),
}
"""How often a worker of a rough month that has something to do is killed at it, and at the latest
around which of its commits."""
INTERRUPTED = 0.5
"""How often a process of a rough month that answers somebody is."""
CENT = 10_000
LEASES_END = 61  # seconds


def on_callbacks(seed: int) -> Faults:
    return Faults(duplicate=0.2, delay=0.3, reorder=0.2, lose=0.15, seed=seed)


def on_cards(seed: int) -> CardFaults:
    return CardFaults(lose_request=0.1, lose_answer=0.4, seed=seed)


@dataclass
class Month:
    """`rng` draws what happens, and never asks how it went; `fate` draws what goes wrong."""

    stage: World
    operator: Operator
    rough: bool
    cast: dict[str, Member] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    day: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.operator.seed)
        self.fate = random.Random(f"{self.operator.seed} rough")

    # The month.

    def live(self) -> None:
        self.operator.begin(self)
        take_news = self.stage.cards.events.send
        if self.rough:
            self.stage.carrier.faults = on_callbacks(self.operator.seed)
            self.stage.cards.faults = on_cards(self.operator.seed)
            self._lose_card_news()
        for self.day in range(1, DAYS + 1):
            if self.day % self.operator.nights_apart == 0 or self.day == DAYS:
                self._wait_until(dt.time(0, 10))
                self.work_off()  # periods end, days are billed, statements are issued
            story = self.operator.story.get(self.day)
            if story is not None:
                self._wait_until(dt.time(9))
                story(self)
                self.work_off()
            self._wait_until(dt.time(10))
            self._texts(self.rng.choice(self.operator.texts_a_day))
            self._calls(self.rng.choice(self.operator.calls_a_day))
            self._wait_until(dt.time(20))
            self.work_off()
        self.stage.carrier.faults, self.stage.cards.faults = Faults(), CardFaults()
        self.stage.cards.events.send = take_news

    def _wait_until(self, time: dt.time) -> None:
        at = dt.datetime.combine(self.date(), time, NEW_YORK)
        assert at > self.stage.carrier.clock.now(), "the day was too short for its work"
        self.stage.wait_until(at)

    def _calls(self, count: int) -> None:
        """A rush: they come while the ones before still talk."""
        if not count:
            return
        for _ in range(count):
            member = self.rng.choice([self.cast[name] for name in self.operator.called])
            script = CallerScript(
                hangs_up_after_seconds=self.rng.choice(self.operator.patience),
                message_seconds=self.rng.choice([0.0, 5.0, 20.0]),
            )
            caller = f"+1{self.rng.choice(AREAS)}555{self.rng.randrange(10_000):04}"
            self.calls.append(self.stage.carrier.place_call(caller, member.e164, script))
            self.stage.carrier.run_for(self.rng.uniform(1, 60))
        if self.rough and self.day not in self.operator.order_matters:
            self._do("settle")  # what is known by now
        self.stage.carrier.run_until_idle()
        self.work_off()

    def _texts(self, count: int) -> None:
        for number in range(count):
            member = self.cast[self.rng.choice(self.operator.texting)]
            peer = f"+1{self.rng.choice(AREAS)}555{self.rng.randrange(10_000):04}"
            body = "Hello " * self.rng.choice([1, 5, 40])
            if self.rng.random() < 0.4:
                self.stage.carrier.receive_message(peer, member.e164, body)
                self.stage.carrier.run_for(1)
            else:
                self.send(member, peer, body, key=f"text {self.day}.{number}")
        if count:
            self.work_off()
            while self._send_again():
                self.work_off()

    def _send_again(self) -> bool:
        """A text whose worker died as it was about to be sent is not sent by itself any more, and
        costs nothing: somebody reads so, and sends it again."""
        with self.stage.units.read() as uow:
            lost = uow.connection.execute(text(LOST_TEXTS), {"error": NEVER_RECEIVED}).all()
        for account_id, peer, body, key in lost:
            member = next(m for m in self.cast.values() if m.scope.account_id == account_id)
            self.send(member, peer, body, key=f"{key} again")
        self.kills["lost text"] += len(lost)
        return bool(lost)

    def _lose_card_news(self) -> None:
        """News that is not taken comes again, at most three times; some comes twice at once."""
        take = self.stage.cards.events.send

        def send(url: str, body: bytes, headers: dict[str, str]) -> int:
            if self.fate.random() < 0.3:
                return 503
            for _ in range(1 + (self.fate.random() < 0.3)):
                status = take(url, body, headers)
            return status

        self.stage.cards.events.send = send

    # Who works, and may die of it.

    def deed(self, name: str, act: Callable[[Work], object]) -> None:
        """Somebody asks for something under a key of their own, and asks again where the process
        died that was to answer."""
        if self.rough and self.fate.random() < INTERRUPTED:
            self._kill(name, act, commits=2)
        act(self.stage.tools)

    def work_off(self) -> None:
        """Until all texts are sent, the carrier told every end, no queue has anything due, and no
        charge is open. Money is decided on when all that happened is known, in each month."""
        for _ in range(300):
            if self._is(UNSENT_TEXTS):
                self._do("carrier")
            if self._is(OPEN_AT_CARRIER):
                self.stage.carrier.run_for(LEASES_END)
                self._ask_carrier()
                continue
            if self._is(UNSENT_TEXTS):
                self.stage.carrier.run_for(LEASES_END)
                continue
            if not self._busy():
                return
            for bell in BELLS:
                self._do(bell.queue)
            if self._is(OPEN_CHARGES):
                self.stage.carrier.run_for(LEASES_END)
        raise AssertionError("there is no end of work")

    def _do(self, queue: str) -> None:
        bell = next(bell for bell in BELLS if bell.queue == queue)
        with self.stage.units.read() as uow:
            if bell.oldest_due_at(uow) is None:
                return
        if self.rough:
            self._die(queue, bell.drain)
        else:
            bell.drain(self.stage.tools)

    def _die(self, queue: str, drain: Callable[[Work], int]) -> None:
        """Do a queue's work, maybe with a worker that died of it before."""
        name = queue
        if queue == "carrier" and self._is(UNSENT_TEXTS):
            name = "a text is sent"
        elif queue == "carrier" and self._is(CHARGES_TO_COME):
            name = "a card is charged"
        often, commits = DEATHS[name]
        with self.stage.units.read() as uow:
            worth_it = uow.connection.scalar(text(WORTH_A_DEATH), {"queue": queue, "now": uow.now})
        if not worth_it or self.fate.random() > often:
            drain(self.stage.tools)
            return
        before = self._made()
        killed = self._kill(name, drain, commits=commits)
        if killed:
            self.stage.carrier.run_for(LEASES_END)
        drain(self.stage.tools)
        for noun, count in self._made().items():
            self.kills[noun] += killed and count > before[noun]

    def _made(self) -> dict[str, int]:
        with self.stage.units.read() as uow:
            return dict(uow.connection.execute(text(MADE)).one()._mapping)

    def _kill(self, name: str, act: Callable[[Work], object], *, commits: int) -> bool:
        death = Death(self.fate.randint(1, commits), self.fate.random() < 0.5)
        killed = dies(self.stage, death, act)
        self.kills[name] += killed
        return killed

    def _ask_carrier(self) -> None:
        """What it did not tell by itself in a minute."""
        if not self._is(OPEN_AT_CARRIER):
            return
        sweeping.recheck_open_calls(self.stage.units)
        message_sweeping.recheck_open_texts(self.stage.units)
        self.stage.carrier.run_for(30)

        def ask(tools: Work) -> None:
            units, telephony = tools.runtime.units, tools.runtime.telephony
            sweeping.sweep_calls(units, telephony)
            message_sweeping.sweep_texts(units, telephony)

        self.deed("ask the carrier", ask)

    def _busy(self) -> bool:
        with self.stage.units.read() as uow:
            if any(bell.oldest_due_at(uow) is not None for bell in BELLS):
                return True
        return self._is(OPEN_CHARGES)

    def _is(self, question: str) -> bool:
        with self.stage.units.read() as uow:
            return bool(uow.connection.scalar(text(question)))

    def date(self) -> dt.date:
        return FIRST_DAY + dt.timedelta(days=self.day)

    # What can happen in one.

    def join(self, name: str, plan: str, *, card: bool = False, **more: Any) -> Member:
        more = {"document": ONE_PHONE, "funds": parse_amount("60.00"), **more}
        member = self.stage.join(name, plan=plan, **more)
        self.cast[name] = member
        if card:
            payment_methods.attach(
                self.stage.units,
                self.stage.runtime.cards(),
                member.scope,
                token="pm_card_visa",
                actor="Ann",
                idempotency_key="first card",
            )
        return member

    def recharges(self, name: str, minimum: str, maximum: str) -> None:
        with self.stage.units.begin() as uow:
            recharge.choose(
                uow,
                self.cast[name].scope,
                on=True,
                minimum_micros=parse_amount(minimum),
                maximum_micros=parse_amount(maximum),
                daily_cap_micros=None,
                monthly_cap_micros=None,
                cooldown_seconds=0,
                actor="Ann",
            )

    def send(self, member: Member, peer: str, body: str, *, key: str) -> None:
        def act(tools: Work) -> None:
            with tools.runtime.units.begin() as uow:
                wanted = NewText(member.number.id, peer, body)
                messages.send(uow, member.scope, wanted, actor="Ann", idempotency_key=key)

        self.deed("send a text", act)

    def pay(self, name: str, amount: str) -> None:
        """By card, by hand."""

        def act(tools: Work) -> None:
            card_payments.pay(
                tools.runtime.units,
                tools.runtime.cards(),
                self.cast[name].scope,
                amount_micros=parse_amount(amount),
                method_id=None,
                actor="Ann",
                idempotency_key=f"pay {self.day}",
            )

        self.deed("pay by hand", act)

    def buy_package(self, name: str, code: str) -> None:
        def act(tools: Work) -> None:
            with tools.runtime.units.begin() as uow:
                packages.buy(
                    uow,
                    self.cast[name].scope,
                    code,
                    Purchaser("", "Ann"),
                    idempotency_key=f"{code} {self.day}",
                )

        self.deed("buy a package", act)

    def share_billing(self, name: str) -> None:
        def act(tools: Work) -> None:
            with tools.runtime.units.begin() as uow:
                memberships.set_billing(uow, self.cast[name].scope, "agency_shared", "Olga")

        self.deed("share the billing", act)

    def upgrade(self, name: str, plan: str) -> None:
        def act(tools: Work) -> None:
            with tools.runtime.units.begin() as uow:
                accounts.update_account(uow, self.cast[name].scope, {"plan_code": plan}, "Olga")

        self.deed("upgrade", act)

    def change_plan(self, name: str, plan: str) -> None:
        """Asked for, and agreed to for tomorrow."""

        def act(tools: Work) -> None:
            scope = self.cast[name].scope
            with tools.runtime.units.begin() as uow:
                wish = plan_changes.request(uow, scope, plan, "Ann")
                tomorrow = self.date() + dt.timedelta(days=1)
                midnight = dt.datetime.combine(tomorrow, dt.time(), NEW_YORK)
                plan_changes.schedule(uow, scope, wish.id, midnight, "Olga")

        self.deed("change the plan", act)

    def pay_bills(self, name: str) -> None:
        """By bank transfer; the bank's file is taken in twice, as in every house."""

        def act(tools: Work) -> None:
            scope = self.cast[name].scope
            with tools.runtime.units.begin() as uow:
                for view in statements.list_statements(uow, scope).items:
                    paid = Transfer(
                        bank_id=f"bank-{view.label}",
                        booked_on=uow.now.date(),
                        amount_micros=-(-view.stored.owed_micros // CENT) * CENT,
                        currency=view.stored.currency,
                        reference=f"Invoice {view.label}",
                        payer=name,
                    )
                    assert transfers.take(uow, paid, "Olga") in ("credited", "known")

        self.deed("take the bank's file", act)
        act(self.stage.tools)

    # What it left.

    def replay(self) -> None:
        """Every webhook of the month once more, the last one first."""
        for request in reversed(list(self.stage.poster.seen)):
            self.stage.poster(request)
        for event in reversed(list(self.stage.cards.events.told)):
            assert self.stage.cards.events.again(event) == 204
        self.work_off()


OPEN_AT_CARRIER = """
select exists (select 1 from leg where ended_at is null)
    or exists (select 1 from call where ended_at is null)
    or exists (select 1 from message
                where direction = 'outbound' and due_at is null and settled_at is null
                  and attempted_at is not null)
"""
UNSENT_TEXTS = """
select exists (select 1 from message
                where direction = 'outbound' and settled_at is null and attempted_at is null)
"""
WORTH_A_DEATH = """
select :queue <> 'carrier'
    or exists (select 1 from outbox
                where queue = 'carrier' and kind <> 'look_for_calls' and due_at <= :now
                  and done_at is null and dead_at is null)
    or exists (select 1 from charge where ask_at <= :now)
"""
MADE = """
select (select count(*) from statement) as statement,
       (select count(*) from charge where submitted_at is not null) as charge
"""
LOST_TEXTS = """
select account_id, peer, body, idempotency_key from message as m
 where error = :error
   and not exists (select 1 from message as later
                    where later.tenant_id = m.tenant_id and later.account_id = m.account_id
                      and later.idempotency_key = m.idempotency_key || ' again')
 order by id
"""
CHARGES_TO_COME = f"""
select exists (select 1 from outbox where kind in ('{payment_deeds.LOOK}', '{card_settling.DEED}')
                                      and done_at is null and dead_at is null)
"""
OPEN_CHARGES = """
select exists (select 1 from charge where state in ('pending', 'unknown', 'requires_action'))
"""


# The operators.


@dataclass(frozen=True)
class Operator:
    """`begin` opens the accounts; `called` are those with callers; `story` is told by the day.

    On days in `order_matters` minutes run out: each call is settled when all of it is known, so
    that the same leg meets the end of them.
    """

    name: str
    seed: int
    begin: Callable[[Month], None]
    called: tuple[str, ...]
    texting: tuple[str, ...] = ()
    story: Mapping[int, Callable[[Month], None]] = field(default_factory=dict)
    calls_a_day: tuple[int, ...] = (0, 0, 1, 1, 2)
    texts_a_day: tuple[int, ...] = (0, 0, 0, 1, 1)
    patience: tuple[float | None, ...] = (None, None, None, 12.0, 40.0)
    order_matters: range = range(0)
    nights_apart: int = 3  # the clock was down in the others, and makes up for it
    kinds: frozenset[str] = frozenset()  # of lines, that a month of it has to have
    deaths: frozenset[str] = frozenset({"settle", "renewals", "statement"})


def _payg(month: Month) -> None:
    month.join("Acme", "payg", funds=parse_amount("200.00"), document=ROTA)
    month.join("Cobalt", "answered_minutes", funds=parse_amount("200.00"), document=ROTA)
    month.join("Dune", "started_minute", funds=parse_amount("200.00"))


def _packages(month: Month) -> None:
    """An agency whose package one client shares and one does not, and a heavy user."""
    agency = month.join("Agency", "package_minutes", funds=parse_amount("1500.00"), card=True)
    for name in ("Kiosk", "Loner"):
        month.join(name, "package_minutes", parent_id=agency.scope.account_id, area_code="212")
    month.share_billing("Kiosk")
    month.join("Heavy", "package_minutes", funds=parse_amount("1500.00"))
    month.stage.person(FRONT_DESK, talks=None)  # to the last minute that the plan lets a call last


def _recharge(month: Month) -> None:
    for name in ("Acme", "Bolt"):
        month.join(name, "prepaid_recharge", funds=parse_amount("30.00"), card=True)
        month.recharges(name, "20.00", "30.00")
    month.stage.person(FRONT_DESK, talks=None)


def _teams(month: Month) -> None:
    for name, plan in (
        ("Small", "small_teams"),
        ("Large", "large_teams"),
        ("Grows", "small_teams"),
    ):
        month.join(name, plan, funds=0, card=True, needs_card=False, document=ROTA)


def _pool(month: Month) -> None:
    month.join("Office", "command_center", funds=0)
    month.join("Branch", "command_center_large", funds=0)
    month.stage.person(FRONT_DESK, talks=None)


def _both_legs(month: Month) -> None:
    month.join("Acme", "per_second_both_legs", funds=parse_amount("20.00"), card=True)
    month.recharges("Acme", "10.00", "20.00")
    month.join("Mona", "per_second_postpaid", funds=0)
    month.stage.person(FRONT_DESK, talks=None)


def _card_is_declined(month: Month) -> None:
    month.stage.cards.tell("4242", "insufficient_funds")


def _card_pays(month: Month) -> None:
    month.stage.cards.tell("4242", "pays")


CARD_DEATHS = frozenset({"settle", "renewals", "statement", "carrier"})
MARATHON = 13_980.0  # seconds; four hours are the plans' ceiling

OPERATORS = (
    Operator(
        "payg",
        42,
        _payg,
        ("Acme", "Cobalt", "Dune"),
        ("Acme",),
        kinds=frozenset({"usage", "sms", "rental"}),
    ),
    Operator(
        "S1 packages of minutes",
        11,
        _packages,
        ("Kiosk", "Kiosk", "Kiosk", "Kiosk", "Agency", "Agency", "Agency", "Heavy"),
        ("Kiosk", "Loner", "Heavy"),
        {
            1: lambda month: month.buy_package("Agency", "local_10k"),
            2: lambda month: month.buy_package("Heavy", "local_10k"),
            9: lambda month: month.pay("Agency", "250.00"),
        },
        calls_a_day=(1, 2, 2, 2, 3),
        patience=(*[MARATHON] * 6, 83.0),
        kinds=frozenset({"usage", "draw", "package", "issue", "expire", "sms", "rental", "topup"}),
        order_matters=range(20, DAYS + 1),
    ),
    Operator(
        "S2 prepaid with recharge",
        12,
        _recharge,
        ("Acme", "Bolt"),
        ("Acme", "Bolt"),
        {
            4: lambda month: month.pay("Bolt", "25.00"),
            12: _card_is_declined,
            15: _card_pays,
        },
        texts_a_day=(0, 0, 1, 2),
        patience=(6_000.0, 3_000.0, 700.0, 12.0),
        kinds=frozenset({"usage", "sms", "rental", "topup"}),
        deaths=CARD_DEATHS,
    ),
    Operator(
        "S3 teams on a daily card",
        13,
        _teams,
        ("Small", "Large", "Grows"),
        ("Small", "Large", "Grows"),
        {14: lambda month: month.change_plan("Grows", "large_teams")},
        nights_apart=1,  # a card is billed by the business day
        kinds=frozenset({"usage", "sms", "rental", "topup", "access_fee", "plan_change"}),
        deaths=CARD_DEATHS,
    ),
    Operator(
        "S4 a pool of minutes",
        14,
        _pool,
        ("Office", "Branch"),
        (),
        {8: lambda month: month.upgrade("Office", "command_center_large")},
        texts_a_day=(0,),
        patience=(MARATHON, MARATHON, 700.0, 12.0, 83.0),
        order_matters=range(DAYS + 1),
        kinds=frozenset({"draw", "issue", "expire", "access_fee", "rental"}),
    ),
    Operator(
        "S5 both legs by the second",
        15,
        _both_legs,
        ("Acme", "Mona"),
        ("Acme", "Mona"),
        {31: lambda month: month.pay_bills("Mona")},
        patience=(6_000.0, 1_500.0, 700.0, 40.0),
        kinds=frozenset({"usage", "sms", "rental", "topup"}),
        deaths=CARD_DEATHS,
    ),
)


# What a month is compared by.

SOMEBODY = re.compile(
    r"\b(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
    r"(?:CA|SM)[0-9a-f]{32})\b"
)


@dataclass
class Books:
    """A house's money with every id told by what it stands for, so that two houses compare.

    Left out is what says when and in which order a line was written: instants (not days), seqs,
    running balances, receipts, and the numbers of statements, which follow the order of issue.
    """

    month: Month
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place = {sid: number for number, sid in enumerate(self.month.calls)}
        self.names |= {sid: f"call {number}" for sid, number in place.items()}
        for name, member in sorted(self.month.cast.items()):
            self._name(member.scope.account_id, name)
        self.accounts = {member.scope.account_id: n for n, member in self.month.cast.items()}
        for did in self._rows(DidRow):
            self._name(did.id, name := f"number of {self._owner(did)}")
            self.names |= {did.e164: name, pretty(did.e164): name}
        seen: Counter[str] = Counter()
        for leg in sorted(self._rows(LegRow), key=lambda leg: (leg.started_at, leg.to_address)):
            if leg.kind != "inbound":
                told = f"{self.names[leg.call_sid]} to {leg.to_address}"
                seen[told] += 1
                self.names[leg.leg_sid] = f"{told}, {seen[told]}"
        for row in self._rows(MessageRow):
            if row.direction == "outbound" and row.carrier_sid:
                sent = row.idempotency_key.replace(" again", "")
                self.names[row.carrier_sid] = f"{sent} of {self._owner(row)}"
        for table, noun in ((MessageRow, "text"), (PackageRow, "package"), (ChargeRow, "charge")):
            counted: Counter[str] = Counter()
            for row in sorted(self._rows(table), key=lambda row: row.id):
                if noun == "text" and row.direction == "outbound":
                    continue
                counted[owner := self._owner(row)] += 1
                self._name(row.id, told := f"{noun} {counted[owner]} of {owner}")
                if noun == "text" and row.carrier_sid:
                    self.names[row.carrier_sid] = told
        for row in self._rows(BucketRow):
            owner = f"{self._owner(row)} {row.offer_code or ''} {row.n}.{row.upgrade}"
            self._name(row.id, f"{row.kind} of {owner}")

    def _name(self, id: uuid.UUID, name: str) -> None:
        self.names |= {id.hex: name, str(id): name}

    def _owner(self, row: Any) -> str:
        return self.accounts[row.account_id]

    def _rows(self, table: type[Any]) -> list[Any]:
        tenants = {member.scope.tenant_id: member.scope for member in self.month.cast.values()}
        return [row for scope in tenants.values() for row in self.month.stage.rows(table, scope)]

    def told(self, words: str | None) -> str | None:
        if words is None:
            return None
        for id, name in self.names.items():
            if id in words:
                words = words.replace(id, name)
        return SOMEBODY.sub("*", words)

    def postings(self) -> list[tuple[Any, ...]]:
        return sorted(
            (
                self._owner(row),
                row.kind,
                row.unit,
                row.amount_micros,
                self.told(row.key),
                self.told(row.debit),
                self.told(row.credit),
                self.told(row.call_sid or ""),
                self.told(row.leg_sid or ""),
                row.rate_micros or 0,
                row.billed_seconds or 0,
                self.told(row.reverses_key or ""),
                self.told(row.description),
                self._day(row.at),
            )
            for row in self._rows(PostingRow)
        )

    def balances(self) -> list[tuple[Any, ...]]:
        return sorted(
            (self.told(row.name), row.unit, row.balance_micros)
            for row in self._rows(LedgerAccountRow)
        )

    def buckets(self) -> list[tuple[Any, ...]]:
        """Their seconds are balances."""
        return sorted(
            (
                self.names[row.id.hex],
                self._owner(row),
                str(row.starts_at),
                str(row.ends_at),
                row.closed_at is not None,
            )
            for row in self._rows(BucketRow)
        )

    def charges(self) -> list[tuple[Any, ...]]:
        return [
            (
                self.names[row.id.hex],
                row.purpose,
                row.state,
                row.net_micros,
                row.vat_micros,
                row.credited_micros,
                row.decline_code,
            )
            for row in sorted(self._rows(ChargeRow), key=lambda row: self.names[row.id.hex])
        ]

    def statements(self) -> list[tuple[Any, ...]]:
        return sorted(
            (
                self._owner(row),
                str(row.starts_on),
                str(row.ends_on),
                str(row.due_on),
                row.opening_micros,
                row.charges_micros,
                row.credits_micros,
                row.vat_micros,
                row.closing_micros,
                row.owed_micros,
                self._document(row.document),
            )
            for row in self._rows(StatementRow)
        )

    def _document(self, document: Mapping[str, Any]) -> str:
        """Its lines and totals; their order is that in which they were posted."""
        kept = {key: value for key, value in document.items() if key != "number"}
        kept["credits"] = [
            {**line, "at": self._day(dt.datetime.fromisoformat(line["at"]))}
            | {"balance_after_micros": None}
            for line in document["credits"]
        ]
        for lines in ("charges", "credits", "seconds", "clients"):
            kept[lines] = sorted(json.dumps(line, sort_keys=True) for line in kept[lines] or ())
        return self.told(json.dumps(kept, sort_keys=True)) or ""

    def _day(self, at: dt.datetime) -> str:
        return f"{at.astimezone(NEW_YORK):%Y-%m-%d}"

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        return {
            "postings": self.postings(),
            "balances": self.balances(),
            "buckets": self.buckets(),
            "charges": self.charges(),
            "statements": self.statements(),
        }


def digest(content: Mapping[str, Sequence[tuple[Any, ...]]]) -> str:
    return sha256(repr(sorted(content.items())).encode()).hexdigest()
