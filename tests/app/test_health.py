"""What operations can ask of a running gateway."""

import datetime as dt
import os
import subprocess
import sys

from flask.testing import FlaskClient
from sqlalchemy import insert, text

from gateway import db
from gateway.app import create_app
from gateway.bootstrap import build_runtime, utc_now
from gateway.config import Settings
from gateway.store.clock import LeaseRow


def beat(settings: Settings, *, seconds_ago: int = 0) -> None:
    runtime = build_runtime(settings)
    with runtime.units.begin() as uow:
        at = utc_now() - dt.timedelta(seconds=seconds_ago)
        uow.connection.execute(
            insert(LeaseRow).values(name="clock", holder="test", beat_at=at, expires_at=at)
        )


def test_a_process_that_answers_is_healthy(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_an_installation_is_ready_when_every_part_is(
    settings: Settings, client: FlaskClient
) -> None:
    beat(settings)
    answer = client.get("/readyz")
    assert answer.json == {
        "status": "ready",
        "checks": {"database": "ok", "redis": "ok", "clock": "ok"},
    }
    assert answer.status_code == 200


def test_without_a_clock_it_is_not_ready_and_says_what_to_start(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "python -m workers clock" in answer.json["checks"]["clock"]


def test_a_clock_that_stopped_beating_is_noticed(settings: Settings, client: FlaskClient) -> None:
    beat(settings, seconds_ago=60)
    assert "has not beaten for 0:01:0" in client.get("/readyz").json["checks"]["clock"]


def test_with_redis_gone_readiness_fails_and_health_does_not(settings: Settings) -> None:
    beat(settings)
    gone = settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"})
    client = create_app(build_runtime(gone)).test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "ok"
    assert answer.json["checks"]["redis"].startswith("ConnectionError")
    assert client.get("/healthz").status_code == 200


def test_metrics_tell_ages_that_the_database_knows(client: FlaskClient) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    assert "ringledger_outbox_age_seconds 0.0" in text
    assert "ringledger_settle_lag_seconds 0.0" in text
    assert "ringledger_webhook_seconds" in text


def test_the_expected_schema_is_the_one_that_alembic_would_migrate_to(settings: Settings) -> None:
    assert db.expected_revisions() == set(db.heads(settings.database_url))


def test_a_schema_of_another_release_is_not_ready(settings: Settings, client: FlaskClient) -> None:
    beat(settings)
    with build_runtime(settings).units.begin() as uow:
        uow.connection.execute(text("update alembic_version set version_num = 'older'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "ringledger db upgrade" in answer.json["checks"]["database"]


def test_serving_loads_nothing_that_only_migrations_workers_or_generators_need(
    settings: Settings,
) -> None:
    heavy = ["alembic", "phonenumbers.geocoder", "twilio.rest", "holidays", "zipcodes"]
    program = (
        "import sys\n"
        "from gateway.app import create_app\n"
        "create_app()\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    environ = {"VAR_DIR": str(settings.var_dir), "PATH": os.environ["PATH"]}
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True
    )
    assert found.stdout.strip() == "[]"
