"""What the demo's customers did in the weeks before the first start.

All of it is told to the services that webhooks and workers call, by a clock that stands at the
moment in question: nothing is written behind their backs, so that the demo's ledger is proven
like any other. The sandbox carrier takes the same calls into its books, and its records agree.
"""

import datetime as dt
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests

from billing.messages import MessageStatus
from billing.metering import LegStatus
from billing.purchases import Purchaser
from billing.transfers import Transfer
from gateway.config import Settings
from gateway.demo_cast import FUNDS_KEY, DemoAccount, DemoText
from gateway.providers.mail import SandboxMailer
from gateway.runtime import Runtime
from gateway.services import (
    calls,
    debit_runs,
    debits,
    mandates,
    memberships,
    message_events,
    messages,
    packages,
    plan_changes,
    refunds,
    statements,
    transfers,
)
from gateway.services.calls import LegEvent, Routed
from gateway.services.message_events import IncomingText, TextNews
from gateway.services.messages import NewText
from gateway.services.numbers import Number
from gateway.store import charges
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork
from routing.acts import Dial
from routing.facts import CallFacts
from workers import carrier, notify, renewals, settle
from workers.context import Work

DAYS = 36
"""Over the end of a month and of a billing cycle, whatever day it is today."""
HOUSE_ZONE = ZoneInfo("America/New_York")
AFTER_MIDNIGHT = dt.time(0, 10)  # periods have ended, statements are due
OFFICE_OPENED = dt.time(8, 30)
OFFICE_HOURS = (9, 18)
EVENING = dt.time(20)
SATURDAY = 5
ANSWERED_SHARE = 0.8
RING_SECONDS = 6
FICTION = "55501"  # numbers that belong to nobody
CALLERS = (("212", "NY"), ("415", "CA"), ("305", "FL"), ("512", "TX"), ("617", "MA"))
CALLS_PER_IMPORT = 200
NIGHTLY = (settle.drain, renewals.drain, carrier.drain, notify.drain)
DAILY = (settle.drain, carrier.drain)  # a first start should not wait for looks by the hour
CENT = 10_000
NOON = dt.time(12)
DEBITS_UNTIL = 9  # of a month: bills are due on its second day
DEMO_SELLER = {
    "seller_iban": "DE89370400440532013000",
    "seller_creditor_id": "DE98ZZZ09999999999",
}


@dataclass
class Past:
    """The days before the first start, remembered beside the secrets: whether they were lived."""

    file: Path
    began: dt.datetime
    until: dt.datetime

    @classmethod
    def open(cls, var_dir: Path, now: dt.datetime, *, is_new: bool) -> "Past | None":
        """None where they were lived, and where there were customers before there was a past."""
        file = var_dir / "demo_past.json"
        if file.exists():
            kept = json.loads(file.read_text(encoding="ascii"))
            if kept["lived"]:
                return None
            began, until = map(dt.datetime.fromisoformat, (kept["began"], kept["until"]))
            return cls(file, began, until)
        if not is_new:
            return None
        past = cls(file, now - dt.timedelta(days=DAYS), now)
        past._keep(lived=False)
        return past

    def close(self) -> None:
        self._keep(lived=True)

    def _keep(self, *, lived: bool) -> None:
        kept = {"began": self.began.isoformat(), "until": self.until.isoformat(), "lived": lived}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(kept), encoding="ascii")


def _clock(day: dt.date, time: dt.time) -> dt.datetime:
    """What the clock on the wall in New York shows, as an instant."""
    return dt.datetime.combine(day, time, tzinfo=HOUSE_ZONE).astimezone(dt.UTC)


def at(runtime: Runtime, moment: dt.datetime) -> Runtime:
    """The same product with a clock that stands."""
    return replace(runtime, units=UnitsOfWork(runtime.units.engine, lambda: moment))


@dataclass(frozen=True, slots=True)
class Customer:
    one: DemoAccount
    scope: Scope
    lines: tuple[Number, ...]


