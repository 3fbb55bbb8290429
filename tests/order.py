"""Which worker of pytest-xdist begins with what: a long test that begins last keeps one processor
busy while the other waits.

`--dist worksteal` gives each worker one stretch of the list, which it goes through from its
beginning, and who is done takes tests from the end of another's. So the long ones come first in
every stretch. Those that mostly wait for processes of the product come in one, for the processors
are others' meanwhile.
"""

from collections.abc import Sequence

import pytest

WAITING = ("tests/faults/test_killed.py", "tests/launch/test_up.py", "tests/faults/test_debian.py")
LONG = (
    "tests/journeys/test_month.py",
    "tests/cli/test_demo_past.py",
    "tests/journeys/test_browser.py",
    "tests/journeys/test_permutations.py",
    "tests/edges/test_routes.py",
    "tests/cli/test_demo.py",
    "tests/services/test_pools.py",
    "tests/journeys/test_statements.py",
    "tests/journeys/test_cards.py",
    "tests/services/test_what_if_twins.py",
)
EACH_FOR_ITSELF = "tests/journeys/test_month.py"  # the others share what their file has set up


def long_first(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests, in stretches as worksteal will cut them."""
    by_file = {path: [item for item in items if _file(item) == path] for path in (*WAITING, *LONG)}
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for path in WAITING:
        heads[0] += by_file[path]
    busy = heads[1:] or heads
    packs: list[list[pytest.Item]] = []
    for path in LONG:
        own = by_file[path]
        packs += [[item] for item in own] if path == EACH_FOR_ITSELF else [own]
    for number, pack in enumerate(packs):
        busy[number % len(busy)] += pack
    taken = {item for head in heads for item in head}
    rest = [item for item in items if item not in taken]
    ordered: list[pytest.Item] = []
    for number, head in enumerate(heads):
        stretch = (len(items) - len(ordered)) // (workers - number)
        more = max(0, stretch - len(head))
        ordered += head + rest[:more]
        del rest[:more]
    return ordered + rest


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
