"""The files that start the product elsewhere than here name every process of it, once."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import NAMES, Settings
from gateway.queues import QUEUES

REPOSITORY = Path(__file__).parents[2]
WORKERS = {f"worker_{queue}": f"python -m workers {queue}" for queue in QUEUES}


def procfile() -> dict[str, str]:
    lines = (REPOSITORY / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "compose.yaml").read_text()))


def test_the_procfile_has_a_release_web_one_worker_per_queue_and_one_clock() -> None:
    lines = procfile()
    assert {name: line for name, line in lines.items() if name.startswith("worker")} == WORKERS
    assert set(lines) - WORKERS.keys() == {"release", "web", "clock"}
    assert lines["clock"] == "python -m workers clock"


def test_compose_runs_every_line_of_the_procfile() -> None:
    services = compose()["services"]
    image = re.search(r"^CMD (\[.*\])", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert image is not None
    as_the_image_does = shlex.join(yaml.safe_load(image[1]))
    commands = {
        name: service.get("command", as_the_image_does)
        for name, service in services.items()
        if service.get("image") == "ringledger"
    }
    assert commands == procfile()


def test_compose_asks_only_web_whether_it_answers() -> None:
    """The image's health check is a request to /healthz; the others would be ill for ever."""
    for name, service in compose()["services"].items():
        if service.get("image") == "ringledger":
            assert ("healthcheck" in service) == (name != "web"), name


# Not for a container: where it listens, embedded servers, the sandbox carrier.
ELSEWHERE = {"HOST", "PORT", "VAR_DIR", "TWILIO_API_URL", "SANDBOX_PORT", "SANDBOX_TRAFFIC"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - ELSEWHERE))
def test_compose_hands_every_setting_on(name: str) -> None:
    assert name in compose()["x-product"]["environment"]


def test_the_example_of_settings_has_every_one_with_its_default() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown.keys() == set(NAMES)
    for name, value in shown.items():
        default = Settings.model_fields[name.lower()].default
        if value:
            assert type(default)(value) == default, name
