"""The launcher with small stand-ins for the product's processes; the servers are the real ones.

    python stand_in.py web [forker] [dies-once] [dies-always]

`web` answers on PORT; `forker` has a child in a session of its own, as an RQ worker has;
`dies-once` and `dies-always` end with code 1. `product` instead of all these: the real web,
carrier, clock and workers, on an installation without accounts.
"""

import sys
from pathlib import Path

from gateway import db, up
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

    if names == ["product"]:
        return product(settings)

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
        migrate=lambda: None,
        carrier=(),
        seed=lambda: ("Log in as nobody.",),
        web=[spec for spec in specs if spec.name == "web"],
        clock=(),
        workers=lambda: [spec for spec in specs if spec.name != "web"],
        ready=lambda: up.answers_ok(settings.public_url),
    )


def product(settings: Settings) -> int:
    return up.run(
        settings,
        web=up.web_specs(settings),
        migrate=lambda: db.upgrade(settings.database_url),
        carrier=up.carrier_specs(settings),
        seed=lambda: (),
        clock=up.clock_specs(settings),
        workers=lambda: up.worker_specs(settings),
        ready=lambda: up.answers_ok(f"{settings.public_url}/readyz"),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