@dataclass
class _Days:
    """All customers together, day by day, as the clock and the workers see them."""

    runtime: Runtime
    past: Past
    customers: Sequence[Customer]
    placed: list[dict[str, Any]] = field(default_factory=list)

    def live(self) -> None:
        first = self.past.began.astimezone(HOUSE_ZONE).date()
        for n in range(DAYS + 1):
            day = first + dt.timedelta(days=n)
            self._work(_clock(day, AFTER_MIDNIGHT), NIGHTLY)
            opened = max(_clock(day, OFFICE_OPENED), self.past.began)
            if opened < self.past.until:
                for customer in self.customers:
                    self._one_day(customer, n, day, opened)
            self._work(_clock(day, EVENING), DAILY)
        self._work(self.past.until, NIGHTLY)

    def _work(self, moment: dt.datetime, queues: Sequence[Callable[[Work], int]]) -> None:
        """What these queues have to do by then."""
        if not self.past.began < moment <= self.past.until:
            return
        tools = Work(at(self.runtime, moment), SandboxMailer())
        for drain in queues:
            drain(tools)

    def _one_day(self, customer: Customer, n: int, day: dt.date, opened: dt.datetime) -> None:
        one, then = customer.one, at(self.runtime, opened)
        if n < one.opens_on:
            return
        for when, code in one.packages:
            if when == n:
                _buy(then, customer, code)
        for when, code in one.stopped:
            if when == n:
                _stop(then, customer, code)
        for when, wish in one.wishes:
            if when == n:
                with then.units.begin() as uow:
                    plan_changes.request(uow, customer.scope, wish, one.person, note="We grow.")
        if one.shares_from == n:
            with then.units.begin() as uow:
                memberships.set_billing(uow, customer.scope, "agency_shared", "olga")
        if one.pays_bills:
            _pay_bills(then, customer)
        if one.iban:
            self._mandate(then, customer, n, day)
        if one.refund is not None and one.refund[0] == n:
            _give_back(then, customer, one.refund[1])
        for place, text in enumerate(one.texts):
            if text.day == n and customer.lines:
                moment = _clock(day, NOON) + dt.timedelta(minutes=place)
                if self.past.began < moment < self.past.until:
                    _text(at(self.runtime, moment), customer, text, place)
        self._calls(customer, n, day)

    def _mandate(self, then: Runtime, customer: Customer, n: int, day: dt.date) -> None:
        """Signed on the first day; in the first week of a month staff asks the bank for what is
        due, and the bank's file says that it came."""
        if n == 0:
            with then.units.begin() as uow:
                mandates.keep(
                    uow,
                    customer.scope,
                    reference="DEMO-1",
                    signed_on=day,
                    holder="",
                    iban=customer.one.iban,
                    actor="olga",
                )
        if day.day > DEBITS_UNTIL:
            return
        seller = self.runtime.settings.model_copy(update=DEMO_SELLER)
        debit_runs.prepare(then.units, seller, "olga")
        with then.units.begin() as uow:
            for one in debits.list_debits(uow, state="submitted").items:
                debit = one.debit
                if debit.collect_on <= day:
                    came = Transfer(
                        bank_id=f"demo-{debit.end_to_end_id}",
                        booked_on=day,
                        amount_micros=debit.amount_micros,
                        currency=debit.currency,
                        reference=debit.end_to_end_id,
                        payer=customer.one.name,
                    )
                    transfers.take(uow, came, "olga")

    def _calls(self, customer: Customer, n: int, day: dt.date) -> None:
        rng = random.Random(f"{customer.one.name}:{n}")
        wanted = customer.one.calls_a_day * (0.3 if day.weekday() >= SATURDAY else 1.2)
        count = int(wanted) + (rng.random() < wanted % 1)
        for number in range(count if customer.lines else 0):
            clock = dt.time(rng.randrange(*OFFICE_HOURS), rng.randrange(60), rng.randrange(60))
            begins = _clock(day, clock)
            talk = max(8, int(rng.expovariate(1 / customer.one.talk_seconds)))
            if not self.past.began < begins < self.past.until - dt.timedelta(seconds=talk + 60):
                continue
            seed = f"{customer.one.name}:{n}:{number}"
            call = _Call(seed, rng.choice(customer.lines), begins, talk, rng)
            self.placed += call.place(self.runtime, customer.scope.tenant_id)


