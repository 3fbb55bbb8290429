"""How gunicorn serves the product. Settings come from the environment, checked as everywhere."""

import ctypes
import gc
import os
import shutil
import sys
from typing import Any

from gateway import db
from gateway.config import SettingsInvalid, load_settings

try:
    _settings = load_settings()
except SettingsInvalid as error:
    raise SystemExit("\n".join(error.problems)) from error

# glibc gives each thread an arena of its own and keeps what a log-in's hash (19 MB) once took:
# two arenas a worker save some 40 MB. mallopt(3): M_ARENA_MAX is -8.
M_ARENA_MAX, ARENAS = -8, 2

# Counters of all web workers go to one folder, named before prometheus_client is imported. The
# launcher names one for all processes; elsewhere it is ours, and starts empty: counters of the
# dead would count for ever. (A reload finds the name set and leaves the folder alone.)
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    _metrics = _settings.var_dir / "metrics-web"
    shutil.rmtree(_metrics, ignore_errors=True)
    _metrics.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics)

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.web_concurrency
worker_class = "gthread"
threads = 4
# Twilio gives up on a webhook after 15 s; a request that takes 30 is of no use to anybody.
timeout = 30
graceful_timeout = 20
keepalive = 5
# The code is loaded once and shared. With the freeze below a worker has about 30 MB of its own;
# without it 70 MB, because the collector writes to every page it looks at.
preload_app = True
max_requests = 50_000
max_requests_jitter = 5_000
# Whoever is in front may say anything; webhook addresses come from PUBLIC_URL alone.
forwarded_allow_ips = ""
forwarder_headers = ""
limit_request_line = 8190
control_socket_disable = True  # gunicorn's own console: nobody here uses it
loglevel = _settings.log_level.lower()
accesslog = None
errorlog = "-"


def when_ready(server: Any) -> None:
    """What is loaded by now lives for ever: leave it out of every collection."""
    gc.collect()
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    """A database connection must not be shared between processes."""
    db.dispose()
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges must not be counted on."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
