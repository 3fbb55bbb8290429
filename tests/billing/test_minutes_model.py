"""Wallet, packages and a pool against a reference so simple that it is plainly right."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing.calendar import billing_cycle
from billing.ledger import GENESIS, ChainRow, Posting, chain_hash, verify_chain
from billing.minutes import (
    bucket_account,
    draw_posting,
    expire_posting,
    issue_posting,
    package_price_posting,
)
from billing.packages import Bucket, draw, price_rest
from billing.pools import pool_bucket, pool_bucket_id, pool_figures
from billing.postings import SECONDS, topup_posting, usage_posting, wallet
from billing.purchases import Package, Purchaser, PurchaseRefused, may_buy, may_expire
from billing.rating import rate_leg
from billing.terms import PackageOffer, Pool
from tests.billing.buckets import ACME, NOON, PLAN_VERSION, inbound, moment
from tests.billing.plans import plan

PLAN = plan(pool={"minutes": 10}, exhaustion="charge_plan_rate")
POOL = Pool(10, "account")
OFFER = PackageOffer("tiny", "local", None, 2, 50_000, frozenset({"inbound"}), True, 100)
RATE = 50_000


class MinutesAndMoney(RuleBasedStateMachine):
    """The ledger side posts lines; the reference side keeps one number per bucket and a purse."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.postings: list[Posting] = []
        self.buckets: dict[UUID, Bucket] = {}
        self.sizes: dict[UUID, int] = {}
        self.reference: dict[UUID, int] = {}
        self.used: dict[UUID, int] = {}
        self.purse = 0
        self.serial = 0

    def number(self) -> int:
        self.serial += 1
        return self.serial

    def balance(self) -> int:
        return sum(p.signed_for(wallet(ACME)) for p in self.postings if p.unit == "USD")

    def fill(self, bucket: Bucket, seconds: int) -> None:
        line = issue_posting(
            bucket, seconds=seconds, at=self.now, plan_version_id=PLAN_VERSION, description=""
        )
        self.postings.append(line)
        self.buckets[bucket.id] = replace(bucket, remaining_seconds=seconds)
        self.sizes[bucket.id] = self.reference[bucket.id] = seconds
        self.used[bucket.id] = 0

    @initialize()
    def the_first_cycle_begins(self) -> None:
        self.reset_pool()

    def reset_pool(self) -> None:
        cycle = billing_cycle(1, self.now, "UTC")
        month = cycle.starts_on.year * 12 + cycle.starts_on.month
        self.pool_id = pool_bucket_id(UUID(int=5), month)
        if self.pool_id not in self.buckets:
            empty = pool_bucket(
                POOL, PLAN, bucket_id=self.pool_id, owner_id=ACME, remaining_seconds=0, cycle=cycle
            )
            self.fill(empty, POOL.size_seconds)

    @rule(amount=st.integers(1, 200_000))
    def top_up(self, amount: int) -> None:
        self.postings.append(
            topup_posting(
                UUID(int=self.number()),
                amount=amount,
                unit="USD",
                at=self.now,
                account_id=ACME,
                balance_before=self.balance(),
                description="",
                actor="Olga",
            )
        )
        self.purse += amount

    @rule()
    def buy_a_package(self) -> None:
        refused = may_buy("The package", OFFER.price_micros, self.balance(), 0, "USD")
        assert isinstance(refused, PurchaseRefused) is (self.purse < 50_000)
        if refused:
            return
        bought = Package(
            id=UUID(int=self.number()),
            owner_id=ACME,
            offer=OFFER,
            zone="UTC",
            anchor=date(self.now.year, self.now.month, self.now.day),
            purchased_at=self.now,
            purchaser=Purchaser("user-1", "Ann Acme"),
        )
        price = package_price_posting(
            bought,
            0,
            unit="USD",
            at=self.now,
            balance_before=self.balance(),
            plan_version_id=PLAN_VERSION,
            description="",
        )
        assert price is not None
        self.postings.append(price)
        self.purse -= 50_000
        self.fill(bought.bucket(0, 0), OFFER.size_seconds)

    @rule(talk=st.integers(0, 900))
    def a_leg_is_settled(self, talk: int) -> None:
        usage, sid = inbound(talk), f"CA{self.number()}"
        rated = rate_leg(usage, PLAN.tariff)
        at = moment(self.now)
        drawn = draw(rated.billed_seconds, usage, list(self.buckets.values()), at)
        for one in drawn.draws:
            source = self.buckets[one.bucket_id]
            self.postings.append(
                draw_posting(
                    usage,
                    one,
                    source,
                    at=self.now,
                    account_id=ACME,
                    call_sid=sid,
                    leg_sid=sid,
                    plan_version_id=PLAN_VERSION,
                    receipt_id=None,
                )
            )
            left = source.remaining_seconds - one.seconds
            self.buckets[one.bucket_id] = replace(source, remaining_seconds=left)
        charge = price_rest(rated, drawn.rest_seconds, PLAN.tariff)
        if charge:
            self.postings.append(
                usage_posting(
                    usage,
                    rated,
                    amount=charge,
                    unit="USD",
                    at=self.now,
                    account_id=ACME,
                    balance_before=self.balance(),
                    call_sid=sid,
                    leg_sid=sid,
                    plan_version_id=PLAN_VERSION,
                    receipt_id=None,
                )
            )
        self.expect(talk, self.now)
        self.now += timedelta(seconds=talk)

    def expect(self, talk: int, answered_at: datetime) -> None:
        """One second after the other: the first bucket in order that has it, else the purse."""
        order = sorted(
            self.buckets.values(), key=lambda b: (b.priority, b.expires_at, b.starts_at, b.id)
        )
        open_seconds = [answered_at + timedelta(seconds=n) for n in range(talk)]
        for bucket in order:
            if bucket.starts_at > answered_at and not bucket.continues:
                continue
            inside = [s for s in open_seconds if bucket.starts_at <= s < bucket.expires_at]
            given = inside[: self.reference[bucket.id]]
            self.reference[bucket.id] -= len(given)
            self.used[bucket.id] += len(given)
            open_seconds = [s for s in open_seconds if s not in set(given)]
        self.purse -= RATE * len(open_seconds) // 60

    @rule(days=st.integers(0, 20))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)
        for bucket in list(self.buckets.values()):
            if bucket.remaining_seconds and may_expire(bucket, self.now, None):
                line = expire_posting(bucket, seconds=bucket.remaining_seconds, at=self.now)
                self.postings.append(line)
                self.buckets[bucket.id] = replace(bucket, remaining_seconds=0)
                self.reference[bucket.id] = 0
        self.reset_pool()

    @invariant()
    def the_purse_is_the_wallet(self) -> None:
        assert self.balance() == self.purse

    @invariant()
    def s1_08_used_and_remaining_and_expired_are_the_size_by_the_ledger_alone(self) -> None:
        for bucket_id, size in self.sizes.items():
            name = bucket_account(self.buckets[bucket_id].kind, bucket_id)
            lines = [p for p in self.postings if name in (p.debit, p.credit)]
            by_other_side = {
                side: sum(p.amount for p in lines if p.credit == side)
                for side in ("seconds_used", "expired")
            }
            remaining = sum(p.signed_for(name) for p in lines)
            assert remaining == self.reference[bucket_id]
            assert by_other_side["seconds_used"] == self.used[bucket_id]
            assert remaining + by_other_side["seconds_used"] + by_other_side["expired"] == size
            assert all(p.unit == SECONDS for p in lines)

    @invariant()
    def s4_03_the_pool_says_what_is_left(self) -> None:
        if not self.buckets:
            return
        pool = self.buckets[self.pool_id]
        cycle = billing_cycle(1, self.now, "UTC")
        figures = pool_figures(POOL.size_seconds, [pool.remaining_seconds], cycle)
        assert figures.remaining_seconds == self.reference[self.pool_id]
        assert figures.overrun_seconds == 0

    def teardown(self) -> None:
        """The whole history makes a chain that holds, with one line per key."""
        assert len({p.key for p in self.postings}) == len(self.postings)
        rows, previous = [], GENESIS
        for seq, posting in enumerate(self.postings, start=1):
            current = chain_hash(previous, seq, posting)
            rows.append(ChainRow(seq, previous, current, posting))
            previous = current
        report = verify_chain(rows)
        assert report.ok, report.fault


MinutesAndMoney.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestMinutesAndMoney = MinutesAndMoney.TestCase
