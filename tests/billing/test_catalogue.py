"""The plans that ship: each way to sell calls as its operator describes it, as data alone."""

from itertools import pairwise

import pytest

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.messages import MessageStatus, MessageUsage, RatedMessage, rate_message
from billing.rating import rate_leg
from billing.surcharges import rate_surcharge
from tests.billing.buckets import HONOLULU, SAN_FRANCISCO, forwarded, inbound
from tests.billing.plans import catalogue_plan


def test_every_plan_for_sale_says_what_it_is_and_that_its_prices_are_examples() -> None:
    for name, shipped in load_catalogue().items():
        if name != CARRIER_COST:
            assert shipped["description"].endswith("Demo prices."), name


def test_plans_that_name_another_plan_name_one_that_ships() -> None:
    shipped = load_catalogue()
    for name in shipped:
        terms = catalogue_plan(name).terms
        assert {terms.better_than, terms.upgrade.next_plan} - {""} <= shipped.keys(), name


def test_package_minutes_sells_local_and_toll_free_packages_of_the_contiguous_states() -> None:
    terms = catalogue_plan("package_minutes").terms
    sizes = sorted({offer.minutes for offer in terms.packages})
    assert (sizes[0], sizes[-1]) == (10_000, 500_000), "S1-12"
    assert {offer.number_type for offer in terms.packages} == {"local", "toll-free"}, "S1-04"
    for offer in terms.packages:
        assert offer.region_set is not None
        assert offer.region_set.covers(SAN_FRANCISCO), "S1-17"
        assert not offer.region_set.covers(HONOLULU), "S1-17"
        assert offer.renews, "S1-13"
    assert (terms.exhaustion, terms.rollover.mode) == ("charge_plan_rate", "none"), "S1-03 S1-16"
    assert terms.support_contact, "S1-19"


def test_s1_12_larger_packages_are_cheaper_by_the_minute() -> None:
    offers = catalogue_plan("package_minutes").terms.packages
    for number_type in ("local", "toll-free"):
        same = [offer for offer in offers if offer.number_type == number_type]
        for small, large in pairwise(same):
            assert large.price_micros * small.minutes < small.price_micros * large.minutes


def test_prepaid_recharge_takes_rent_talk_time_and_texts_from_one_balance() -> None:
    plan = catalogue_plan("prepaid_recharge")
    assert (plan.mode, plan.suspend_when) == ("prepaid", "lt_zero"), "S2-02 S2-12"
    recharge = plan.terms.recharge
    assert recharge.allowed and 0 <= recharge.minimum_micros < recharge.maximum_micros, "S2-10"
    assert plan.terms.topup.card, "S2-17"
    assert plan.tariff.rental and plan.tariff.sms is not None, "S2-03 S2-09"
    london = forwarded(60, "+442079460000")
    assert rate_leg(london, plan.tariff).charge_micros == 0
    extra = rate_surcharge(london, plan.tariff)
    assert extra is not None and extra.charge_micros == 50_000, "S2-18"
    assert rate_surcharge(forwarded(60), plan.tariff) is None, "S2-18 at home nothing"
    assert plan.terms.suspension.due_for_release_day is not None, "S2-15"
    assert plan.terms.release_policy.ops_approval, "S2-15"


@pytest.mark.parametrize("name", ["small_teams", "large_teams"])
def test_teams_pay_access_in_advance_and_usage_by_card_each_business_day(name: str) -> None:
    plan = catalogue_plan(name)
    assert (plan.mode, plan.terms.settlement) == ("card_daily", "business_day"), "S3-09"
    fee = plan.terms.access_fee
    assert fee.month_micros > 0 and fee.year_micros is not None, "S3-02 S3-08"
    assert plan.terms.cancellation == "period_end", "S3-01"
    assert plan.terms.upgrade.channel == "ops_request", "S3-03"


def test_s3_08_pay_as_you_go_has_no_access_fee() -> None:
    assert catalogue_plan("payg").terms.access_fee.month_micros == 0


def test_command_center_has_a_pool_and_nothing_else_to_buy() -> None:
    plan, large = catalogue_plan("command_center"), catalogue_plan("command_center_large")
    pool = plan.terms.allowance
    assert pool is not None and pool.minutes == 500, "S4-04"
    assert (plan.terms.exhaustion, plan.in_call.policy) == ("block_new", "let_finish"), "S4-08"
    assert plan.in_call.overrun_price == "zero", "S4-08"
    assert not (plan.terms.topup.manual or plan.terms.topup.card or plan.terms.topup.bundles)
    assert plan.terms.statement.anchor_day == 17, "S4-02"
    assert plan.terms.settlement == "cycle", "S4-07"
    assert plan.terms.upgrade.allowance == "full", "S4-05"
    assert plan.tariff.free_until_seconds == 30, "S4-13"
    assert plan.concurrent_calls is not None and large.concurrent_calls is not None
    assert large.concurrent_calls > plan.concurrent_calls, "S4-12"
    seats = plan.terms.entitlements.seats, large.terms.entitlements.seats
    assert seats == (3, 10), "S4-12"


def test_per_second_charges_both_legs_and_texts_by_country() -> None:
    plan = catalogue_plan("per_second_both_legs")
    legs = [rate_leg(inbound(83), plan.tariff), rate_leg(forwarded(83), plan.tariff)]
    assert [leg.billed_seconds for leg in legs] == [83, 83], "S5-02 S5-11"
    assert all(leg.charge_micros == 69_166 for leg in legs), "S5-02"
    prices = plan.tariff.sms
    assert prices is not None
    received = rate_message(MessageUsage("inbound", MessageStatus.RECEIVED, 3), prices)
    assert isinstance(received, RatedMessage) and received.charge_micros == 10_000, "S5-04"
    assert plan.tariff.rental_trial.days == 7, "S5-13"
    assert plan.terms.statement.period == "calendar", "S5-16"
    postpaid = catalogue_plan("per_second_postpaid")
    assert (postpaid.mode, postpaid.terms.settlement) == ("postpaid", "cycle"), "S5-18"
