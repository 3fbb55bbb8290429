"""S1-17, C18: what "US" and "US & Canada" take in is said by each shipped plan and its rate page,
for each area code of +1 that is no state's and no province's."""

import json
from pathlib import Path

import pytest

from billing.catalogue import load_catalogue
from billing.rate_page import rate_page
from billing.regions import country_of, region_words
from billing.tariffs import parse_plan

TERRITORIES = {
    "340": "VI",
    "670": "MP",
    "671": "GU",
    "684": "AS",
    "787": "PR",
    "939": "PR",
}
"""US territories, which are no part of US in ISO 3166."""
PLANS = {code: parse_plan(document) for code, document in load_catalogue().items()}
MAINLAND = "United States & Canada"


def longest(rates: dict[str, str], e164: str) -> str:
    """The label of the row of a rate page that is for a number."""
    fitting = [prefix for prefix in rates if e164[1:].startswith(prefix)]
    return rates[max(fitting, key=len)] if fitting else "none"


def shown(code: str, section: str) -> dict[str, str]:
    """The rows of a plan's rate page, by prefix."""
    rows = [row for row in rate_page(PLANS[code]) if row.section == section]
    return {prefix: row.label for row in rows for prefix in row.prefixes}


@pytest.mark.parametrize(
    "area, country",
    [
        *TERRITORIES.items(),
        pytest.param("808", "US", id="808 is Hawaii, a state"),
        pytest.param("907", "US", id="907 is Alaska, a state"),
        pytest.param("867", "CA", id="867 are Canada's territories"),
        pytest.param("876", "JM", id="876 is another country on +1"),
    ],
)
def test_s1_17_a_territory_has_a_country_code_of_its_own(area: str, country: str) -> None:
    assert country_of(f"+1{area}5550101") == country


@pytest.mark.parametrize("code", PLANS)
@pytest.mark.parametrize(
    "area, label",
    [
        *((area, "US territories") for area in TERRITORIES),
        pytest.param("212", MAINLAND, id="New York"),
        pytest.param("867", MAINLAND, id="Yukon"),
        pytest.param("808", "United States - Hawaii", id="Hawaii"),
        pytest.param("907", "United States - Alaska", id="Alaska"),
        pytest.param("876", "Caribbean & Bermuda", id="Jamaica"),
    ],
)
def test_c18_every_plan_says_what_a_call_or_a_text_to_a_territory_costs(
    code: str, area: str, label: str
) -> None:
    number = f"+1{area}5550101"
    assert PLANS[code].tariff.outbound_rate(number).label == label  # type: ignore[union-attr]
    calls, texts = shown(code, "outbound"), shown(code, "messages")
    assert not calls or longest(calls, number) == label, "what the rate page says"
    state = area in ("808", "907")
    assert not texts or longest(texts, number) == (MAINLAND if state else label)


def test_s1_17_us_and_canada_of_the_packages_leaves_the_territories_out_by_name() -> None:
    offers = PLANS["package_minutes"].terms.packages
    assert offers
    for offer in offers:
        region = offer.region_set
        assert region is not None
        assert region.exclude.area_codes == {*TERRITORIES, "808", "907"}
        for area in (*TERRITORIES, "808", "907", "876"):
            assert not region.covers(f"+1{area}5550101"), area
        for area in ("212", "416", "867", "800"):
            assert region.covers(f"+1{area}5550101"), area
    notes = {row.note for row in rate_page(PLANS["package_minutes"]) if row.section == "packages"}
    words = "CA and US, without 340, 670, 671, 684, 787, 808, 907 and 939"
    assert all(note.endswith(words) for note in notes), notes
    assert region_words(None) == "any number"


def test_c18_no_area_code_of_the_numbering_plan_is_priced_as_what_it_is_not(
    shared_data: Path,
) -> None:
    """Against the published list: a code that is no state's and no province's has its own row."""
    areas = json.loads((shared_data / "nanp_area_codes.json").read_text())
    assert {a for a, about in areas.items() if about["region"] in TERRITORIES.values()} <= set(
        TERRITORIES
    )
    wrong = []
    for area, about in areas.items():
        if about["region"] in (None, "US", "CA") or area in TERRITORIES:
            continue
        for code, plan in PLANS.items():
            rate = plan.tariff.outbound_rate(f"+1{area}5550101")
            if rate is not None and rate.label != "Caribbean & Bermuda":
                wrong.append((area, about["region"], code, rate.label))
    assert wrong == []
