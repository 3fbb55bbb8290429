"""`python -m gateway.sandbox` as the launcher sees it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from gateway.sandbox.settings import SettingsInvalid, read_settings

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
CREDENTIALS = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_AUTH_TOKEN": AUTH_TOKEN}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def run() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    processes: list[subprocess.Popen[str]] = []

    def start(**environ: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.sandbox"],
            env={**os.environ, "TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_serves_keeps_its_numbers_and_ends_cleanly_on_sigterm(run, tmp_path: Path):
    port = free_port()
    environ = CREDENTIALS | {"SANDBOX_PORT": str(port), "SANDBOX_DIR": str(tmp_path)}
    numbers = f"http://127.0.0.1:{port}/2010-04-01/Accounts/{ACCOUNT_SID}/IncomingPhoneNumbers.json"
    for turn in range(2):
        process = run(**environ)
        assert f":{port}" in process.stdout.readline()
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
        auth = (ACCOUNT_SID, AUTH_TOKEN)
        if turn == 0:
            form = {"PhoneNumber": "+12125550100"}
            assert requests.post(numbers, data=form, auth=auth, timeout=5).status_code == 201
        owned = requests.get(numbers, auth=auth, timeout=5).json()["incoming_phone_numbers"]
        assert [one["phone_number"] for one in owned] == ["+12125550100"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def test_a_taken_port_is_one_sentence_and_its_cure(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = run(**CREDENTIALS, SANDBOX_PORT=str(taken.getsockname()[1]))
        assert process.wait(timeout=10) == 1
    [line] = process.stderr.read().splitlines()
    assert "is not free" in line and "SANDBOX_PORT" in line


def test_missing_settings_are_named_with_their_cure(run):
    process = run(SANDBOX_PORT="many")
    assert process.wait(timeout=10) == 2
    complaints = process.stderr.read()
    assert "TWILIO_ACCOUNT_SID" in complaints and "SANDBOX_PORT" in complaints


def test_settings_have_sensible_defaults():
    settings = read_settings(CREDENTIALS)
    assert (settings.base_url, settings.directory) == ("http://127.0.0.1:8001", None)
    assert settings.calls_per_minute == 0


@pytest.mark.parametrize("name", ["SANDBOX_PORT", "SANDBOX_TRAFFIC", "SANDBOX_SEED"])
def test_a_setting_that_is_no_number_is_refused(name):
    with pytest.raises(SettingsInvalid, match=name):
        read_settings(CREDENTIALS | {name: "-1"})