def _buy(then: Runtime, customer: Customer, code: str) -> None:
    with then.units.begin() as uow:
        packages.buy(
            uow,
            customer.scope,
            code,
            Purchaser("", customer.one.person),
            idempotency_key=f"demo-{code}",
        )


def _stop(then: Runtime, customer: Customer, code: str) -> None:
    with then.units.begin() as uow:
        for package in packages.list_packages(uow, customer.scope).items:
            if package.offer.code == code and package.stopped_at is None:
                packages.stop_renewal(uow, customer.scope, package.id, customer.one.person)


def _pay_bills(then: Runtime, customer: Customer) -> None:
    """By bank transfer, some days before each is due."""
    with then.units.read() as uow:
        now = uow.now.date()
        due = [
            view
            for view in statements.list_statements(uow, customer.scope).items
            if view.stored.due_on is not None
            and view.outstanding_micros
            and view.stored.due_on - dt.timedelta(days=3) <= now
        ]
    for view in due:
        paid = Transfer(
            bank_id=f"demo-{view.label}",
            booked_on=now,
            amount_micros=-(-view.outstanding_micros // CENT) * CENT,
            currency=view.stored.currency,
            reference=f"Invoice {view.label}",
            payer=customer.one.name,
        )
        with then.units.begin() as uow:
            transfers.take(uow, paid, "olga")


def _give_back(then: Runtime, customer: Customer, micros: int) -> None:
    if then.till is None:
        return
    with then.units.read() as uow:
        first = charges.find_by_key(uow.connection, customer.scope, FUNDS_KEY)
    if first is not None:
        refunds.refund(
            then.units,
            then.till,
            customer.scope,
            first.id,
            amount_micros=micros,
            reason="Paid more than was wanted",
            actor="olga",
            idempotency_key="demo-refund",
        )


def _text(then: Runtime, customer: Customer, text: DemoText, place: int) -> None:
    """Told as the carrier tells it: one that came in, or one of ours with its end."""
    line = customer.lines[0]
    sid = "SM" + _sid(f"{customer.one.name}:text:{place}")[2:]
    with then.units.begin() as uow:
        if text.is_in:
            came = IncomingText(sid, text.peer, line.e164, text.body, 1, 0, uow.now)
            form = {"MessageSid": sid, "From": text.peer, "To": line.e164, "Body": text.body}
            message_events.receive(uow, came, form)
            return
        sent = messages.send(
            uow,
            customer.scope,
            NewText(line.id, text.peer, text.body),
            actor=customer.one.person,
            idempotency_key=f"demo-text-{place}",
        )
        news = TextNews(sid, MessageStatus.DELIVERED, segments=1)
        told = {"MessageSid": sid, "MessageStatus": "delivered", "To": text.peer}
        message_events.report(uow, sent.tenant_id, sent.id, news, told)


@dataclass
class _Call:
    """A call that came, was taken or not, and ended: its webhooks in order."""

    seed: str
    line: Number
    begins: dt.datetime
    talk: int
    rng: random.Random

    def place(self, runtime: Runtime, tenant_id: Any) -> list[dict[str, Any]]:
        """Tell the gateway; answers the legs as the carrier keeps them."""
        area, state = self.rng.choice(CALLERS)
        caller = f"+1{area}{FICTION}{self.rng.randrange(100):02d}"
        sid = _sid(self.seed)
        form = {"CallSid": sid, "From": caller, "To": self.line.e164, "FromState": state}
        facts = CallFacts(
            call_sid=sid,
            caller=caller,
            caller_raw=caller,
            called=self.line.e164,
            country="US",
            state=state,
        )
        with at(runtime, self.begins).units.begin() as uow:
            answer = calls.open_call(uow, facts, form)
        if not isinstance(answer, Routed):
            return []
        dial = answer.decision.dial
        taken = dial is not None and self.rng.random() < ANSWERED_SHARE
        legs = [] if dial is None else [self._leg(runtime, tenant_id, sid, dial, taken)]
        answered = self.begins + dt.timedelta(seconds=RING_SECONDS if taken else 0)
        seconds = self.talk if taken else 0
        legs.append(self._end(runtime, tenant_id, facts, answered, seconds))
        return legs

    def _leg(
        self, runtime: Runtime, tenant_id: Any, sid: str, dial: Dial, taken: bool
    ) -> dict[str, Any]:
        target = dial.targets[0]
        leg_sid = _sid(f"{self.seed}:leg")
        ended = self.begins + dt.timedelta(seconds=RING_SECONDS + (self.talk if taken else 12))
        status = LegStatus.COMPLETED if taken else LegStatus.NO_ANSWER
        event = LegEvent(
            leg_sid=leg_sid,
            status=status,
            seconds=self.talk if taken else 0,
            at=ended,
            to_address=target.address,
            target_kind=target.type,
            cursor=dial.position,
            dialled_at=self.begins,
        )
        with at(runtime, ended).units.begin() as uow:
            calls.record_leg(uow, tenant_id, sid, event, _told(event, sid))
        return _at_carrier(event, sid, self.line.e164, self.begins)

    def _end(
        self,
        runtime: Runtime,
        tenant_id: Any,
        facts: CallFacts,
        answered: dt.datetime,
        seconds: int,
    ) -> dict[str, Any]:
        ended = answered + dt.timedelta(seconds=seconds or 20)
        event = LegEvent(
            leg_sid=facts.call_sid,
            status=LegStatus.COMPLETED if seconds else LegStatus.NO_ANSWER,
            seconds=seconds,
            at=ended,
            to_address=facts.called,
            target_kind="did",
            source="status",
        )
        with at(runtime, ended).units.begin() as uow:
            calls.close_call(uow, tenant_id, event, facts, _told(event, ""))
        return _at_carrier(event, "", facts.caller_raw, self.begins)


def _told(event: LegEvent, parent: str) -> Mapping[str, Any]:
    told = {
        "CallSid": event.leg_sid,
        "CallStatus": str(event.status),
        "CallDuration": str(event.seconds),
        "To": event.to_address,
        "Timestamp": format_datetime(event.at),
    }
    return told | ({"ParentCallSid": parent} if parent else {})


def _at_carrier(event: LegEvent, parent: str, from_: str, begins: dt.datetime) -> dict[str, Any]:
    """The same leg in the carrier's books."""
    talked = event.status == LegStatus.COMPLETED
    return {
        "sid": event.leg_sid,
        "parent_call_sid": parent,
        "direction": "outbound-dial" if parent else "inbound",
        "from_": from_,
        "to": event.to_address,
        "status": str(event.status),
        "created_at": begins.isoformat(),
        "answered_at": (event.at - dt.timedelta(seconds=event.seconds)).isoformat()
        if talked
        else None,
        "ended_at": event.at.isoformat(),
    }


def _sid(seed: str) -> str:
    return "CA" + hashlib.sha256(seed.encode()).hexdigest()[:32]


def live(settings: Settings, runtime: Runtime, past: Past, customers: Sequence[Customer]) -> None:
    """Live the days that are missing; cut short, the next start lives them again and changes
    nothing twice."""
    days = _Days(runtime, past, customers)
    days.live()
    _tell_carrier(settings, days.placed)
    past.close()


def _tell_carrier(settings: Settings, placed: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(placed), CALLS_PER_IMPORT):
        answer = requests.post(
            f"{settings.sandbox_url}/sandbox/history",
            json={"calls": placed[start : start + CALLS_PER_IMPORT]},
            auth=(settings.twilio_account_sid, settings.twilio_auth_token),
            timeout=20,
        )
        if answer.status_code == 404:
            return  # another carrier's sandbox keeps no books of ours
        answer.raise_for_status()
