"""Every rule that the five operators publish: what holds it, and where it is proven.

Tests in this folder find their rules by themselves, by the ids in their names and parameters;
`elsewhere` names those that prove an edge of a rule in another folder. A setting is the JSON path
of a field of the plan document, `*` for each entry of a list. `page.py` makes docs/rules.md of it.
"""

from dataclasses import dataclass

OPERATORS = {
    "S1": ("Pre-paid packages of minutes", ("package_minutes",)),
    "S2": ("A pre-paid balance with automatic recharge", ("prepaid_recharge",)),
    "S3": ("Subscriptions and daily card billing", ("small_teams", "large_teams")),
    "S4": ("A pool of minutes per billing cycle", ("command_center", "command_center_large")),
    "S5": ("Both legs by the second, bills", ("per_second_both_legs", "per_second_postpaid")),
}
RULES_OF = {"S1": 19, "S2": 20, "S3": 25, "S4": 14, "S5": 20}
NUMBERS_AND_PORTING = "numbers and porting"
MENUS_AND_QUEUES = "menus, queues and agents"
POOL: dict[str, object] = {"minutes": 100}
CREDIT: dict[str, object] = {"/mode": "postpaid", "/credit_limit": "500.00"}


@dataclass(frozen=True, slots=True)
class Rule:
    """`held_by` says in words what holds a rule that is no setting of a plan; `waits_for` names
    the piece of work that will bring what is missing."""

    id: str
    words: str
    settings: tuple[str, ...] = ()
    held_by: str = ""
    elsewhere: tuple[str, ...] = ()
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where operators disagree: `sides` are changes to a plan document, each a way to sell that
    one of them publishes. Every side is a valid plan."""

    id: str
    words: str
    sides: tuple[tuple[str, dict[str, object]], ...]
    elsewhere: tuple[str, ...]


RULES = (
    Rule(
        "S1-01",
        "Minutes and numbers are paid as they are used.",
        ("/tariff/increment", "/tariff/inbound/*/per_minute", "/tariff/rental/*/per_month"),
        elsewhere=(
            "billing/test_rating.py::"
            "test_s1_01_without_a_package_each_leg_pays_the_plan_rate_by_the_started_minute",
            "billing/test_rentals.py::"
            "test_s1_01_a_number_bought_and_released_on_one_day_pays_one_month",
        ),
    ),
    Rule(
        "S1-02",
        "A package is minutes paid in advance at a lower price than the plan's.",
        ("/packages/*/minutes", "/packages/*/price"),
        elsewhere=(
            "billing/test_plan_checks.py::"
            "test_a_package_dearer_than_the_plan_is_shown_before_publishing",
            "services/test_packages.py::"
            "test_s1_02_a_call_that_began_before_the_purchase_draws_nothing",
            "services/test_packages.py::"
            "test_s1_02_a_purchase_that_the_balance_does_not_cover_takes_nothing",
        ),
    ),
    Rule(
        "S1-03",
        "Minutes beyond the package cost the regular rate; a leg across the boundary is split.",
        ("/exhaustion",),
        elsewhere=(
            "services/test_packages.py::test_s1_03_a_leg_that_crosses_the_boundary_is_two_lines",
            "journeys/test_minutes.py::"
            "test_s1_03_s4_10_many_drains_never_draw_the_last_minute_twice",
        ),
    ),
    Rule(
        "S1-04",
        "Local and toll-free numbers have packages of their own.",
        ("/packages/*/number_type", "/packages/*/leg_scope"),
        elsewhere=("billing/test_packages.py::test_s1_04_both_kinds_owned_at_once_stay_apart",),
    ),
    Rule(
        "S1-05",
        "Settings, Billing, Buy package: three clicks; 403 without the right to pay.",
        held_by="the pages and their roles",
        elsewhere=(
            "web/test_packages.py::test_s1_05_settings_billing_buy_package_are_three_clicks",
            "web/test_packages.py::test_s1_05_a_member_sees_packages_and_gets_403_for_buying",
        ),
    ),
    Rule(
        "S1-06",
        "The page of packages shows the kind: type, size, region, price.",
        ("/packages/*/code", "/packages/*/region_set"),
        elsewhere=(
            "web/test_packages.py::"
            "test_s1_06_to_s1_10_the_page_shows_kind_renewal_used_remaining_purchaser_and_stop",
        ),
    ),
    Rule(
        "S1-07",
        "It shows the day of renewal, in the account's zone; the 31st is kept over short months.",
        held_by="the day of purchase and the account's zone",
        elsewhere=(
            "billing/test_purchases.py::"
            "test_s1_07_a_package_of_the_31st_renews_at_every_months_end_and_returns_to_31",
        ),
    ),
    Rule(
        "S1-08",
        "It shows minutes used and remaining, which are the size at every instant.",
        held_by="the ledger: minutes are postings in seconds, never counters",
        elsewhere=(
            "billing/test_purchases.py::test_s1_08_used_and_remaining_are_sums_of_the_ledger",
            "billing/test_minutes_model.py::MinutesAndMoney",
        ),
    ),
    Rule(
        "S1-09",
        "It shows who bought it, also when staff bought for a customer.",
        held_by="the purchaser's name, written down with the purchase",
        elsewhere=(
            "services/test_packages.py::"
            "test_s1_09_staff_that_buys_for_a_customer_stands_beside_its_name",
        ),
    ),
    Rule(
        "S1-10",
        "A renewal can be stopped, and taken up again until its day.",
        ("/packages/*/renew",),
        elsewhere=(
            "billing/test_purchases.py::test_a_stop_holds_for_the_renewals_after_it",
            "services/test_packages.py::test_s1_10_stop_is_idempotent_and_can_be_undone",
        ),
    ),
    Rule(
        "S1-11",
        "After a stopped package comes regular billing; a leg across its end is split by time.",
        ("/tariff/inbound/*/per_minute",),
        elsewhere=(
            "billing/test_packages.py::test_a_leg_across_the_expiry_is_split_by_time",
            "journeys/test_renewals.py::"
            "test_s1_11_after_a_stop_the_minutes_last_to_the_end_and_then_regular_billing",
        ),
    ),
    Rule(
        "S1-12",
        "Packages have 10,000 to 500,000 minutes.",
        ("/package_limits/minutes_min", "/package_limits/minutes_max"),
        elsewhere=("billing/test_terms.py::test_s1_12_the_limits_are_data_of_the_plan",),
    ),
    Rule(
        "S1-13",
        "Packages renew by the month, once each, whatever happens.",
        ("/packages/*/renew", "/renewal_without_balance"),
        elsewhere=(
            "journeys/test_renewals.py::test_s1_13_two_clocks_at_once_renew_everything_once",
            "journeys/test_renewals.py::test_s1_13_a_renewal_that_the_balance_does_not_cover",
        ),
    ),
    Rule(
        "S1-14",
        "An agency's minutes are drawn by its clients on shared billing, and by no others.",
        held_by="the billing of each client account, from an instant on",
        elsewhere=(
            "journeys/test_minutes.py::"
            "test_s1_14_a_client_draws_the_agencys_package_and_money_only_while_it_shares",
            "journeys/test_minutes.py::"
            "test_s1_14_a_client_that_moves_during_a_call_pays_as_the_call_began",
        ),
    ),
    Rule(
        "S1-15",
        "Minutes are not refundable.",
        held_by="no way back exists; staff posts an adjustment with a reason",
    ),
    Rule(
        "S1-16",
        "Minutes do not roll over: they end with a line of their own.",
        ("/rollover/mode",),
        elsewhere=(
            "journeys/test_renewals.py::"
            "test_s1_16_unused_minutes_expire_with_a_line_and_the_next_month_is_full",
            "billing/test_purchases.py::"
            "test_s1_16_a_bucket_expires_only_when_every_leg_of_its_time_is_settled",
        ),
    ),
    Rule(
        "S1-17",
        "Packages are for the US and Canada, without Hawaii and Alaska.",
        ("/region_sets/*/include/countries", "/region_sets/*/exclude/area_codes"),
        elsewhere=(
            "billing/test_regions.py::test_us_and_canada_without_hawaii_and_alaska_is_808_and_907",
            "services/test_packages.py::test_s1_17_only_numbers_of_the_region_set_draw",
        ),
    ),
    Rule(
        "S1-18",
        "A package is an option: an account works without.",
        ("/packages",),
        elsewhere=("services/test_packages.py::test_s1_18_a_plan_without_packages_offers_none",),
    ),
    Rule(
        "S1-19",
        "The operator's telephone number for questions is shown.",
        ("/support_contact",),
    ),
    Rule(
        "S2-01",
        "Numbers are sold under every plan.",
        ("/tariff/rental/*/per_month",),
        elsewhere=(
            "billing/test_terms.py::"
            "test_s2_01_s1_18_nothing_but_the_tariff_is_needed_to_sell_numbers_and_calls",
        ),
    ),
    Rule("S2-02", "Service is paid before it is used.", ("/mode", "/min_balance_to_start")),
    Rule(
        "S2-03",
        "Two charges: rent by the month, and talk time of calls that come in.",
        ("/tariff/rental/*/per_month", "/tariff/billable_legs"),
        elsewhere=(
            "journeys/test_balance.py::"
            "test_s2_03_a_plan_for_inbound_talk_charges_one_leg_in_started_minutes",
        ),
    ),
    Rule(
        "S2-04",
        "Rent is collected in advance, on the day of purchase of each month, once.",
        ("/tariff/rental/*/per_month", "/renewal_without_balance"),
        elsewhere=(
            "journeys/test_renewals.py::"
            "test_s2_04_rent_keeps_its_anchor_over_short_months_and_the_clocks",
            "journeys/test_renewals.py::"
            "test_s2_04_a_downtime_of_ten_weeks_is_caught_up_month_by_month_once",
            "billing/test_calendar.py::test_no_anchor_day_drifts_in_48_months",
        ),
    ),
    Rule(
        "S2-05",
        "Rent is not refunded; the same number bought back pays no month twice.",
        held_by="no way back exists; the months paid are kept with the number",
        elsewhere=(
            "billing/test_rentals.py::"
            "test_the_same_number_bought_back_is_not_charged_twice_for_a_month",
        ),
    ),
    Rule(
        "S2-06",
        "Talk time accrues by the day; a call belongs to the local day on which it began.",
        held_by="daily sums in the account's zone",
        elsewhere=(
            "billing/test_metering.py::test_a_call_belongs_to_the_local_day_it_started",
            "journeys/test_balance.py::"
            "test_s2_06_a_call_over_midnight_belongs_to_the_local_day_on_which_it_began",
        ),
    ),
    Rule(
        "S2-07",
        "Talk time is charged, ringing is not.",
        ("/tariff/billable_legs/ring_time", "/tariff/billable_legs/ivr_time"),
        elsewhere=(
            "billing/test_metering.py::test_only_answered_legs_were_talked_on",
            "billing/test_metering.py::test_the_plan_says_which_time_it_charges",
        ),
    ),
    Rule(
        "S2-08",
        "The customer keeps the balance positive: it is on every page, and warnings come in time.",
        ("/alerts/balance", "/alerts/days_left"),
        elsewhere=(
            "services/test_alerts.py::"
            "test_s2_08_a_plans_thresholds_are_an_accounts_from_its_first_look_on",
            "services/test_overview.py::test_days_left_at_the_current_burn",
        ),
    ),
    Rule(
        "S2-09",
        "Rent, talk and texts lower the balance, which is the sum of its lines.",
        ("/tariff/sms",),
        elsewhere=(
            "billing/test_ledger.py::"
            "test_s2_09_the_balance_is_the_sum_of_its_postings_after_every_line",
            "services/test_messages.py::"
            "test_s2_09_every_text_has_its_line_and_every_line_its_explanation",
        ),
    ),
    Rule(
        "S2-10",
        "Automatic recharge: the customer chooses a minimum below the maximum.",
        ("/recharge/allowed", "/recharge/min", "/recharge/max"),
        elsewhere=(
            "api/test_cards.py::"
            "test_s2_10_recharge_is_chosen_within_the_plan_with_complaints_at_their_fields",
        ),
    ),
    Rule(
        "S2-11",
        "Strictly below the minimum, the card fills the balance to the maximum, once.",
        ("/recharge/min", "/recharge/max", "/recharge/daily_cap", "/recharge/monthly_cap"),
        elsewhere=(
            "journeys/test_cards.py::test_s2_11_the_amount_is_that_of_the_moment_of_the_charge",
            "journeys/test_cards.py::test_e2_many_workers_at_once_charge_once",
            "billing/test_charges.py::"
            "test_s2_11_a_success_that_is_told_three_times_is_credited_once",
        ),
    ),
    Rule(
        "S2-12",
        "Service stops below zero; exactly zero is not below.",
        ("/suspend_when", "/in_call/policy"),
        elsewhere=(
            "journeys/test_balance.py::test_a_minutes_talk_suspends_or_not",
            "billing/test_lifecycle.py::test_service_follows_the_balance",
        ),
    ),
    Rule(
        "S2-13",
        "A declined card: one mail for each decline, with the reason and where to mend it.",
        held_by="the retry schedule of cards, the same under every plan",
        elsewhere=(
            "journeys/test_cards.py::test_s2_13_one_mail_for_a_decline_with_reason_and_link_"
            "and_the_card_tried_on_days_1_3_7",
            "web/test_cards.py::"
            "test_s2_13_a_declined_payment_says_why_and_the_banner_stays_until_a_card_pays",
        ),
    ),
    Rule(
        "S2-14",
        "The address for bills is kept current: mail that comes back raises a flag and a banner.",
        held_by="the account's billing address",
        elsewhere=(
            "services/test_dunning.py::test_s2_14_a_corrected_address_takes_the_banner_down",
            "web/test_statements.py::test_s2_14_mail_that_comes_back_shows_on_every_page",
            "services/test_contacts.py::test_s2_14_a_changed_address_is_confirmed_by_its_link_once",
            "services/test_contacts.py::"
            "test_s2_14_a_new_account_is_mailed_its_link_and_listed_until_it_is_opened",
            "web/test_contacts.py::test_s2_14_the_banner_sends_the_link_and_the_link_ends_the_banner",
        ),
    ),
    Rule(
        "S2-15",
        "Numbers of an account below zero may be deleted, and people decide it.",
        ("/suspension/due_for_release_day", "/release_policy/ops_approval"),
        elsewhere=("billing/test_dunning.py::test_the_ladder_asks_for_what_is_due_and_not_done",),
    ),
    Rule(
        "S2-16",
        "A deleted number is not recoverable, and the page says so. Not yet: the days of hold "
        "before the carrier is told.",
        ("/release_policy/hold_days",),
        waits_for=NUMBERS_AND_PORTING,
    ),
    Rule(
        "S2-17",
        "One payment by card instead of the automatic recharge; it restores service.",
        ("/topup/card",),
        elsewhere=(
            "journeys/test_cards.py::"
            "test_s2_17_a_suspended_account_pays_by_card_and_its_callers_get_through",
            "web/test_cards.py::test_s2_17_a_payment_is_shown_before_it_is_made_and_made_once",
        ),
    ),
    Rule(
        "S2-18",
        "Forwarding to a toll number is charged to the purchaser, on a line of its own.",
        ("/tariff/surcharges/*/per_minute",),
        elsewhere=(
            "billing/test_rentals.py::test_a_dear_destination_has_a_surcharge_on_a_line_of_its_own",
            "web/test_forwarding.py::"
            "test_a_mistake_is_refused_at_its_field_and_what_was_typed_stays",
        ),
    ),
    Rule(
        "S2-19",
        "Accounts that are not paid in full face the same ladder.",
        ("/suspension/notices", "/suspension/suspend_day"),
        elsewhere=(
            "services/test_dunning.py::"
            "test_s2_19_a_prepaid_account_is_in_arrears_from_the_day_its_money_ended",
            "billing/test_dunning.py::test_a_payment_in_full_ends_the_arrears",
        ),
    ),
    Rule(
        "S2-20",
        "Numbers are released for transfer where the account is in good standing.",
        waits_for=NUMBERS_AND_PORTING,
    ),
    Rule(
        "S3-01",
        "A month can be cancelled at any time; what becomes of the numbers is shown before.",
        ("/cancellation/effective",),
        elsewhere=(
            "journeys/test_renewals.py::"
            "test_s3_01_a_cancelled_month_ends_with_its_period_and_can_be_taken_up_before",
            "web/test_packages.py::test_s3_01_what_a_cancellation_ends_is_shown_before_it_is_done",
        ),
    ),
    Rule(
        "S3-02",
        "A year is paid in advance and lasts to the end of its anniversary.",
        ("/access_fee/year", "/cancellation/effective"),
        elsewhere=(
            "billing/test_subscriptions.py::"
            "test_s3_02_the_last_second_of_an_annual_term_is_23_59_59_of_the_anniversary",
        ),
    ),
    Rule(
        "S3-03",
        "The plan is changed by asking staff, with a preview of what it costs.",
        ("/upgrade/channel", "/upgrade/fee"),
        elsewhere=(
            "journeys/test_renewals.py::"
            "test_s3_03_a_change_asked_for_is_previewed_decided_and_applied_on_its_day",
            "ops/test_truth.py::test_s3_03_staff_moves_an_account_from_a_day_on",
        ),
    ),
    Rule(
        "S3-04",
        "Access renews by the month or year, once each; the next date is shown.",
        ("/access_fee/month", "/renewal_without_balance"),
        elsewhere=(
            "billing/test_subscriptions.py::"
            "test_s3_04_each_term_is_charged_once_and_none_after_a_cancellation",
        ),
    ),
    Rule(
        "S3-05",
        "The larger plan is cheaper for every unit than the smaller one.",
        ("/better_than",),
        elsewhere=(
            "services/test_publications.py::"
            "test_s3_05_a_better_tier_that_is_not_cheaper_is_asked_about_from_both_sides",
        ),
    ),
    Rule(
        "S3-06",
        "Nothing is refunded.",
        held_by="`refunds`: none, unless a plan says otherwise",
        elsewhere=(
            "billing/test_subscriptions.py::"
            "test_s3_06_a_cheaper_plan_costs_nothing_now_and_gives_nothing_back",
        ),
    ),
    Rule(
        "S3-07",
        "Service begins with a card; its number is never kept.",
        ("/mode",),
        elsewhere=(
            "services/test_charges.py::test_s3_07_staff_may_let_an_account_pay_by_other_means",
        ),
    ),
    Rule(
        "S3-08",
        "The card pays access and usage; pay-as-you-go has no access fee.",
        ("/access_fee/month",),
        elsewhere=("billing/test_catalogue.py::test_s3_08_pay_as_you_go_has_no_access_fee",),
    ),
    Rule(
        "S3-09",
        "Usage is totalled at the end of each business day and put on the card, once.",
        ("/settlement", "/settlement_minimum"),
        elsewhere=(
            "journeys/test_cards.py::"
            "test_s3_09_a_business_days_use_is_put_on_the_card_once_the_day_is_over",
            "services/test_settling.py::"
            "test_s3_09_a_weekend_lands_on_the_monday_after_it_dst_and_all",
            "billing/test_calendar.py::"
            "test_s3_09_business_days_divide_a_year_without_gap_or_overlap",
        ),
    ),
    Rule(
        "S3-10",
        "Calls go to one phone or several; ten ring together at most.",
        held_by="the forwarding plan",
        elsewhere=(
            "routing/test_plans.py::test_s3_10_ten_phones_may_ring_together",
            "routing/test_plans.py::"
            "test_a_plan_that_would_fail_is_refused_with_the_path_of_the_field",
        ),
    ),
    Rule(
        "S3-11",
        "Patterns of ringing can be added; an unknown one is refused.",
        held_by="the registry of patterns",
        elsewhere=(
            "api/test_numbers.py::test_a_wrong_plan_is_refused_with_the_path_of_the_field"
            "[S3-11 an unknown pattern]",
        ),
    ),
    Rule(
        "S3-12",
        "Countries are enabled by name, and only where they have a price.",
        ("/allowed_countries", "/tariff/outbound/*/prefixes"),
        elsewhere=(
            "routing/test_plans.py::"
            "test_s3_12_a_destination_without_a_rate_is_refused_when_the_plan_is_saved",
            "routing/test_plans.py::test_s3_12_a_country_is_dialled_once_it_is_enabled",
            "routing/test_numbering.py::test_what_fraud_dials_is_refused_with_a_reason",
        ),
    ),
    Rule(
        "S3-13",
        "Telephones, SIP endpoints and browsers may be rung, also together.",
        held_by="the forwarding plan",
        elsewhere=(
            "routing/test_twiml.py::test_s3_13_each_kind_of_phone_has_its_noun_in_one_dial",
        ),
    ),
    Rule(
        "S3-14",
        "All ring at once; the first to answer is charged, the others are not.",
        held_by="the forwarding plan",
        elsewhere=(
            "routing/test_decisions.py::"
            "test_s3_14_phones_ring_together_and_the_carrier_gets_one_dial",
            "journeys/test_callers.py::test_only_a_pressed_one_takes_a_call_that_asks_for_it",
        ),
    ),
    Rule(
        "S3-15",
        "One after the other; a caller who hangs up ends it.",
        held_by="the forwarding plan",
        elsewhere=(
            "journeys/test_callers.py::"
            "test_s3_15_the_next_phone_rings_when_the_one_before_did_not_take_it",
            "journeys/test_callers.py::test_s3_15_a_caller_who_hangs_up_stops_the_round",
            "routing/test_plans.py::test_s3_15_nobody_is_kept_ringing_for_more_than_half_an_hour",
        ),
    ),
    Rule(
        "S3-16",
        "By the caller's place; the most specific rule wins, a withheld number takes the default.",
        held_by="the forwarding plan",
        elsewhere=(
            "routing/test_decisions.py::"
            "test_s3_16_rules_of_different_precision_may_stand_in_any_order",
            "routing/test_geography.py::test_s3_16_a_withheld_caller_is_nowhere",
        ),
    ),
    Rule("S3-17", "Menus: a digit takes a branch.", waits_for=MENUS_AND_QUEUES),
    Rule("S3-18", "Queues with music, position and a longest wait.", waits_for=MENUS_AND_QUEUES),
    Rule(
        "S3-19",
        "One tracking number for each 25 visitors a day: advice only.",
        waits_for=NUMBERS_AND_PORTING,
    ),
    Rule("S3-20", "One number for each offline channel.", waits_for=NUMBERS_AND_PORTING),
    Rule("S3-21", "A number for each agent of a contact centre.", waits_for=MENUS_AND_QUEUES),
    Rule("S3-22", "Porting in is free, in the US and Canada only.", waits_for=NUMBERS_AND_PORTING),
    Rule("S3-23", "A port begins by asking staff.", waits_for=NUMBERS_AND_PORTING),
    Rule("S3-24", "A port takes two to four weeks.", waits_for=NUMBERS_AND_PORTING),
    Rule("S3-25", "A number that is ported is never dead.", waits_for=NUMBERS_AND_PORTING),
    Rule(
        "S4-01",
        "The minutes left are on every page.",
        ("/pool/minutes",),
        elsewhere=("web/test_packages.py::test_s4_01_the_minutes_left_stand_on_every_page",),
    ),
    Rule(
        "S4-02",
        "Figures are those of the billing cycle, not of the month.",
        ("/statement/period", "/statement/anchor_day"),
        elsewhere=(
            "billing/test_calendar.py::"
            "test_s4_02_a_cycle_from_the_17th_runs_to_the_16th_in_the_accounts_zone",
            "journeys/test_minutes.py::"
            "test_s4_02_the_figures_are_those_of_the_cycle_not_of_the_month",
        ),
    ),
    Rule(
        "S4-03",
        "Time allocated, used and remaining; an overrun shows as nothing remaining.",
        ("/pool/minutes",),
        elsewhere=(
            "billing/test_pools.py::test_allocated_used_and_remaining_come_from_the_ledger",
            "billing/test_minutes_model.py::MinutesAndMoney",
        ),
    ),
    Rule(
        "S4-04",
        "A plan includes minutes in each cycle.",
        ("/pool/minutes", "/included/minutes"),
        elsewhere=(
            "billing/test_pools.py::test_s4_04_included_minutes_are_a_pool_by_another_name",
        ),
    ),
    Rule(
        "S4-05",
        "A first upgrade gives the full complement, on whichever day; once a cycle.",
        ("/upgrade/allowance",),
        elsewhere=(
            "billing/test_pools.py::test_an_upgrade_grants_the_whole_complement_once_per_cycle",
            "services/test_pools.py::"
            "test_s4_05_a_full_complement_comes_once_also_where_the_cycle_began_with_it",
        ),
    ),
    Rule(
        "S4-06",
        "Minutes are reset on the date of the cycle, not added to; a call across it is split.",
        ("/rollover/mode", "/statement/anchor_day"),
        elsewhere=(
            "billing/test_packages.py::"
            "test_s4_06_a_call_across_the_reset_draws_each_cycle_for_its_own_seconds",
            "services/test_pools.py::"
            "test_s4_02_s4_06_a_new_day_of_the_cycle_leaves_no_day_without_minutes",
        ),
    ),
    Rule("S4-07", "Minutes are billed with the plan.", ("/settlement", "/access_fee/month")),
    Rule(
        "S4-08",
        "A call that is on when the minutes run out goes on.",
        ("/in_call/policy", "/in_call/overrun_price", "/in_call/hard_ceiling_seconds"),
        elsewhere=(
            "billing/test_lifecycle.py::test_s4_08_no_call_lasts_longer_than_the_fraud_ceiling",
        ),
    ),
    Rule(
        "S4-09",
        "No new call without minutes, also while another call overruns.",
        ("/exhaustion",),
        elsewhere=("billing/test_pools.py::test_no_new_call_starts_on_an_empty_pool",),
    ),
    Rule(
        "S4-10",
        "One pool for all staff and devices.",
        ("/pool/scope",),
        elsewhere=(
            "journeys/test_minutes.py::"
            "test_s1_03_s4_10_many_drains_never_draw_the_last_minute_twice",
        ),
    ),
    Rule(
        "S4-11",
        "No single minutes are sold; where a plan sells bundles, they are data.",
        ("/topup/manual", "/topup/card", "/topup/bundles"),
        elsewhere=(
            "billing/test_bundles.py::test_s4_11_bundles_are_sold_in_the_sizes_that_the_plan_lists",
            "services/test_pools.py::test_s4_11_what_lasts_the_cycle_ends_with_the_one_that_runs",
            "services/test_bundles.py::"
            "test_s4_11_a_plan_that_sells_no_single_minutes_says_what_to_do_instead",
        ),
    ),
    Rule(
        "S4-12",
        "A larger plan has more seats and more calls at once.",
        ("/entitlements/seats", "/entitlements/concurrent_calls"),
        elsewhere=("services/test_packages.py::test_s4_12_seats_are_those_of_the_plan",),
    ),
    Rule(
        "S4-13",
        "A call counts when it is longer than 30 seconds, and then whole.",
        ("/tariff/free_until_seconds", "/tariff/threshold_mode"),
        elsewhere=("billing/test_rating.py::test_talk_is_billed_in_the_increments_of_the_plan",),
    ),
    Rule(
        "S4-14",
        "Only calls that somebody took count.",
        ("/tariff/billable_legs",),
        elsewhere=(
            "journeys/test_callers.py::"
            "test_s4_14_an_unanswered_call_costs_nothing_however_long_it_rings",
            "billing/test_rating.py::test_c1_command_center_counts_answered_calls_over_30_s",
        ),
    ),
    Rule(
        "S5-01",
        "Prices are shown by the minute.",
        ("/tariff/inbound/*/per_minute", "/tariff/outbound/*/per_minute"),
        elsewhere=(
            "billing/test_statements.py::"
            "test_s5_01_every_leg_is_a_row_with_seconds_rate_and_charge",
            "billing/test_rate_page.py::"
            "test_s5_01_a_minute_of_talk_costs_the_price_per_minute_that_is_shown",
        ),
    ),
    Rule(
        "S5-02",
        "Calls are charged by the second: 1 min 23 s is 83 s.",
        ("/tariff/increment", "/tariff/rounding"),
        elsewhere=(
            "billing/test_ledger.py::test_s5_02_the_wallet_after_83_s_holds_49_930834",
            "billing/test_rating.py::test_talk_is_billed_in_the_increments_of_the_plan",
        ),
    ),
    Rule(
        "S5-03",
        "Texts in and out are charged; failed ones by the plan; STOP is obeyed.",
        ("/tariff/sms/charge_failed", "/tariff/sms/charge_undelivered"),
        elsewhere=(
            "journeys/test_texts.py::test_s5_03_failed_texts_follow_the_plans_policy",
            "billing/test_opt_outs.py::test_the_last_wish_of_the_far_end_holds",
        ),
    ),
    Rule(
        "S5-04",
        "A text that comes in costs one cent, however long.",
        ("/tariff/sms/inbound_flat",),
        elsewhere=(
            "journeys/test_texts.py::"
            "test_s5_04_a_text_that_comes_in_costs_one_flat_price_however_long",
        ),
    ),
    Rule(
        "S5-05",
        "A text that goes out costs what its country costs; without a price it is refused.",
        ("/tariff/sms/outbound/*/price",),
        elsewhere=(
            "billing/test_messages.py::test_s5_05_a_message_without_a_price_is_refused_never_free",
        ),
    ),
    Rule(
        "S5-06",
        "The public page shows the prices that are billed, from the version in force.",
        held_by="the page is made from the plan that bills",
        elsewhere=(
            "billing/test_rate_page.py::test_s5_06_what_is_shown_is_what_is_billed",
            "web/test_rates.py::test_s5_06_the_page_shows_each_row_of_the_version_in_force",
        ),
    ),
    Rule(
        "S5-07",
        "The price depends on the length: alphabet and segments.",
        ("/tariff/sms/unit",),
        elsewhere=(
            "billing/test_segments.py::"
            "test_s5_07_the_count_equals_the_carriers_calculator_on_thousands_of_texts",
        ),
    ),
    Rule("S5-08", "Tracking itself is free.", held_by="no kind of posting exists for it"),
    Rule(
        "S5-09",
        "The inbound leg is charged as an inbound call.",
        ("/tariff/billable_legs/inbound", "/tariff/inbound/*/per_minute"),
    ),
    Rule(
        "S5-10",
        "The forwarded leg belongs to its call and has its own duration.",
        ("/tariff/billable_legs/forwarded", "/tariff/outbound/*/per_minute"),
        elsewhere=(
            "billing/test_rating.py::"
            "test_s5_09_s5_10_s5_11_a_forwarded_call_is_two_charges_each_on_its_own_clock",
        ),
    ),
    Rule(
        "S5-11",
        "A forwarded call is two charges; losers cost nothing; a transfer is a third leg.",
        ("/tariff/billable_legs",),
        elsewhere=(
            "journeys/test_forwarded_call.py::"
            "test_s5_11_a_forwarded_call_costs_two_charges_and_the_loser_costs_nothing",
            "billing/test_rating.py::test_s5_11_a_call_that_only_heard_the_menu_is_one_charge",
            "billing/test_rating.py::test_s5_11_c9_a_transfer_is_a_third_leg",
        ),
    ),
    Rule(
        "S5-12",
        "A number costs a fixed amount a month.",
        ("/tariff/rental/*/per_month",),
        elsewhere=("billing/test_rentals.py::test_s5_12_each_month_has_one_key",),
    ),
    Rule(
        "S5-13",
        "The first number is free for seven days of 24 hours, once in an account's life.",
        ("/tariff/rental_trial/days", "/tariff/rental_trial/scope"),
        elsewhere=(
            "billing/test_rentals.py::"
            "test_s5_13_the_trial_ends_after_7_times_24_hours_across_a_change_of_clocks",
            "billing/test_rentals.py::"
            "test_s5_13_a_number_released_in_its_trial_owes_nothing_and_has_no_second_trial",
        ),
    ),
    Rule(
        "S5-14",
        "Every further number is paid at once, also during the trial.",
        ("/tariff/rental_trial/scope",),
        elsewhere=(
            "billing/test_rentals.py::"
            "test_s5_14_a_second_number_pays_at_once_also_while_the_first_is_free",
        ),
    ),
    Rule(
        "S5-15",
        "Rent differs by country and kind.",
        ("/tariff/rental/*/country", "/tariff/rental/*/per_month"),
        elsewhere=("billing/test_rentals.py::test_rent_varies_by_country_and_type",),
    ),
    Rule(
        "S5-16",
        "A bill at the end of every month for everybody, equal to the ledger.",
        ("/statement/period",),
        elsewhere=(
            "journeys/test_statements.py::"
            "test_s5_16_s5_17_c14_every_statement_of_a_quarter_is_the_ledger_of_its_period",
            "services/test_statements.py::"
            "test_s5_16_numbers_have_no_gaps_and_a_second_run_issues_nothing",
        ),
    ),
    Rule(
        "S5-17",
        "A prepaid bill owes nothing: the credit paid it.",
        ("/mode",),
        elsewhere=(
            "services/test_statements.py::test_s5_17_c8_prepaid_owes_nothing_even_when_overdrawn",
        ),
    ),
    Rule(
        "S5-18",
        "A postpaid bill is paid by transfer or debit until a day, and reminded of after it.",
        ("/credit_limit", "/statement/due_days", "/suspension/notices"),
        elsewhere=(
            "services/test_transfers.py::test_s5_18_a_transfer_pays_the_statement_that_it_names",
            "services/test_dunning.py::"
            "test_s5_18_a_postpaid_statement_has_a_due_date_on_a_business_day",
        ),
    ),
    Rule(
        "S5-19",
        "Each credit has one receipt: amount, VAT, and the balance after it.",
        held_by="the account's country and VAT id, and the table of VAT rates",
        elsewhere=(
            "journeys/test_cards.py::"
            "test_s5_19_the_receipt_of_a_card_payment_shows_its_vat_and_the_card_pays_it",
            "journeys/test_cards.py::"
            "test_s5_19_a_manual_credit_has_one_receipt_and_a_correction_is_called_so",
        ),
    ),
    Rule(
        "S5-20",
        "Each charge is explained where it stands, in words and in sums.",
        held_by="explanations are made from the line and what it points to",
        elsewhere=(
            "billing/test_explain.py::test_a_charge_is_explained_where_it_stands",
            "billing/test_explain.py::test_s5_02_the_sums_of_83_s_can_be_repeated_by_hand",
        ),
    ),
)

CONFLICTS = (
    Conflict(
        "C1",
        "By the second, by the minute, or only past a threshold.",
        (
            ("by the second", {"/tariff/increment": {"initial_seconds": 1, "step_seconds": 1}}),
            (
                "by the started minute",
                {"/tariff/increment": {"initial_seconds": 60, "step_seconds": 60}},
            ),
            (
                "past 30 s, then whole",
                {
                    "/tariff/free_until_seconds": 30,
                    "/tariff/threshold_mode": "all_or_nothing",
                },
            ),
            (
                "past 30 s, the excess",
                {"/tariff/free_until_seconds": 30, "/tariff/threshold_mode": "excess_only"},
            ),
            ("a fee to connect", {"/tariff/connect_fee": "0.05"}),
            (
                "rounded up to the cent",
                {"/tariff/rounding": {"mode": "up", "scale": 2, "once_per": "leg"}},
            ),
        ),
        (
            "billing/test_rating.py::test_talk_is_billed_in_the_increments_of_the_plan",
            "billing/test_rating.py::test_a_leg_is_rounded_once_in_the_direction_of_the_tariff",
        ),
    ),
    Conflict(
        "C2",
        "A call on which the money runs out finishes, is cut, or has a grace.",
        (
            ("finishes", {"/in_call/policy": "let_finish", "/in_call/overrun_price": "plan"}),
            ("cut", {"/in_call/policy": "cut"}),
            ("a grace", {"/in_call/policy": "grace", "/in_call/grace_seconds": 60}),
            ("at most four hours", {"/in_call/hard_ceiling_seconds": 14_400}),
        ),
        (
            "journeys/test_balance.py::"
            "test_the_dial_lasts_as_long_as_the_plan_and_the_balance_allow",
            "journeys/test_balance.py::test_c2_calls_that_drain_a_balance_together_are_ended_by_rest",
        ),
    ),
    Conflict(
        "C3",
        "Service ends below zero, or at zero, or below what a call needs.",
        (
            ("below zero", {"/suspend_when": "lt_zero"}),
            ("at zero", {"/suspend_when": "lte_zero"}),
            ("a least balance to start", {"/min_balance_to_start": "1.00"}),
        ),
        (
            "billing/test_lifecycle.py::test_service_follows_the_balance",
            "journeys/test_balance.py::test_c3_a_call_needs_the_least_balance_of_its_plan_to_start",
        ),
    ),
    Conflict(
        "C4",
        "Minutes left over end, or are carried, up to a cap or without.",
        (
            ("end", {"/pool": POOL, "/rollover": {"mode": "none"}}),
            (
                "carried to a cap",
                {"/pool": POOL, "/rollover": {"mode": "capped", "cap_minutes": 10}},
            ),
            ("carried", {"/pool": POOL, "/rollover": {"mode": "unlimited"}}),
        ),
        ("billing/test_terms.py::test_c4_what_is_left_of_a_period_is_carried_as_the_plan_says",),
    ),
    Conflict(
        "C5",
        "Without minutes, calls cost the plan's rate, are refused, or upgrade the plan.",
        (
            ("the plan's rate", {"/pool": POOL, "/exhaustion": "charge_plan_rate"}),
            ("refused", {"/pool": POOL, "/exhaustion": "block_new"}),
            (
                "upgrade",
                {"/pool": POOL, "/exhaustion": "auto_upgrade", "/upgrade": {"next_plan": "larger"}},
            ),
        ),
        (
            "billing/test_pools.py::test_c5_where_the_plan_charges_its_rate_an_empty_pool_stops_nobody",
            "journeys/test_upgrades.py::"
            "test_c5_s4_05_when_the_minutes_are_used_up_the_plan_becomes_the_next_one_once",
            "journeys/test_upgrades.py::test_c5_s4_09_what_the_balance_does_not_cover_waits"
            "_and_calls_are_refused_until_money_comes",
            "billing/test_upgrades.py::"
            "test_c5_a_plan_that_leads_nowhere_useful_is_refused_at_its_field",
        ),
    ),
    Conflict(
        "C6",
        "Topped up by itself, by hand, by card alone, or not at all.",
        (
            (
                "by itself",
                {"/recharge": {"allowed": True, "min": "10.00", "max": "50.00"}},
            ),
            ("by hand", {"/topup/manual": True, "/recharge/allowed": False}),
            ("by card alone", {"/topup/manual": False, "/topup/card": True}),
            ("not at all", {"/topup/manual": False, "/topup/card": False}),
            ("by bundles", {"/topup/bundles": [{"minutes": 100, "price": "5.00"}]}),
        ),
        (
            "journeys/test_cards.py::"
            "test_c6_no_recharge_where_it_is_off_and_at_once_when_it_is_turned_on",
            "journeys/test_cards.py::test_c6_a_cap_is_never_exceeded_and_ends_with_its_day",
        ),
    ),
    Conflict(
        "C7",
        "Usage is settled at once, by the day, by the business day, or by the cycle.",
        (
            ("at once", {"/settlement": "balance_now"}),
            ("by the day", CREDIT | {"/settlement": "daily"}),
            ("by the business day", CREDIT | {"/settlement": "business_day"}),
            ("by the cycle", CREDIT | {"/settlement": "cycle"}),
        ),
        (
            "billing/test_settling.py::test_usage_lands_on_the_day_that_bills_it",
            "services/test_settling.py::test_c7_daily_counts_every_day_by_itself",
        ),
    ),
    Conflict(
        "C8",
        "Paid before, paid after, or by card in arrears.",
        (
            ("before", {"/mode": "prepaid"}),
            ("after", {"/mode": "postpaid", "/credit_limit": "500.00", "/settlement": "cycle"}),
            (
                "by card in arrears",
                {"/mode": "card_daily", "/credit_limit": "250.00", "/settlement": "business_day"},
            ),
        ),
        ("billing/test_settling.py::test_the_floor_of_a_balance_follows_from_the_mode",),
    ),
    Conflict(
        "C9",
        "Only inbound talk is charged, or both legs, or forwarding on top.",
        (
            (
                "inbound talk",
                {"/tariff/billable_legs": {"inbound": True, "forwarded": False, "transfer": False}},
            ),
            (
                "both legs",
                {"/tariff/billable_legs": {"inbound": True, "forwarded": True, "transfer": True}},
            ),
            (
                "toll numbers on top",
                {
                    "/tariff/surcharges": [
                        {"prefixes": ["44"], "label": "Britain", "per_minute": "0.05"}
                    ]
                },
            ),
            ("ringing too", {"/tariff/billable_legs/ring_time": True}),
        ),
        ("billing/test_metering.py::test_the_plan_says_which_time_it_charges",),
    ),
    Conflict(
        "C10",
        "Nothing is refunded, or card payments are; mistakes are corrected either way.",
        (
            ("nothing back", {"/refunds": "none"}),
            ("card payments", {"/refunds": "card_payments"}),
        ),
        (
            "billing/test_refunds.py::test_c10_no_plan_gives_anything_back_unless_it_says_so",
            "billing/test_refunds.py::"
            "test_c10_however_many_refunds_never_more_than_paid_nor_than_own_money",
            "journeys/test_refunds.py::"
            "test_c10_a_lost_answer_is_asked_for_and_nothing_goes_back_twice",
            "journeys/test_refunds.py::"
            "test_c10_late_news_of_a_refund_that_failed_raises_no_false_alarm",
            "services/test_reversals.py::"
            "test_c10_a_charge_is_given_back_by_a_line_that_points_at_it",
            "billing/test_ledger.py::test_an_adjustment_is_a_posting_with_reason_and_actor",
        ),
    ),
    Conflict(
        "C11",
        "Rent in advance, or with free days for the first number or for each.",
        (
            ("in advance", {"/tariff/rental_trial": None}),
            ("the first free", {"/tariff/rental_trial": {"days": 7, "scope": "first_number"}}),
            ("each free", {"/tariff/rental_trial": {"days": 7, "scope": "every_number"}}),
        ),
        ("billing/test_rentals.py::test_c11_a_plan_may_give_every_number_a_trial",),
    ),
    Conflict(
        "C12",
        "An upgrade gives and costs the whole, or the days that are left.",
        (
            ("the whole", {"/upgrade/allowance": "full", "/upgrade/fee": "full"}),
            ("the days left", {"/upgrade/allowance": "prorated", "/upgrade/fee": "prorated"}),
        ),
        (
            "billing/test_subscriptions.py::"
            "test_a_change_of_plan_is_previewed_in_full_or_by_calendar_days",
            "services/test_pools.py::"
            "test_c12_a_prorated_upgrade_adds_its_part_and_takes_nothing_away",
        ),
    ),
    Conflict(
        "C13",
        "Customers change the plan themselves, or ask.",
        (
            ("themselves", {"/upgrade/channel": "self"}),
            ("ask", {"/upgrade/channel": "ops_request"}),
        ),
        ("web/test_packages.py::test_s3_03_a_plan_is_previewed_asked_for_and_taken_back",),
    ),
    Conflict(
        "C14",
        "Statements by the calendar month or by the billing cycle.",
        (
            ("the month", {"/statement": {"period": "calendar"}}),
            ("the cycle", {"/statement": {"period": "cycle", "anchor_day": 17}}),
        ),
        (
            "services/test_statements.py::test_c14_a_statement_follows_its_own_anchor",
            "services/test_statement_cycles.py"
            "::test_c14_a_cycle_that_has_begun_keeps_its_end_for_its_statement_too",
        ),
    ),
    Conflict(
        "C15",
        "A pool is the account's own, or shared by an agency's clients.",
        (
            ("its own", {"/pool": POOL | {"scope": "account"}}),
            ("shared", {"/pool": POOL | {"scope": "agency_shared"}}),
        ),
        (
            "billing/test_pools.py::"
            "test_c15_a_pool_shared_by_the_agency_is_drawn_by_clients_on_shared_billing",
        ),
    ),
    Conflict(
        "C19",
        "Texts cost by the message or by the segment, each direction by itself.",
        (
            ("by the segment", {"/tariff/sms/unit": "segment"}),
            ("by the message", {"/tariff/sms/unit": "message"}),
            ("in by the segment", {"/tariff/sms/inbound_unit": "segment"}),
            ("failed ones too", {"/tariff/sms/charge_failed": True}),
        ),
        ("services/test_messages.py::test_c19_a_plan_counts_segments_or_messages",),
    ),
    Conflict(
        "C20",
        "Warnings of money, minutes or days left, by mail, text, webhook or on the page.",
        (
            ("by mail and on the page", {"/alerts/channels": ["email", "in_app"]}),
            ("by text and webhook", {"/alerts/channels": ["sms", "webhook"]}),
            ("of money", {"/alerts/balance": ["10.00"]}),
            ("of minutes", {"/pool": POOL, "/alerts/minutes": [100]}),
            ("of days left", {"/alerts/days_left": [3]}),
        ),
        (
            "services/test_alerts.py::"
            "test_c20_each_threshold_is_told_once_and_again_only_after_it_was_left",
        ),
    ),
)
