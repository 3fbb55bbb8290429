import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.numbering import (
    InvalidNumber,
    caller_number,
    is_dialable_destination,
    is_e164,
    number_type,
    parse_e164,
    pretty,
    region_of,
)


@pytest.mark.parametrize(
    "typed, number",
    [
        pytest.param("(415) 555-0101", "+14155550101", id="with brackets, as on a card"),
        pytest.param("415.555.0101", "+14155550101", id="with dots"),
        pytest.param(" +1 415 555 0101 ", "+14155550101", id="with country code and blanks"),
        pytest.param("+44 20 7946 0000", "+442079460000", id="a London office"),
        pytest.param("011 44 20 7946 0000", "+442079460000", id="dialled as from the US"),
        pytest.param("1-800-FLOWERS", "+18003569377", id="a number in letters"),
        pytest.param("٤١٥٥٥٥٠١٠١", "+14155550101", id="Arabic-Indic digits become ASCII"),
    ],
)
def test_people_type_numbers_in_many_ways(typed, number):
    assert parse_e164(typed) == number


def test_a_national_number_is_read_in_the_region_of_the_account():
    assert parse_e164("020 7946 0000", default_region="GB") == "+442079460000"


@pytest.mark.parametrize(
    "typed, cure",
    [
        pytest.param("", "Enter a phone number", id="nothing"),
        pytest.param("front desk", "write it like", id="a word"),
        pytest.param("123", "too few digits", id="too short"),
        pytest.param("415 555 0101 2345", "too many digits", id="too long"),
        pytest.param("+999 5550101", "No country has that code", id="no such country"),
        pytest.param("415 555 0101 x12", "extension", id="an extension"),
        pytest.param("(015) 555-0101", "exists", id="no such area code"),
        pytest.param("4155550101" * 10, "too long", id="ten numbers in a row"),
    ],
)
def test_a_mistyped_number_is_refused_with_a_cure(typed, cure):
    with pytest.raises(InvalidNumber, match=cure):
        parse_e164(typed)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_whatever_is_typed_becomes_e164_or_a_refusal(typed):
    try:
        number = parse_e164(typed)
    except InvalidNumber as refusal:
        assert str(refusal).endswith(".")
    else:
        assert is_e164(number) and number.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "14155550101",
        "+04155550101",
        "+1415",
        "+1415555010\N{ARABIC-INDIC DIGIT ONE}",
        "+14155550101\n",
        "+" + "1" * 16,
        "",
    ],
)
def test_the_shape_of_e164_is_exact(text):
    assert not is_e164(text)


@pytest.mark.parametrize(
    "raw, caller",
    [
        pytest.param("+14155550101", "+14155550101", id="S3-16 a number is a caller"),
        pytest.param("anonymous", None, id="S3-16 anonymous is withheld"),
        pytest.param("Restricted", None, id="S3-16 restricted is withheld"),
        pytest.param("unknown", None, id="S3-16 unknown is withheld"),
        pytest.param("+266696687", None, id="S3-16 ANONYMOUS typed on the keys is withheld"),
        pytest.param("+7378742833", None, id="S3-16 RESTRICTED typed on the keys is withheld"),
        pytest.param("client:alice", None, id="a softphone has no number"),
        pytest.param("sip:+14155550101@pbx.example.com", None, id="a SIP caller has no number"),
        pytest.param("", None, id="S3-16 an empty caller is withheld"),
        pytest.param(None, None, id="S3-16 a missing caller is withheld"),
        pytest.param("4155550101", None, id="a number without a country is nobody's"),
    ],
)
def test_who_is_calling(raw, caller):
    assert caller_number(raw) == caller


@pytest.mark.parametrize(
    "number, country, kind",
    [
        pytest.param("+14155550101", "US", "local", id="California"),
        pytest.param("+14165550101", "CA", "local", id="+1 416 is Canada"),
        pytest.param("+18765550101", "JM", "mobile", id="+1 876 is Jamaica, not the US"),
        pytest.param("+17875550101", "PR", "local", id="+1 787 is Puerto Rico"),
        pytest.param("+447911123456", "GG", "mobile", id="+44 7911 is Guernsey"),
        pytest.param("+18005550101", "US", "toll-free", id="800 is toll-free"),
        pytest.param("+15005550006", "US", "personal", id="the carrier's test number"),
        pytest.param("+88213123456", None, "satellite", id="+882 is no country"),
        pytest.param("+999123456789", None, "unknown", id="no such code"),
    ],
)
def test_what_a_number_is(number, country, kind):
    assert (region_of(number), number_type(number)) == (country, kind)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("+19005550101", id="S3-12 premium 900"),
        pytest.param("+12129765550", id="S3-12 a 976 exchange, pay-per-call"),
        pytest.param("+448712345678", id="S3-12 British 0871"),
        pytest.param("+448431234567", id="S3-12 British shared cost"),
        pytest.param("+447012345678", id="S3-12 a British follow-me number"),
        pytest.param("+881612345678", id="S3-12 a satellite"),
        pytest.param("+88213123456", id="S3-12 an international network"),
        pytest.param("+80012345678", id="S3-12 freephone of no country"),
        pytest.param("+4930", id="S3-12 too short to exist"),
    ],
)
def test_what_fraud_dials_is_refused_with_a_reason(number):
    refused = is_dialable_destination(number)
    assert not refused and refused.reason


@pytest.mark.parametrize(
    "number", ["+14155550101", "+442079460000", "+15005550006", "+18005550101"]
)
def test_ordinary_destinations_may_be_dialled(number):
    assert is_dialable_destination(number)


@pytest.mark.parametrize(
    "number, shown",
    [
        ("+14155550101", "(415) 555-0101"),
        ("+442079460000", "+44 20 7946 0000"),
        ("anonymous", "anonymous"),
    ],
)
def test_numbers_are_shown_as_people_write_them(number, shown):
    assert pretty(number) == shown


def test_a_serving_process_never_loads_the_geocoder():
    check = (
        "import sys, routing.twiml, routing.plans, routing.geography, routing.hours;"
        "routing.geography.area_codes();"
        "heavy = {'phonenumbers.geocoder', 'phonenumbers.geodata', 'phonenumbers.carrier',"
        " 'holidays', 'zipcodes'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
