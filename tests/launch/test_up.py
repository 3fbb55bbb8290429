"""`ringledger up` with stand-ins for the product: real signals, real servers, real corpses."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis

from gateway.config import embedded_database_url, embedded_redis_url
from gateway.embedded import postgres
from gateway.queues import QUEUES
from gateway.up import answers_ok

STAND_IN = Path(__file__).with_name("stand_in.py")
REPOSITORY = STAND_IN.parent.parent.parent


class Launched:
    """A running launcher, its output so far, and the processes below it."""

    def __init__(
        self,
        var_dir: Path,
        port: int,
        names: tuple[str, ...],
        *,
        output: Path,
        under_make: bool = False,
    ) -> None:
        self.var_dir = var_dir
        self.output = output
        self.port = port
        clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        command = (sys.executable, str(STAND_IN), *names)
        with output.open("wb") as screen:
            self.process = subprocess.Popen(
                [*(("make", "-s", "-f", "-") if under_make else command)],
                stdin=subprocess.PIPE if under_make else subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                cwd=var_dir.parent,
                start_new_session=True,
                env={
                    **clean,
                    "VAR_DIR": str(var_dir),
                    "PORT": str(port),
                    "PYTHONPATH": str(REPOSITORY),
                },
            )
        if under_make:
            assert self.process.stdin is not None
            self.process.stdin.write(f"run:\n\t@exec {' '.join(command)}\n".encode())
            self.process.stdin.close()

    def says(self, words: str, seconds: float = 30.0) -> bool:
        """Has it said so before it ended or the time was up?"""
        _soon(lambda: words in self.output.read_text() or self.process.poll() is not None, seconds)
        return words in self.output.read_text()

    def descendants(self) -> set[int]:
        found, edge = set(), {self.process.pid}
        while edge:
            edge = {child for pid in edge for child in _children(pid)} - found
            found |= edge
        return found

    def pid_of(self, words: str) -> int:
        (pid,) = self.pids_of(words)
        return pid

    def pids_of(self, words: str) -> list[int]:
        """Children with these words on their command line, by now past the tether, and the members
        of the crew that go by this name."""

        def read(pid: int, file: str) -> str:
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/{file}").read_text()
            return ""

        lines = {pid: read(pid, "cmdline") for pid in _children(self.process.pid)}
        programs = [pid for pid, text in lines.items() if words in text and "tether" not in text]
        crew = {member for pid in lines for member in _children(pid)}
        return programs + [pid for pid in crew if read(pid, "comm").strip() == words]

    def runs(self, words: str, *, other_than: int = 0) -> bool:
        pids = self.pids_of(words)
        return len(pids) == 1 and pids != [other_than]


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


def _alive(pids: set[int]) -> set[int]:
    def state(pid: int) -> str:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return "gone"

    return {pid for pid in pids if state(pid) not in ("gone", "Z")}


def _soon(check: Callable[[], bool], seconds: float = 15.0) -> bool:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if check():
            return True
        time.sleep(0.05)
    return check()


def _free_port() -> int:
    """Free together with the next one (the carrier's), and outside the range from which the
    kernel takes ports for connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", port))
            next_one.bind(("127.0.0.1", port + 1))
            return port


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first start in a folder makes of it; most tests copy it and do not wait for that."""
    made = tmp_path_factory.mktemp("cluster") / "postgres"
    postgres.prepare(made)
    return made


@pytest.fixture
def launch(tmp_path: Path, cluster: Path) -> Iterator[Callable[..., Launched]]:
    """`in_new_folder`: the launcher makes the database cluster itself."""
    started: list[Launched] = []
    port = _free_port()
    # A shell ignores SIGINT for what it starts in the background, and so would our children.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(
        *names: str,
        var_dir: Path = tmp_path / "var",
        under_make: bool = False,
        in_new_folder: bool = False,
    ) -> Launched:
        if not in_new_folder and not (var_dir / "postgres").exists():
            var_dir.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", cluster, var_dir / "postgres"], check=True)
        output = tmp_path / f"output-{len(started)}"
        started.append(Launched(var_dir, port, names, output=output, under_make=under_make))
        return started[-1]

    yield start
    signal.signal(signal.SIGINT, earlier)
    for one in started:
        below = one.descendants()
        one.process.terminate()
        one.process.wait(30)
        assert _soon(lambda below=below: not _alive(below))  # type: ignore[misc]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_every_process(
    launch: Callable[..., Launched], number: signal.Signals
) -> None:
    launched = launch("web", "forker", in_new_folder=number == signal.SIGINT)
    assert launched.says("Ringledger is ready"), launched.output.read_text()
    below = launched.descendants()
    assert len(below) > 8, "postgres, its own children, valkey, web, forker and its fork"
    launched.process.send_signal(number)
    assert launched.process.wait(20) == 0
    assert not _alive(below)
    assert "Everything is kept" in launched.output.read_text()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize(
    "number, whole_group",
    [
        pytest.param(signal.SIGINT, True, id="Ctrl-C in the terminal"),
        pytest.param(signal.SIGINT, False, id="SIGINT to make alone"),
        pytest.param(signal.SIGTERM, False, id="SIGTERM to make alone"),
        pytest.param(signal.SIGKILL, False, id="make killed"),
    ],
)
def test_stopping_make_stops_what_it_started(
    launch: Callable[..., Launched], number: signal.Signals, whole_group: bool
) -> None:
    launched = launch("web", "forker", under_make=True)
    assert launched.says("Ringledger is ready"), launched.output.read_text()
    below = launched.descendants()
    if whole_group:
        os.killpg(launched.process.pid, number)
    else:
        launched.process.send_signal(number)
    launched.process.wait(20)
    assert _soon(lambda: not _alive(below))
    assert "Everything is kept" in launched.output.read_text()


@pytest.mark.faults
def test_a_killed_launcher_takes_its_children_along_and_the_next_start_works(
    launch: Callable[..., Launched],
) -> None:
    first = launch("web", "forker")
    assert first.says("Ringledger is ready"), first.output.read_text()
    below = first.descendants()
    own = {pid for pid in below if pid in _children(first.process.pid)}
    first.process.kill()
    first.process.wait()
    assert _soon(lambda: not _alive(own))
    for stray in _alive(below):  # the fork of a fork, in its own session: nobody is left to know
        os.kill(stray, signal.SIGKILL)
    second = launch("web")
    assert second.says("Ringledger is ready"), second.output.read_text()


@pytest.mark.faults
def test_what_was_acknowledged_survives_the_kill_of_both_servers(
    launch: Callable[..., Launched],
) -> None:
    launched = launch("web")
    assert launched.says("Ringledger is ready"), launched.output.read_text()
    database = embedded_database_url(launched.var_dir).replace("+psycopg", "")
    valkey = redis.Redis.from_url(embedded_redis_url(launched.var_dir))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table paid (cents int)")
        connection.execute("insert into paid values (4993)")
    valkey.rpush("jobs", "settle")
    time.sleep(1.1)  # the append-only file is flushed each second
    for program in ("bin/postgres", "valkey-server"):
        os.kill(launched.pid_of(program), signal.SIGKILL)
    assert launched.says("postgres was killed by SIGKILL. Starting it again.")
    assert launched.says("valkey was killed by SIGKILL. Starting it again.")

    def kept() -> bool:
        with contextlib.suppress(psycopg.OperationalError, redis.RedisError):
            with psycopg.connect(database) as connection:
                row = connection.execute("select sum(cents) from paid").fetchone()
            return row == (4993,) and valkey.lrange("jobs", 0, -1) == [b"settle"]
        return False

    assert _soon(kept)
    valkey.close()


@pytest.mark.faults
def test_the_product_survives_the_kill_of_any_one_of_its_processes(
    launch: Callable[..., Launched], tmp_path: Path
) -> None:
    """In a folder as people name them: its workers have to find their Valkey there too. The last
    to be killed is the process whose forks half of the others are."""
    clone = tmp_path / "Ring ledger, a=b"
    clone.mkdir()
    launched = launch("product", var_dir=clone / "var", in_new_folder=True)
    assert launched.says("Ringledger is ready", 60), launched.output.read_text()
    programs = (
        *("web", "gateway.sandbox", "clock", "worker_settle", "worker_renewals"),
        *("valkey-server", "bin/postgres", "stand_in.py\0crew"),
    )
    for program in programs:
        assert _soon(partial(launched.runs, program)), program
        killed = launched.pid_of(program)
        os.kill(killed, signal.SIGKILL)
        assert _soon(partial(launched.runs, program, other_than=killed)), program
    ready = f"http://127.0.0.1:{launched.port}/readyz"
    assert _soon(lambda: answers_ok(ready), 40), launched.output.read_text()
    for queue in QUEUES:  # once with Valkey, perhaps; without its socket again and again
        assert launched.output.read_text().count(f"worker_{queue} ended") <= 1
    below = launched.descendants()
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(40) == 0
    assert not _alive(below)


def test_a_child_that_dies_is_started_again_and_the_reason_is_shown(
    launch: Callable[..., Launched],
) -> None:
    launched = launch("web", "dies-once")
    assert launched.says('dies-once ended with code 1. Its last words: "the disk is on fire"'), (
        launched.output.read_text()
    )
    assert launched.says("Starting it again.")
    assert _soon(lambda: (launched.var_dir / "died-once").exists())
    assert launched.process.poll() is None


def test_a_child_that_keeps_dying_stops_everything_with_one_sentence(
    launch: Callable[..., Launched],
) -> None:
    launched = launch("web", "dies-always")
    below = launched.descendants()
    assert launched.process.wait(60) == 1
    assert "times in a row, so everything stops." in launched.output.read_text()
    assert not _alive(below)


def test_a_second_launcher_on_the_same_folder_is_refused(launch: Callable[..., Launched]) -> None:
    first = launch("web")
    assert first.says("Ringledger is ready"), first.output.read_text()
    second = launch("web")
    assert second.process.wait(20) == 1
    lines = second.output.read_text().strip().splitlines()
    assert lines == [
        f"ringledger: Ringledger already runs on {first.var_dir} (process {first.process.pid}): "
        "stop that one first, or set VAR_DIR and PORT for a second installation."
    ]
    assert first.process.poll() is None


def test_a_taken_port_is_named_with_its_cure(launch: Callable[..., Launched]) -> None:
    first = launch("web")
    assert first.says("Ringledger is ready"), first.output.read_text()
    second = launch("web", var_dir=first.var_dir.with_name("other"))
    assert second.process.wait(20) == 1
    assert "is taken by another program: stop it, or choose" in second.output.read_text()


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(("up.lock", "1\n"), id="a lock file that nobody holds"),
        pytest.param(("postgres/postmaster.pid", "{pid}\n/gone\n0\n5432\n"), id="a reused PID"),
        pytest.param(("postgres/postmaster.pid", ""), id="an empty PID file"),
        pytest.param(("postgres.new/PG_VERSION", "18\n"), id="a half-made cluster"),
        pytest.param(("valkey/valkey.sock", ""), id="a file where the socket belongs"),
    ],
)
def test_what_an_earlier_crash_left_does_not_stop_a_start(
    launch: Callable[..., Launched], tmp_path: Path, stale: tuple[str, str]
) -> None:
    name, text = stale
    if name.startswith("postgres/"):
        earlier = launch("web")
        assert earlier.says("Ringledger is ready"), earlier.output.read_text()
        earlier.process.terminate()
        earlier.process.wait(20)
    path = tmp_path / "var" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(pid=os.getpid()))
    launched = launch("web", in_new_folder=name.startswith("postgres.new/"))
    assert launched.says("Ringledger is ready"), launched.output.read_text()


def test_a_folder_with_a_long_name_works(launch: Callable[..., Launched], tmp_path: Path) -> None:
    deep = tmp_path / ("a-folder-whose-name-is-too-long-for-a-socket-" * 3) / "var"
    deep.parent.mkdir()
    launched = launch("web", var_dir=deep, in_new_folder=True)
    assert launched.says("Ringledger is ready"), launched.output.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named_with_its_cure(
    launch: Callable[..., Launched], tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    launched = launch("web", var_dir=locked / "var", in_new_folder=True)
    assert launched.process.wait(20) == 1
    assert "set VAR_DIR to a folder that is" in launched.output.read_text()
