"""The order of the tests is about files that exist, and loses none."""

from pathlib import Path

import pytest
from order import LONG, WAITING, long_first

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("path", [*WAITING, *LONG])
def test_a_long_file_exists(path: str) -> None:
    assert (REPOSITORY / path).is_file()


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_the_same_tests_are_run_and_each_worker_begins_with_a_long_one(workers: int) -> None:
    class Item:
        def __init__(self, nodeid: str) -> None:
            self.nodeid = nodeid

    short = [Item(f"tests/billing/test_money.py::test_{number}") for number in range(100)]
    long = [Item(f"{path}::test_it[{n}]") for path in (*WAITING, *LONG) for n in range(2)]
    items = short[:50] + long + short[50:]
    ordered = long_first(items, workers)  # type: ignore[arg-type]
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    begins = 0
    for number in range(workers):
        assert ordered[begins] in long
        begins += (len(items) - begins) // (workers - number)
