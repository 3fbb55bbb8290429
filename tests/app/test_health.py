"""What operations can ask of a running gateway."""

from flask.testing import FlaskClient
from sqlalchemy import insert

from gateway.app import create_app
from gateway.bootstrap import build_runtime, utc_now
from gateway.config import Settings
from gateway.store.clock import LeaseRow


def beat(settings: Settings, *, seconds_ago: int = 0) -> None:
    import datetime as dt

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
