"""S5-06: the customers' price list is made from the plan that bills them: every row is billed."""

import datetime as dt
import re
from html import unescape
from uuid import UUID

import pytest

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.messages import MessageStatus, MessageUsage, rate_message
from billing.metering import LegStatus, LegUsage
from billing.packages import Bucket, LegMoment
from billing.rate_page import RateRow, rate_page
from billing.rating import rate_leg
from billing.replay import bill_leg
from billing.tariffs import Plan, parse_plan
from tests.web.conftest import Browser, World

MINUTE = 60
NOW = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)
PLANS = sorted(load_catalogue().keys() - {CARRIER_COST})


def billed(row: RateRow, plan: Plan) -> int | None:
    """What the engine takes for one unit of a row; None for what is no usage."""
    tariff = plan.tariff
    seconds = MINUTE + tariff.free_until_seconds * (tariff.threshold_mode == "excess_only")
    if row.section == "inbound":
        (key,) = (k for k, rate in tariff.inbound.items() if rate.label == row.label)
        usage = LegUsage(
            kind="inbound",
            status=LegStatus.COMPLETED,
            talk_seconds=seconds,
            bridged_seconds=seconds,
            number_country=key[0],
            number_type=key[1],
        )
        charge = rate_leg(usage, tariff).charge_micros - tariff.connect_fee_micros
        if plan.terms.allowance is None or plan.in_call.overrun_price != "zero":
            return charge
        pool = Bucket(
            id=UUID(int=1),
            kind="pool",
            owner_id=UUID(int=2),
            remaining_seconds=1,  # and beyond it the call goes on
            starts_at=NOW,
            expires_at=NOW + dt.timedelta(days=30),
            leg_scope=plan.terms.allowance.leg_scope,
            overdrawn=plan.terms.exhaustion == "block_new",
        )
        began = LegMoment(
            account_id=UUID(int=2), number_e164="+12125550100", began_at=NOW, answered_at=NOW
        )
        return bill_leg(usage, plan, balance_micros=0, buckets=[pool], moment=began).charge_micros
    if row.section == "outbound" and row.prefixes:
        charges = {
            rate_leg(
                LegUsage(
                    kind="forwarded",
                    status=LegStatus.COMPLETED,
                    talk_seconds=seconds,
                    target_kind="number",
                    target_address=f"+{prefix}",
                ),
                tariff,
            ).charge_micros
            - tariff.connect_fee_micros
            for prefix in row.prefixes
        }
        assert len(charges) == 1, "prefixes on one row cost the same"
        return charges.pop()
    if row.section == "messages" and tariff.sms is not None:
        outbound = bool(row.prefixes)
        usages = [
            MessageUsage(
                direction="outbound" if outbound else "inbound",
                status=MessageStatus.DELIVERED if outbound else MessageStatus.RECEIVED,
                segments=1,
                to=f"+{prefix}" if prefix else "",
            )
            for prefix in (row.prefixes or ("",))
        ]
        prices = {
            getattr(rate_message(usage, tariff.sms), "charge_micros", None) for usage in usages
        }
        assert len(prices) == 1
        return prices.pop()
    return None


@pytest.mark.parametrize("code", PLANS)
def test_s5_06_every_row_of_usage_costs_what_it_says(code: str) -> None:
    plan = parse_plan(load_catalogue()[code])
    if not plan.tariff.billable_legs.forwarded:
        rows = [row for row in rate_page(plan) if row.section != "outbound"]
    else:
        rows = list(rate_page(plan))
    checked = 0
    for row in rows:
        charge = billed(row, plan)
        if charge is None:
            continue
        checked += 1
        assert charge == row.price_micros, f"{row.section}: {row.label}"
    assert checked, "a plan has prices"


def test_s5_06_the_page_shows_each_row_of_the_version_in_force(world: World, acme: Browser) -> None:
    page = unescape(acme.page("/billing/rates"))
    plan = parse_plan(load_catalogue()["payg"])
    for row in rate_page(plan):
        assert row.label in page
        for prefix in row.prefixes:
            assert f"+{prefix}" in page
    shown = re.findall(r'data-label="Price" class="number">([^<]+)<', page)
    assert len(shown) == len(rate_page(plan))
    assert "PAYG, version 1" in page
    assert 'href="/billing/rates"' in acme.page("/billing")
