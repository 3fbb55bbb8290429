"""The launcher with small stand-ins for the product's processes; the servers are the real ones.

    python stand_in.py web [forker] [dies-once] [dies-always]

`web` answers on PORT; `forker` has a child in a session of its own, as an RQ worker has;
`dies-once` and `dies-always` end with code 1. Instead of all these, `product`: the real carrier and
the real crew (web, clock and workers) on an installation without accounts; `demo`: the same with
the demo's accounts and numbers, but without the weeks that they have lived.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway import up
from gateway.config import Settings, SettingsInvalid, load_settings
from gateway.embedded.process import ProcessSpec

WEB = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
FORKER = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep(600)
"""
DIES_ONCE = """
import os, sys, time
mark = os.environ["VAR_DIR"] + "/died-once"
if not os.path.exists(mark):
    time.sleep(1)
    open(mark, "w").close()
    sys.exit("the disk is on fire")
time.sleep(600)
"""
PROGRAMS = {
    "web": WEB,
    "forker": FORKER,
    "dies-once": DIES_ONCE,
    "dies-always": "import time; time.sleep(0.5); raise SystemExit('no use')",
}


def main(names: list[str]) -> int:
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1

    if names in (["product"], ["demo"]):
        return product(settings, names[0])
    if names[0] == "crew":
        return crew(settings, names[1])

    specs = [
        ProcessSpec(
            name,
            (sys.executable, "-c", PROGRAMS[name]),
            log=Path(settings.var_dir, "log", f"{name}.log"),
        )
        for name in names
    ]
    return up.run(
        settings,
        carrier=(),
        crew=specs,
        ready=lambda: up.answers_ok(settings.public_url),
        welcome=lambda: ("Log in as nobody.",),
    )


def product(settings: Settings, kind: str) -> int:
    (crew,) = up.crew_specs(settings)
    ready = settings.var_dir / up.WELCOME
    return up.run(
        settings,
        carrier=up.carrier_specs(settings),
        crew=(replace(crew, argv=(sys.executable, __file__, "crew", kind)),),
        ready=lambda: ready.exists() and up.answers_ok(f"{settings.public_url}/readyz"),
        welcome=lambda: (),
    )


def crew(settings: Settings, kind: str) -> int:
    from gateway import crew, demo  # not for the launcher, which loads neither

    seeds = {"product": lambda _settings: (), "demo": partial(demo.seed, with_past=False)}
    crew.run(settings, print, seed=seeds[kind])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
