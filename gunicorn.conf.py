"""How gunicorn serves the product. Settings come from the environment, checked as everywhere."""

import os
from typing import Any

from prometheus_client import multiprocess

from gateway import db
from gateway.config import SettingsInvalid, load_settings

try:
    _settings = load_settings()
except SettingsInvalid as error:
    raise SystemExit("\n".join(error.problems)) from error

bind = (
    f"[{_settings.host}]:{_settings.port}"
    if ":" in _settings.host
    else (f"{_settings.host}:{_settings.port}")
)
workers = _settings.web_concurrency
worker_class = "gthread"
threads = 4
# Twilio gives up on a webhook after 15 s; a request that takes 30 is of no use to anybody.
timeout = 30
graceful_timeout = 20
keepalive = 5
# The code is loaded once and shared: about 60 MB less for each further worker.
preload_app = True
max_requests = 50_000
max_requests_jitter = 5_000
# Whoever is in front may say anything; webhook addresses come from PUBLIC_URL alone.
forwarded_allow_ips = ""
forwarder_headers = ""
limit_request_line = 8190
loglevel = _settings.log_level.lower()
accesslog = None
errorlog = "-"


def post_fork(server: Any, worker: Any) -> None:
    """A database connection must not be shared between processes."""
    db.dispose()


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges must not be counted on."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)
