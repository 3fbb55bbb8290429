import pytest

from billing.vat_ids import InvalidVatId, parse_vat_id


@pytest.mark.parametrize(
    "typed, country, printed",
    [
        pytest.param("de 136 695 976", "DE", "DE136695976", id="S5-19 Germany, as people type"),
        pytest.param("FR40303265045", "FR", "FR40303265045", id="S5-19 France"),
        pytest.param("NL004495445B01", "NL", "NL004495445B01", id="S5-19 the Netherlands"),
        pytest.param("EL094259216", "GR", "EL094259216", id="S5-19 Greece begins with EL"),
        pytest.param("GB980780684", "GB", "GB980780684", id="S5-19 Great Britain"),
        pytest.param("XI110305878", "GB", "XI110305878", id="S5-19 Northern Ireland"),
        pytest.param("CHE-107.787.577 IVA", "CH", "CHE107787577IVA", id="S5-19 Switzerland"),
        pytest.param("NO 995 525 828 MVA", "NO", "NO995525828MVA", id="S5-19 Norway"),
        pytest.param("US12-3456789", "US", "US123456789", id="where no VAT is, it decides nothing"),
    ],
)
def test_an_id_is_kept_as_it_is_printed(typed: str, country: str, printed: str) -> None:
    assert parse_vat_id(typed, country) == printed


@pytest.mark.parametrize(
    "typed, country, words",
    [
        pytest.param("DE136695975", "DE", "digit by digit", id="S5-19 a wrong check digit"),
        pytest.param("DE13669597", "DE", "digit by digit", id="S5-19 too short"),
        pytest.param("136695976", "DE", "begin it with DE", id="S5-19 without its country"),
        pytest.param("FR40303265045", "DE", "begin it with DE", id="S5-19 of another country"),
        pytest.param("GR094259216", "GR", "begin it with EL", id="S5-19 Greece is EL"),
        pytest.param("NO995525829MVA", "NO", "digit by digit", id="S5-19 Norway, wrong digit"),
        pytest.param("CHE107787577", "CH", "digit by digit", id="S5-19 a UID is no VAT id"),
        pytest.param("?", "US", "the country and the number", id="nothing of the kind"),
    ],
)
def test_an_id_that_cannot_be_is_refused_with_the_cure(
    typed: str, country: str, words: str
) -> None:
    with pytest.raises(InvalidVatId, match=words):
        parse_vat_id(typed, country)


def test_one_wrong_digit_is_always_found() -> None:
    right = "DE136695976"
    for place in range(2, len(right)):
        for digit in set("0123456789") - {right[place]}:
            with pytest.raises(InvalidVatId):
                parse_vat_id(right[:place] + digit + right[place + 1 :], "DE")
