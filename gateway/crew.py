"""`python -m gateway.crew`: all of `ringledger up` that is our own code, from one load of it.

Loading takes a second or two of CPU, and web, clock and workers would each take it. Here one
process loads, and the others are its forks: one that dies is there again at once. This process
opens no connection itself, or its forks would share it; so the installation is prepared in a fork
too. A server farm runs the lines of the Procfile instead.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from gateway import app, db, demo  # noqa: F401  web's code is loaded here, before the forks
from gateway.config import Settings, SettingsInvalid, load_settings
from gateway.embedded.process import CannotStart, ProcessSpec
from gateway.queues import QUEUES
from gateway.supervise import Say, Supervisor
from gateway.up import ROOT, WELCOME
from workers.__main__ import run_clock, run_worker

Seed = Callable[[Settings], Sequence[str]]
PREPARE = "prepare"


def main() -> int:
    def say(line: str) -> None:
        print(line, flush=True)

    try:
        run(load_settings(), say)
    except SettingsInvalid as invalid:
        print(invalid, file=sys.stderr)
        return 2
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(settings: Settings, say: Say, *, seed: Seed = demo.seed) -> None:
    """Until a signal. The clock and the workers need the schema; web answers 503 without it."""
    gc.collect()
    gc.freeze()  # the collector would write to every page that the forks share
    with Supervisor(say) as supervisor:
        preparing = _member(settings, PREPARE, lambda: prepare(settings, say, seed))
        supervisor.start(replace(preparing, speaks=True), _member(settings, "web", run_web))
        if supervisor.finish(PREPARE):
            supervisor.start(_member(settings, "clock", run_clock))
            for queue in QUEUES:
                supervisor.start(_member(settings, f"worker_{queue}", partial(run_worker, queue)))
            supervisor.watch()


def _member(settings: Settings, name: str, deed: Callable[[], None]) -> ProcessSpec:
    return ProcessSpec(name, run=deed, log=settings.var_dir / "log" / f"{name}.log")


def prepare(settings: Settings, say: Say, seed: Seed) -> None:
    """The schema, plans that are missing, and in sandbox mode the demo's accounts and numbers."""
    try:
        migrate(settings, say)
        say("Checking plans and accounts …")
        lines = seed(settings)
    except CannotStart as error:
        raise SystemExit(str(error)) from error
    _write_welcome(settings, lines)


def migrate(settings: Settings, say: Say) -> None:
    try:
        if not db.is_current(settings.database_url):
            say("Bringing the database up to date …")
            db.upgrade(settings.database_url)
    except SQLAlchemyError as error:
        first_line = str(error).splitlines()[0]
        raise CannotStart(
            f"The database could not be brought up to date ({first_line}): "
            "its user must own the database, and the database must be this product's alone."
        ) from error


def _write_welcome(settings: Settings, lines: Sequence[str]) -> None:
    path = settings.var_dir / WELCOME
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.touch(mode=0o600)
    draft.write_text("\n".join(lines), encoding="utf-8")
    draft.replace(path)


def run_web() -> None:
    """gunicorn, as the Procfile starts it."""
    from gunicorn.app.wsgiapp import WSGIApplication

    conf = ROOT / "gunicorn.conf.py"
    sys.argv = ["gunicorn", "-c", str(conf), "--pythonpath", str(ROOT), "wsgi:app"]
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    sys.exit(main())
