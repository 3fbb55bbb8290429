import pytest

from billing.regions import RegionList, RegionSet, country_of

CONTIGUOUS = RegionSet(
    "us_ca_contiguous",
    include=RegionList(countries=frozenset({"US", "CA"})),
    exclude=RegionList(area_codes=frozenset({"808", "907"})),
)


@pytest.mark.parametrize(
    "e164, covered",
    [
        pytest.param("+14155550101", True, id="S1-17 San Francisco"),
        pytest.param("+16045550101", True, id="S1-17 Vancouver"),
        pytest.param("+18005550101", True, id="S1-17 a toll-free number"),
        pytest.param("+18085550101", False, id="S1-17 Hawaii, 808"),
        pytest.param("+19075550101", False, id="S1-17 Alaska, 907"),
        pytest.param("+17875550101", False, id="S1-17 Puerto Rico is PR"),
        pytest.param("+19395550101", False, id="S1-17 Puerto Rico, the overlay"),
        pytest.param("+13405550101", False, id="S1-17 US Virgin Islands"),
        pytest.param("+16715550101", False, id="S1-17 Guam"),
        pytest.param("+16705550101", False, id="S1-17 Northern Mariana Islands"),
        pytest.param("+16845550101", False, id="S1-17 American Samoa"),
        pytest.param("+18765550101", False, id="S1-17 Jamaica shares +1 only"),
        pytest.param("+442079460000", False, id="S1-17 London"),
        pytest.param("+998901234567", False, id="S1-17 99890 is not area code 989"),
        pytest.param("sip:desk@example.com", False, id="an address that is no number"),
        pytest.param("", False, id="a withheld number"),
    ],
)
def test_us_and_canada_without_hawaii_and_alaska_is_808_and_907(e164: str, covered: bool) -> None:
    assert CONTIGUOUS.covers(e164) is covered


def test_c18_an_exclusion_wins_whatever_includes_the_number() -> None:
    london_only_on_paper = RegionSet(
        "london", RegionList(prefixes=("4420",)), RegionList(countries=frozenset({"GB"}))
    )
    assert london_only_on_paper.include.matches("+442079460000")
    assert not london_only_on_paper.covers("+442079460000")


def test_c18_a_prefix_and_an_area_code_include_by_themselves() -> None:
    place = RegionSet("two", RegionList(area_codes=frozenset({"212"}), prefixes=("3531",)))
    assert [place.covers(n) for n in ("+12125550101", "+35312345678", "+13475550101")] == [
        True,
        True,
        False,
    ]


def test_a_number_that_cannot_exist_belongs_to_no_country() -> None:
    assert [country_of(n) for n in ("+19995550101", "+", "hello")] == [None, None, None]
