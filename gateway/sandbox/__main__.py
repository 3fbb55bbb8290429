"""`python -m gateway.sandbox`: the carrier as a process; SIGTERM or Ctrl-C ends it cleanly."""

import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.rest import create_sandbox_app
from gateway.sandbox.settings import SandboxSettings, SettingsInvalid, read_settings
from gateway.sandbox.store import Store

CALLBACKS_KEPT_MAX = 2_000


class QuietHandler(WSGIRequestHandler):
    """HTTP/1.1, and no line for every request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def main() -> int:
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO").upper())
    try:
        settings = read_settings(os.environ)
    except SettingsInvalid as invalid:
        print(*invalid.problems, sep="\n", file=sys.stderr)
        return 2
    return serve(settings)


def serve(settings: SandboxSettings) -> int:
    """Until a signal comes. 1 where the port or the directory cannot be had."""
    try:
        listener = _listen(settings)
        store = Store(settings.directory)
    except OSError as error:
        print(f"the sandbox carrier cannot start: {error}", file=sys.stderr)
        return 1
    carrier = Carrier(
        settings.account_sid,
        settings.auth_token,
        store=store,
        base_url=settings.base_url,
        seed=settings.seed,
        kept_max=CALLBACKS_KEPT_MAX,
        price_delay_seconds=settings.price_delay_seconds,
        card_events_url=settings.card_events_url,
    )
    app = create_sandbox_app(carrier)
    server = make_server(
        settings.host, settings.port, app, threaded=True, fd=listener.fileno(),
        request_handler=QuietHandler,
    )  # fmt: skip
    carrier.start()
    app.config["TRAFFIC"].set_rate(settings.calls_per_minute)
    print(f"the sandbox carrier answers at {settings.base_url}", flush=True)
    _serve_until_signal(server)
    carrier.stop()
    store.close()
    return 0


def _listen(settings: SandboxSettings) -> socket.socket:
    """Bound here, because werkzeug ends the process on a taken port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        raise OSError(
            f"{settings.host}:{settings.port} is not free ({error.strerror});"
            " set SANDBOX_PORT to another port"
        ) from error
    listener.listen(128)
    return listener


def _serve_until_signal(server: BaseWSGIServer) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    sys.exit(main())
