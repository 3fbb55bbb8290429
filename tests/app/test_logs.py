"""Logs carry ids and no secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway import logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_the_ids_of_its_call(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.contextvars.bind_contextvars(call_sid="CA1", account_id="0197")
    structlog.get_logger("test").info("leg settled", micros=69_166)
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["micros"]) == ("leg settled", "info", 69_166)
    assert (line["call_sid"], line["account_id"]) == ("CA1", "0197")


@pytest.mark.parametrize(
    ("given", "secret"),
    [
        pytest.param({"password": "hunter22"}, "hunter22", id="by its name"),
        pytest.param({"Authorization": "Bearer x.y"}, "x.y", id="a header"),
        pytest.param({"path": "/a?t=rl_0123456789abcdef01"}, "rl_0123", id="a token in a URL"),
        pytest.param(
            {"error": "cannot reach postgresql://ann:s3cret@db/x"}, "s3cret", id="a database URL"
        ),
    ],
)
def test_secrets_are_hidden(
    capsys: pytest.CaptureFixture[str], given: dict[str, str], secret: str
) -> None:
    logs.configure("INFO")
    structlog.get_logger("test").warning("something", **given)
    (line,) = lines(capsys)
    assert secret not in json.dumps(line) and logs.HIDDEN in json.dumps(line)


def test_libraries_speak_the_same_form_and_a_level_is_a_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO")
    logging.getLogger("rq.worker").info("job done: Bearer abc")
    logging.getLogger("urllib3").info("GET https://api.twilio.com/x")
    logging.getLogger("rq.worker").debug("quiet")
    (line,) = lines(capsys)
    assert line["logger"] == "rq.worker" and "abc" not in str(line["event"])


def test_a_line_break_cannot_forge_a_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.get_logger("test").info("caller", name='x\n{"event": "forged"}\x1b[31m')
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("library", ["urllib3", "twilio", "stripe", "alembic", "werkzeug"])
def test_libraries_do_not_tell_every_request_they_make(
    capsys: pytest.CaptureFixture[str], library: str
) -> None:
    """`ringledger up` shows what it logs on the screen, between the lines that people read."""
    logs.configure("INFO")
    logging.getLogger(library).info("GET https://api.example.com/v1/customers")
    logging.getLogger(library).warning("it was slow")
    assert [line["event"] for line in lines(capsys)] == ["it was slow"]
