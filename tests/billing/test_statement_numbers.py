from uuid import UUID

import pytest

from billing.statement_numbers import (
    StatementNumber,
    missing_numbers,
    next_number,
    numbers_in,
    series_of,
)

ACME = UUID("0197a1b2-c3d4-7e5f-8a6b-7c8d9f3a01bc")
SERIES = "9F3A01BC"


def numbered(*serials: int) -> tuple[StatementNumber, ...]:
    return tuple(StatementNumber(SERIES, serial) for serial in serials)


def test_s5_16_statements_are_numbered_from_one_without_gaps() -> None:
    given: list[StatementNumber] = []
    for _ in range(3):
        given.append(next_number(ACME, given[-1].serial if given else 0))
    assert series_of(ACME) == SERIES
    assert [str(number) for number in given] == [f"{SERIES}-00000{n}" for n in (1, 2, 3)]
    assert missing_numbers(given) == ()
    assert missing_numbers(numbered(1, 4)) == numbered(2, 3)


@pytest.mark.parametrize(
    "text, serials",
    [
        pytest.param("9F3A01BC-000123", [123], id="S5-18 as printed"),
        pytest.param("Invoice 9f3a01bc/000123, thanks", [123], id="S5-18 in small letters"),
        pytest.param("INV9F3A01BC000123", [123], id="S5-18 without a separator"),
        pytest.param("FE9F3A01BC 000123", [123], id="S5-18 behind letters that are digits too"),
        pytest.param("9F3A01BC-1000123", [1_000_123], id="S5-18 beyond a million"),
        pytest.param(
            "9F3A01BC-000123 and 9F3A01BC-000124 (9F3A01BC-000123)",
            [123, 124],
            id="S5-18 each once",
        ),
        pytest.param("9F3A01BC-00012", [], id="S5-18 too short"),
        pytest.param("19F3A01BC-000123", [], id="S5-18 part of a longer number"),
        pytest.param("DE02120300002026000001", [], id="S5-18 an IBAN is none"),
        pytest.param("", [], id="S5-18 nothing"),
    ],
)
def test_a_payer_may_write_a_number_in_many_ways(text: str, serials: list[int]) -> None:
    assert numbers_in(text) == numbered(*serials)
