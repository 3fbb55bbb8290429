from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from billing.metering import LegUsage
from billing.rates import Tariff
from billing.rentals import RentedNumber, rent, rent_again, rent_key, rents_due, trial_days
from billing.surcharges import rate_surcharge
from tests.billing.buckets import forwarded, inbound
from tests.billing.plans import catalogue_plan, tariff

NEW_YORK = "America/New_York"
SECOND = timedelta(seconds=1)
TRIAL = tariff(rental_trial={"days": 7})
NO_TRIAL = tariff()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def bought(
    at: datetime, prices: Tariff = NO_TRIAL, before: int = 0, number: int = 1
) -> RentedNumber:
    return rent(
        UUID(int=number), prices, purchased_at=at, zone=NEW_YORK, numbers_bought_before=before
    )


def due(number: RentedNumber, posted: int, now: datetime) -> list[int]:
    return [period.n for period in rents_due(number, posted=posted, now=now)]


def test_s2_04_rent_is_due_at_the_purchase_and_on_its_day_of_every_month() -> None:
    number = bought(utc(2026, 1, 31, 15))
    assert due(number, -1, utc(2026, 1, 31, 15)) == [0]
    assert due(number, 0, utc(2026, 2, 28, 5) - SECOND) == []
    assert due(number, 0, utc(2026, 2, 28, 5)) == [1]
    starts = [number.period(n).starts_on for n in range(4)]
    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_s5_12_each_month_has_one_key() -> None:
    assert rent_key(UUID(int=1), 3) == f"rent:{UUID(int=1)}:3"
    number = bought(utc(2026, 1, 31, 15))
    assert due(number, 0, utc(2026, 4, 1)) == [1, 2]
    assert due(number, 2, utc(2026, 4, 1)) == []


def test_s2_05_a_released_number_owes_no_further_month_and_nothing_comes_back() -> None:
    released = replace(bought(utc(2026, 1, 31, 15)), released_at=utc(2026, 2, 10))
    assert due(released, 0, utc(2026, 6, 1)) == []


def test_s1_01_a_number_bought_and_released_on_one_day_pays_one_month() -> None:
    number = replace(bought(utc(2026, 1, 31, 15)), released_at=utc(2026, 1, 31, 16))
    assert due(number, -1, utc(2026, 6, 1)) == [0]


@pytest.mark.parametrize(
    "back_at, first_charge",
    [
        pytest.param(utc(2026, 2, 11), utc(2026, 2, 28, 5), id="S2-05 inside the paid month"),
        pytest.param(utc(2026, 2, 28, 5), utc(2026, 2, 28, 5), id="S2-05 as it ends"),
        pytest.param(utc(2026, 3, 5), utc(2026, 3, 5), id="S2-05 later: a new purchase"),
    ],
)
def test_the_same_number_bought_back_is_not_charged_twice_for_a_month(
    back_at: datetime, first_charge: datetime
) -> None:
    earlier = replace(bought(utc(2026, 1, 31, 15)), released_at=utc(2026, 2, 10))
    again = rent_again(UUID(int=2), earlier, months_posted=1, purchased_at=back_at, tariff=NO_TRIAL)
    assert due(again, -1, first_charge - SECOND) == []
    assert due(again, -1, first_charge) == [0]


def test_s2_05_a_number_bought_back_keeps_its_anchor_of_31_however_often() -> None:
    number = bought(utc(2026, 1, 31, 15))
    for count in range(2, 5):
        number = rent_again(
            UUID(int=count),
            number,
            months_posted=1,
            purchased_at=number.charged_from + SECOND,
            tariff=NO_TRIAL,
        )
    assert number.period(0).starts_on == date(2026, 4, 30)
    assert number.period(1).starts_on == date(2026, 5, 31)


@pytest.mark.parametrize(
    "before, days",
    [
        pytest.param(0, 7, id="S5-13 the first number: seven days"),
        pytest.param(1, 0, id="S5-14 the second number: none"),
        pytest.param(5, 0, id="S5-13 the first one bought again: none"),
    ],
)
def test_only_the_first_number_an_account_ever_had_is_free(before: int, days: int) -> None:
    assert trial_days(TRIAL, before) == days


def test_c11_a_plan_may_give_every_number_a_trial() -> None:
    generous = tariff(rental_trial={"days": 7, "scope": "every_number"})
    assert [trial_days(generous, before) for before in (0, 9)] == [7, 7]
    assert trial_days(NO_TRIAL, 0) == 0


def test_s5_13_the_trial_ends_after_7_times_24_hours_across_a_change_of_clocks() -> None:
    purchase = utc(2026, 3, 5, 15)
    number = bought(purchase, TRIAL)
    assert due(number, -1, purchase + timedelta(days=7) - SECOND) == []
    assert due(number, -1, purchase + timedelta(days=7)) == [0]
    assert number.period(1).starts_on == date(2026, 4, 12)


def test_s5_13_a_number_released_in_its_trial_owes_nothing_and_has_no_second_trial() -> None:
    tried = replace(bought(utc(2026, 3, 5, 15), TRIAL), released_at=utc(2026, 3, 8))
    assert due(tried, -1, utc(2026, 6, 1)) == []
    again = rent_again(
        UUID(int=2), tried, months_posted=0, purchased_at=utc(2026, 3, 9), tariff=TRIAL
    )
    assert due(again, -1, utc(2026, 3, 9)) == [0]


def test_s5_14_a_second_number_pays_at_once_also_while_the_first_is_free() -> None:
    assert due(bought(utc(2026, 3, 6), TRIAL, before=1), -1, utc(2026, 3, 6)) == [0]


@pytest.mark.parametrize(
    "country, number_type, micros",
    [
        pytest.param("US", "local", 2_000_000, id="S5-15 US local 2.00"),
        pytest.param("US", "toll-free", 4_000_000, id="S5-15 US toll-free 4.00"),
        pytest.param("GB", "local", 2_500_000, id="S5-15 GB local 2.50"),
    ],
)
def test_rent_varies_by_country_and_type(country: str, number_type: str, micros: int) -> None:
    assert catalogue_plan("payg").tariff.rental_per_month_micros(country, number_type) == micros


SURCHARGES = [{"label": "Premium", "prefixes": ["1900"], "per_minute": "1.00"}]


@pytest.mark.parametrize(
    "usage, charge_micros",
    [
        pytest.param(forwarded(83, "+19005550101"), 1_383_333, id="S2-18 83 s to a premium number"),
        pytest.param(forwarded(83), None, id="S2-18 an ordinary number has none"),
        pytest.param(inbound(83), None, id="S2-18 an inbound leg has none"),
        pytest.param(forwarded(0, "+19005550101"), 0, id="S2-18 nobody answered: nothing"),
    ],
)
def test_a_dear_destination_has_a_surcharge_on_a_line_of_its_own(
    usage: LegUsage, charge_micros: int | None
) -> None:
    prices = tariff(surcharges=SURCHARGES, billable_legs={"forwarded": False}, connect_fee="0.10")
    rated = rate_surcharge(usage, prices)
    assert (None if rated is None else rated.charge_micros) == charge_micros
