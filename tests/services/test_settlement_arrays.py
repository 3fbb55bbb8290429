"""Arrays that the drain writes by itself, the driver being slow at it, read as they were meant."""

import psycopg
import pytest

from gateway.store.settlement import numbers, texts


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(["USLocal", "US"], id="plain words"),
        pytest.param(["United States & Canada", "", " "], id="spaces and nothing"),
        pytest.param(["NULL", "null", "Null", None], id="a label that says null, and none"),
        pytest.param(['a "b"', "c\\d", "\\", '"'], id="quotes and backslashes"),
        pytest.param(["{1,2}", "a,b", "x\ty", "é"], id="braces, commas, tabs, accents"),
    ],
)
def test_labels_come_back_as_they_were_written(database_url: str, labels: list[str | None]) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        [found] = connection.execute("select %s::text[]", [texts(labels)]).fetchone() or [None]
    assert found == labels


def test_micros_come_back_as_they_were_written(database_url: str) -> None:
    micros = [0, -1, 2**63 - 1, None, -(2**63)]
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        [found] = connection.execute("select %s::bigint[]", [numbers(micros)]).fetchone() or [None]
    assert found == micros
