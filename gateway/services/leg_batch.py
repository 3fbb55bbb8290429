"""The legs of one transaction: metered, rated, drawn from minutes, posted, added up and marked."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import structlog

from billing.fees import surcharge_posting
from billing.ledger import cost_posting, usage_posting
from billing.lifecycle import price_overrun
from billing.metering import LegStatus, LegUsage, bucket_day
from billing.packages import LegMoment, price_rest
from billing.rates import LegKind, TargetKind
from billing.rating import RatedLeg, carrier_cost, rate_leg
from billing.surcharges import rate_surcharge
from billing.tariffs import Plan
from gateway.services import audit, ledger
from gateway.services.ledger import Books
from gateway.services.minutes import Minutes
from gateway.services.plans import PlanVersion
from gateway.store import settlement
from gateway.store.base import Scope
from gateway.store.settlement import DayKey, DaySums, DueLeg, Marked, SettledLeg, Winner
from gateway.uow import UnitOfWork

log = structlog.get_logger(__name__)

LEGS_PER_MARK = 400

TARGET_KINDS: dict[str, TargetKind] = {"number": "number", "sip": "sip", "client": "client"}


@dataclass(slots=True)
class Member:
    """An account with legs in the batch."""

    books: Books
    minutes: Minutes | None

    def is_shared(self, leg: DueLeg) -> bool:
        """Whether the agency pays for it."""
        return self.minutes is not None and self.minutes.shares_with(leg.started_at) is not None


class LegBatch:
    """The legs of one transaction, all of one tenant, on their way to lines, sums and marks.

    `agency` are the books of who pays for legs that are shared; None where none of them is.
    """

    def __init__(
        self,
        uow: UnitOfWork,
        tenant_id: uuid.UUID,
        carrier: PlanVersion | None,
        sold: Mapping[uuid.UUID, Plan],
        members: Mapping[uuid.UUID, Member],
        agency: Books | None,
    ) -> None:
        self.uow = uow
        self.tenant_id = tenant_id
        self.carrier = carrier
        self.sold = sold
        self.members = members
        self.agency = agency
        self.settled: list[SettledLeg] = []
        self.sums: dict[DayKey, DaySums] = {}
        self.marked: list[Marked] = []
        self.talked: dict[str, DueLeg] = {}  # by call, the longest leg on which people talked
        self.unrated: list[DueLeg] = []

    def charges_ringing(self, leg: DueLeg) -> bool:
        return self._plan(leg).tariff.billable_legs.ring_time

    def settle(self, leg: DueLeg, bridged_seconds: int) -> None:
        usage = usage_of(leg, bridged_seconds)
        plan = self._plan(leg)
        member = self.members[leg.account_id]
        rated = rate_leg(usage, plan.tariff)
        payer, shares_with = member.books, None
        if self.agency is not None and member.is_shared(leg):
            payer, shares_with = self.agency, self.agency.scope.account_id
        in_money = rated
        if member.minutes is not None and rated.billed_seconds:
            in_money = self._draw(member, leg, usage, rated, plan, shares_with)
        charge = self._charge(payer, leg, usage, in_money, plan)
        surcharge = self._surcharge(payer, leg, usage, plan) if plan.tariff.surcharges else None
        charge += surcharge or 0
        cost = self._cost(member.books, leg, usage)
        if in_money.unrated:
            self.unrated.append(leg)
        self._mark(
            SettledLeg(
                leg.leg_sid,
                leg.ctid,
                max(0, leg.ring_seconds),
                rated.billed_seconds,
                rated.rate.per_minute_micros if rated.rate else None,
                rated.rate.label if rated.rate else None,
                charge,
                surcharge,
                cost,
            )
        )
        day = bucket_day(leg.started_at, member.books.locked.time_zone)
        self._add_up(leg, day, rated.billed_seconds, charge, cost)

    def _plan(self, leg: DueLeg) -> Plan:
        return self.sold[leg.plan_version_id]

    def _mark(self, leg: SettledLeg) -> None:
        """By the hundred, and not waited for: the server marks these while the next are priced."""
        self.settled.append(leg)
        if len(self.settled) % LEGS_PER_MARK == 0:
            self._send_marks()

    def _send_marks(self) -> None:
        unsent = self.settled[sum(sent.legs for sent in self.marked) :]
        if unsent:
            self.marked.append(
                settlement.mark_settled(
                    self.uow.connection, self.tenant_id, unsent, now=self.uow.now
                )
            )

    def _draw(
        self,
        member: Member,
        leg: DueLeg,
        usage: LegUsage,
        rated: RatedLeg,
        plan: Plan,
        shares_with: uuid.UUID | None,
    ) -> RatedLeg:
        """Seconds before money: post what the buckets give, answer what is left to pay (S1-03)."""
        paid = member.minutes
        assert paid is not None, "asked only then"
        assert leg.answered_at is not None, "a leg with billed seconds was answered"
        drawn = paid.draw(
            rated.billed_seconds,
            usage,
            LegMoment(
                account_id=leg.account_id,
                number_e164=leg.number_e164,
                began_at=leg.started_at,
                answered_at=leg.answered_at,
                shares_with=shares_with,
            ),
        )
        if not drawn.draws:
            return rated
        member.books.postings += paid.post(
            drawn,
            usage,
            at=self.uow.now,
            call_sid=leg.call_sid,
            leg_sid=leg.leg_sid,
            plan_version_id=leg.plan_version_id,
            receipt_id=leg.end_receipt_id,
        )
        seconds = drawn.paid_seconds(plan.in_call.overrun_price)
        return rated._replace(
            billed_seconds=seconds,
            charge_micros=price_rest(rated, seconds, plan.tariff),
            unrated=rated.unrated and seconds > 0,
        )

    def _charge(
        self, books: Books, leg: DueLeg, usage: LegUsage, rated: RatedLeg, plan: Plan
    ) -> int:
        amount = price_overrun(plan, rated.charge_micros, books.balance_micros).charged_micros
        if amount:
            books.balance_micros -= amount
            books.postings.append(
                usage_posting(
                    usage,
                    rated,
                    amount=amount,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    balance_before=books.balance_micros + amount,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=leg.plan_version_id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return amount

    def _surcharge(self, books: Books, leg: DueLeg, usage: LegUsage, plan: Plan) -> int | None:
        """Money also where minutes met the leg; None where its destination has none (S2-18)."""
        rated = rate_surcharge(usage, plan.tariff)
        if rated is None:
            return None
        amount = price_overrun(plan, rated.charge_micros, books.balance_micros).charged_micros
        if amount:
            books.post(
                lambda balance: surcharge_posting(
                    rated,
                    amount=amount,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    balance_before=balance,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=leg.plan_version_id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return amount

    def _cost(self, books: Books, leg: DueLeg, usage: LegUsage) -> int:
        """What the carrier takes, by its own tariff; no customer's money moves."""
        if self.carrier is None:
            return 0
        cost = carrier_cost(usage, self.carrier.plan.tariff)
        if cost.charge_micros:
            books.postings.append(
                cost_posting(
                    cost,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=self.carrier.id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return cost.charge_micros

    def _add_up(self, leg: DueLeg, day: dt.date, billed: int, charge: int, cost: int) -> None:
        key = (leg.account_id, day, leg.did_id, leg.source)
        sums = self.sums.get(key)
        if sums is None:
            sums = self.sums[key] = DaySums()
        sums.billed_seconds += billed
        sums.charge_micros += charge
        sums.cost_micros += cost
        if leg.kind == "inbound":
            sums.calls += 1
            sums.talk_seconds += leg.talk_seconds
        else:
            sums.forwarded_seconds += leg.talk_seconds
            if leg.talk_seconds and leg.confirmed is not False:
                sums.answered += self._took(leg)

    def _took(self, leg: DueLeg) -> bool:
        """Keep the longest of a call's conversations; True for the first that counts."""
        rival = self.talked.get(leg.call_sid)
        if rival is None or (-leg.talk_seconds, leg.leg_sid) < (-rival.talk_seconds, rival.leg_sid):
            self.talked[leg.call_sid] = leg
        return rival is None and not leg.counted

    def write(self) -> None:
        """Everything of this batch, or nothing: one transaction."""
        if not self.settled:
            return
        connection, tenant_id = self.uow.connection, self.tenant_id
        self._send_marks()
        for sent in self.marked:
            sent.check()
        settlement.take_off_the_queue(connection, tenant_id, self.settled)
        legs = self.talked.values()
        settlement.name_winners(
            connection,
            tenant_id,
            [Winner(leg.call_sid, leg.leg_sid, leg.answered_at) for leg in legs if not leg.counted],
        )
        settlement.name_winners_again(
            connection, tenant_id, [leg.call_sid for leg in legs if leg.counted]
        )
        settlement.roll_up(connection, tenant_id, self.sums)
        for leg in self.unrated:
            self._report_unrated(leg)
        opened = [member.books for member in self.members.values()]
        if self.agency is not None and self.tenant_id not in self.members:
            opened.append(self.agency)
        ledger.write(self.uow, *opened)

    def _report_unrated(self, leg: DueLeg) -> None:
        """A leg without a price is charged nothing, and never silently."""
        log.error(
            "settle.unrated",
            account_id=str(leg.account_id),
            call_sid=leg.call_sid,
            leg_sid=leg.leg_sid,
            to=leg.to_address,
        )
        audit.note(
            self.uow,
            Scope(self.tenant_id, leg.account_id),
            "system",
            "leg.unrated",
            leg.leg_sid,
            call_sid=leg.call_sid,
            to=leg.to_address,
        )


def usage_of(leg: DueLeg, bridged_seconds: int) -> LegUsage:
    """The leg as the rules want it."""
    return LegUsage(
        kind=cast(LegKind, leg.kind),
        status=LegStatus(leg.status),
        talk_seconds=leg.talk_seconds,
        ring_seconds=max(0, leg.ring_seconds),
        bridged_seconds=bridged_seconds,
        number_country=leg.number_country,
        number_type=leg.number_type,
        target_kind=TARGET_KINDS.get(leg.target_kind),
        target_address=leg.to_address,
    )
