from datetime import date

import pytest

from billing.mandates import (
    collection_day,
    debits_in,
    end_to_end_id,
    ends_mandate,
    mandate_problems,
    masked_iban,
    return_words,
)
from billing.settling import Locale
from billing.statement_numbers import numbers_in

TODAY = date(2026, 3, 5)
IBAN = "DE89370400440532013000"
RIGHT = {"reference": "M-17", "signed_on": TODAY, "holder": "Acme", "iban": IBAN}


@pytest.mark.parametrize(
    "changes, paths",
    [
        pytest.param({}, [], id="S5-18 as it should be"),
        pytest.param({"iban": "GB29NWBK60161331926819"}, [], id="S5-18 of another country"),
        pytest.param({"iban": "DE88370400440532013000"}, ["/iban"], id="S5-18 a digit is wrong"),
        pytest.param({"iban": "DE8937040044053201300"}, ["/iban"], id="S5-18 a digit is missing"),
        pytest.param({"iban": ""}, ["/iban"], id="S5-18 none"),
        pytest.param({"reference": "two words"}, ["/reference"], id="S5-18 a space in it"),
        pytest.param({"signed_on": date(2026, 3, 6)}, ["/signed_on"], id="S5-18 tomorrow"),
        pytest.param({"holder": ""}, ["/holder"], id="S5-18 nobody's"),
    ],
)
def test_a_mandate_is_checked_before_it_is_kept(
    changes: dict[str, object], paths: list[str]
) -> None:
    found = mandate_problems(**{**RIGHT, **changes}, today=TODAY)  # type: ignore[arg-type]
    assert [problem.path for problem in found] == paths


def test_an_iban_is_shown_by_its_ends_only() -> None:
    assert masked_iban(IBAN) == "DE89 •••• 3000"


@pytest.mark.parametrize(
    "due, today, day",
    [
        pytest.param(date(2026, 4, 14), date(2026, 4, 1), date(2026, 4, 14), id="when it is due"),
        pytest.param(
            date(2026, 4, 1), date(2026, 4, 14), date(2026, 4, 16), id="late: in two days"
        ),
        pytest.param(
            date(2026, 4, 11), date(2026, 4, 1), date(2026, 4, 13), id="not on a Saturday"
        ),
        pytest.param(date(2026, 4, 3), date(2026, 4, 1), date(2026, 4, 7), id="not at Easter"),
    ],
)
def test_s5_18_the_money_is_taken_when_it_is_due_and_the_bank_works(
    due: date, today: date, day: date
) -> None:
    assert collection_day(due, today, Locale("Europe/Berlin", "DE")) == day


def test_what_the_bank_hands_back_names_the_debit_and_its_statement() -> None:
    name = end_to_end_id("9F3A01BC-000123", 2)
    assert debits_in(f"EREF+{name.lower()} | thanks") == (name,)
    assert [str(number) for number in numbers_in(name)] == ["9F3A01BC-000123"]
    assert debits_in("Invoice 9F3A01BC-000123, 2 calls") == ()


def test_a_return_is_told_in_words_and_may_end_the_mandate() -> None:
    assert return_words("AM04") == "There was too little money in the account. (AM04)"
    assert return_words("XX99").startswith("The bank gave the debit back.")
    assert [code for code in ("AM04", "MS03", "AC04", "MD01") if ends_mandate(code)] == [
        "AC04",
        "MD01",
    ]
