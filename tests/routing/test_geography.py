import importlib.util
from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.geography import (
    Place,
    area_code_of,
    area_codes,
    haversine_km,
    locate,
    normal_postal_code,
    postal_position,
    state_names,
    states_of,
)
from tests.routing.cast import LONDONER, NEVADAN, call_from

SAN_FRANCISCO, NEW_YORK = (37.77, -122.42), (40.71, -74.01)


@pytest.mark.skipif(
    importlib.util.find_spec("zipcodes") is None,
    reason="zipcodes (a test dependency) is not installed: the tables cannot be made again",
)
def test_the_committed_tables_are_what_the_generator_makes():
    from routing.data.generate import FOLDER, generate

    for name, text in generate().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, (
            f"{name} is stale: run python -m routing.data.generate"
        )


@pytest.mark.parametrize(
    "caller, country, state",
    [
        pytest.param("+14155550101", "US", "CA", id="S3-16 415 is California"),
        pytest.param("+12125550101", "US", "NY", id="S3-16 212 is New York"),
        pytest.param("+12025550101", "US", "DC", id="S3-16 202 is Washington, D.C."),
        pytest.param("+12035550101", "US", "CT", id="S3-16 203 is Connecticut"),
        pytest.param("+18085550101", "US", "HI", id="S3-16 808 is Hawaii"),
        pytest.param("+19075550101", "US", "AK", id="S3-16 907 is Alaska"),
        pytest.param("+14165550101", "CA", "ON", id="S3-16 416 is Ontario"),
        pytest.param("+18675550101", "CA", "NT", id="S3-16 867 is the North"),
        pytest.param("+17875550101", "PR", "PR", id="S3-16 787 is Puerto Rico"),
        pytest.param("+18765550101", "JM", "", id="S3-16 876 is Jamaica and has no state"),
        pytest.param("+18005550101", "US", "", id="S3-16 toll-free callers have no state"),
        pytest.param(LONDONER, "GB", "", id="S3-16 a foreign caller has a country only"),
    ],
)
def test_a_number_tells_where_its_owner_was_once(caller, country, state):
    place = locate(call_from(caller))
    assert place is not None
    assert (place.country, place.state) == (country, state)


def test_s3_16_a_withheld_caller_is_nowhere():
    assert locate(call_from(None, country="US", state="CA", postal_code="94105")) is None


def test_s3_16_the_carrier_is_believed_before_the_area_code():
    told = locate(call_from(NEVADAN, country="US", state="NY", postal_code="10001"))
    assert told == Place("US", "NY", "702", "10001", *postal_position("US", "10001"))


@pytest.mark.parametrize(
    "facts, state",
    [
        pytest.param({"country": "US", "state": ""}, "NV", id="S3-16 an empty state is no state"),
        pytest.param({"country": "US", "state": "nv "}, "NV", id="S3-16 small letters"),
        pytest.param({"country": "US", "state": "Nevada?"}, "NV", id="S3-16 words are not codes"),
        pytest.param({"country": "CA", "state": "NV"}, "", id="S3-16 Canada has no Nevada"),
    ],
)
def test_the_carriers_best_effort_is_checked(facts, state):
    place = locate(call_from(NEVADAN, **facts))
    assert place is not None and place.state == state


def test_s3_16_a_foreign_state_is_not_mistaken_for_an_american_one():
    assert locate(call_from(LONDONER, country="GB", state="CA")) == Place("GB")


def test_a_mover_whose_state_is_known_stands_in_the_middle_of_it():
    place = locate(call_from(NEVADAN, country="US", state="NY"))
    assert place is not None and place.position is not None
    assert haversine_km(place.position, NEW_YORK) < 300


def test_every_us_and_canadian_area_code_has_a_state_and_a_position():
    home = [area for area in area_codes().values() if area.country in ("US", "CA")]
    assert len(home) > 400
    for area in home:
        assert area.state in states_of(area.country), area
        assert area.position and area.time_zone, area


def test_all_states_provinces_and_territories_have_names():
    assert len(states_of("US") - {"PR", "VI", "GU", "AS", "MP"}) == 51
    assert len(states_of("CA")) == 13
    assert all(state_names().values())


@pytest.mark.parametrize(
    "country, code, near",
    [
        pytest.param("US", "94105", SAN_FRANCISCO, id="San Francisco"),
        pytest.param("US", "10001", NEW_YORK, id="New York"),
        pytest.param("CA", "M5V2T6", (43.65, -79.38), id="Toronto"),
    ],
)
def test_postal_codes_have_positions(country, code, near):
    spot = postal_position(country, code)
    assert spot is not None and haversine_km(spot, near) < 50


def test_an_unknown_postal_code_has_no_position():
    assert postal_position("US", "000") is None
    assert postal_position("CA", "Z1Z") is None


def test_postal_codes_compare_without_blanks_and_hyphens():
    assert normal_postal_code(" m5v 2t6") == "M5V2T6"
    assert normal_postal_code("94105-1234") == "941051234"


def test_san_francisco_to_new_york_is_4130_km():
    assert isclose(haversine_km(SAN_FRANCISCO, NEW_YORK), 4129, abs_tol=3)


points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@settings(deadline=None)
@given(points, points)
def test_distance_is_the_same_both_ways_and_at_most_half_way_round(a, b):
    there, back = haversine_km(a, b), haversine_km(b, a)
    assert isclose(there, back, abs_tol=1e-6)
    assert 0 <= there <= 20_016


@settings(deadline=None)
@given(st.text(max_size=20))
def test_only_north_american_numbers_have_an_area_code(text):
    code = area_code_of(text)
    assert code == "" or (len(code) == 3 and text.startswith("+1" + code))
