"""A seeded quarter of calls, texts of every plan beside it: each statement is the ledger of its
month, recomputed here with other means."""

import csv
import datetime as dt
import io
import random
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from billing.money import parse_amount
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    memberships,
    packages,
    plans,
    spreadsheet,
    statement_files,
    statement_issuing,
    statements,
)
from gateway.services.statements import StatementView

SEED = 20_260_303
CALLS = 90
NEW_YORK = ZoneInfo("America/New_York")
PACKAGE: dict[str, Any] = {
    "code": "small",
    "number_type": "local",
    "minutes": 30,
    "price": "1.01",
    "leg_scope": ["inbound", "forwarded"],
}
EXTRA: dict[str, dict[str, Any]] = {
    "paid_before": {
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "packages": [PACKAGE],
    },
    "paid_after": {
        "mode": "postpaid",
        "credit_limit": "500.00",
        "settlement": "cycle",
        "access_fee": {"month": "9.99"},
        "statement": {"period": "cycle", "anchor_day": 17},
    },
}

# The month of an account by its lines alone, without the seqs that the statement was made by.
SUMS = """
select coalesce(sum(amount_micros) filter (where credit = :wallet), 0)::bigint as came,
       coalesce(sum(amount_micros) filter (where debit = :wallet), 0)::bigint as went
  from posting where tenant_id = :tenant and (debit = :wallet or credit = :wallet)
   and at >= :since and at < :until
"""
BALANCE_THEN = """
select balance_after_micros from posting
 where tenant_id = :tenant and (debit = :wallet or credit = :wallet) and at < :until
 order by seq desc limit 1
"""


def publish(stage: World) -> None:
    with stage.units.begin() as uow:
        for code, more in EXTRA.items():
            document = load_catalogue()["payg"] | {"name": code, **more}
            plans.publish_plan(uow, code, document, "Olga")


def live(stage: World) -> list[Member]:
    """Three months: calls from the seed, and the clock each night."""
    rng = random.Random(SEED)
    publish(stage)
    prepaid = stage.join("Acme", funds=400_000_000, document=ONE_PHONE)
    postpaid = stage.join("Cobalt", plan="paid_after", document=ONE_PHONE, area_code="212")
    agency = stage.join("Agency", plan="paid_before", document=ONE_PHONE, area_code="312")
    with stage.units.begin() as uow:
        ann = Purchaser("", "ann")
        packages.buy(uow, agency.scope, "small", ann, idempotency_key="k")
    clients = []
    for n in range(2):
        client = stage.join(
            f"Client{n}",
            plan="paid_before",
            document=ONE_PHONE,
            area_code="702",
            parent_id=agency.scope.account_id,
        )
        with stage.units.begin() as uow:
            memberships.set_billing(uow, client.scope, "agency_shared", "Olga")
        clients.append(client)
    cast = [prepaid, postpaid, agency, *clients]
    stage.person(FRONT_DESK, talks=None)
    for _ in range(CALLS):
        stage.call(
            rng.choice(cast).e164,
            hangs_up_after_seconds=rng.choice([3.0, 40.0, 83.0, 611.0]),
        )
        stage.settle()
        until = stage.carrier.clock.now() + dt.timedelta(hours=rng.uniform(1, 46))
        stage.wait_until(until)
        stage.renew()
    stage.wait_until(dt.datetime(2026, 7, 2, tzinfo=NEW_YORK))
    stage.renew()
    return cast


def issued(stage: World, member: Member) -> list[StatementView]:
    """Oldest first."""
    with stage.units.read() as uow:
        return list(statements.list_statements(uow, member.scope, limit=50).items)[::-1]


def ask(stage: World, statement: str, member: Member, **more: Any) -> Any:
    known = {
        "tenant": member.scope.tenant_id,
        "wallet": f"wallet:{member.scope.account_id.hex}",
        **more,
    }
    with stage.units.read() as uow:
        return uow.connection.execute(text(statement), known).one()


def legs_of(stage: World, member: Member, view: StatementView) -> list[dict[str, str]]:
    rows = statement_files.leg_rows(stage.units, member.scope, view.id)
    return list(csv.DictReader(io.StringIO("".join(spreadsheet.csv_lines(rows)))))


def is_the_ledger(stage: World, member: Member, view: StatementView) -> None:
    stored, charges = view.stored, view.document["charges"]
    since = dt.datetime.combine(view.starts_on, dt.time(), NEW_YORK)
    until = dt.datetime.combine(view.ends_on + dt.timedelta(days=1), dt.time(), NEW_YORK)
    sums = ask(stage, SUMS, member, since=since, until=until)
    assert stored.credits_micros - stored.charges_micros == sums.came - sums.went
    (then,) = ask(stage, BALANCE_THEN, member, until=until)
    assert stored.closing_micros == then
    invoice = view.document["invoice"]
    assert abs((invoice["net_micros"] if charges else 0) - stored.charges_micros) <= 5_000
    assert not charges or len(invoice["lines"]) == len(charges)
    prepaid = view.document["mode"] == "prepaid"
    assert stored.owed_micros == (0 if prepaid else max(0, -then)), "S5-17"
    assert stored.charges_micros == sum(line["amount_micros"] for line in charges)
    usage = [line for line in charges if line["kind"] == "usage"]
    assert all(line["rate_micros"] is not None and line["number"] for line in usage)
    rows = legs_of(stage, member, view)
    charged = sum(parse_amount(row["charge"]) for row in rows)
    assert charged == sum(line["amount_micros"] for line in usage), "the CSV has every leg"


def test_s5_16_s5_17_c14_every_statement_of_a_quarter_is_the_ledger_of_its_period(
    stage: World,
) -> None:
    cast = live(stage)
    stage.prove_ledger()
    for member in cast:
        views = issued(stage, member)
        assert len(views) >= 4, "March to June, or the cycles of the 17th"
        for view in views:
            is_the_ledger(stage, member, view)
        for before, after in pairwise(views):
            assert after.stored.opening_micros == before.stored.closing_micros
            assert after.starts_on == before.ends_on + dt.timedelta(days=1)
    shares_sum_to_the_bill(stage, cast[2])
    numbers = [view.stored.number for member in cast[2:] for view in issued(stage, member)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), "the agency's series, no gaps"


def shares_sum_to_the_bill(stage: World, agency: Member) -> None:
    """M13: to the micro; and the seconds that each drew are those of the legs."""
    shared = drawn = 0
    for view in issued(stage, agency):
        shares = view.document["clients"]
        assert [share["name"] for share in shares] == ["Agency", "Client0", "Client1"]
        assert sum(share["total_micros"] for share in shares) == view.stored.charges_micros
        shared += sum(share["used_seconds"] for share in shares)
        drawn += sum(int(row["package_seconds"]) for row in legs_of(stage, agency, view))
    assert shared == drawn > 0


def test_a_second_clock_and_a_restart_issue_the_same_statements(stage: World) -> None:
    acme = stage.join("Acme", document=None)
    stage.wait_until(dt.datetime(2026, 6, 3, tzinfo=NEW_YORK))
    stage.renew()
    first = [view.stored for view in issued(stage, acme)]
    for _ in range(2):
        stage.renew()
        assert statement_issuing.issue_due(stage.units, acme.scope, "US") == 0
    assert [view.stored for view in issued(stage, acme)] == first
    stage.work()
    with stage.units.read() as uow:
        email = accounts.get_account(uow, acme.scope).billing_email
        found = uow.connection.execute(
            text("select subject from mail where to_address = :to and subject like '%statement%'"),
            {"to": email},
        ).all()
    assert len(found) == 3, "one mail for each: March, April, May"
