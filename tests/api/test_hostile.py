"""What programs send by mistake or on purpose: refused in words, never with a 5xx."""

import json

import pytest
import redis
from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from gateway.services.accounts import Account
from tests.api.conftest import OPS_TOKEN, Program

NEW = {"name": "Dynamo", "plan": "payg", "billing_email": "pay@dynamo.test"}


@pytest.mark.parametrize(
    "body, status, word",
    [
        pytest.param(b"", 400, "JSON", id="nothing"),
        pytest.param(b"{", 400, "JSON", id="half a document"),
        pytest.param(b"[" * 100_000, 400, "nested", id="L3 deep nesting"),
        pytest.param(b"[" * 70 + b"]" * 70, 400, "nested", id="L3 deeper than 64"),
        pytest.param(b'{"name": NaN}', 400, "NaN", id="NaN is no JSON"),
        pytest.param(b'{"name": 1e999}', 400, "1e999", id="infinity is no number"),
        pytest.param(b'{"name": ' + b"9" * 5000 + b"}", 400, "JSON", id="a number of 5000 digits"),
        pytest.param(b'{"name": "a", "name": "b"}', 400, "twice", id="a field twice"),
        pytest.param(b"\xff\xfe{}", 400, "UTF-8", id="not UTF-8"),
        pytest.param(b"[]", 422, "", id="a list"),
        pytest.param(b'"x"', 422, "", id="a text"),
        pytest.param(b"null", 422, "", id="null"),
        pytest.param(b'{"name": "a\\u0000b"}', 422, "NUL", id="I4 NUL"),
        pytest.param(b'{"na\\u0000me": "b"}', 422, "NUL", id="I4 NUL in a name"),
        pytest.param(b'{"name": "\\ud800"}', 422, "surrogate", id="I4 half a character"),
        pytest.param(b'{"\\udfff": 1}', 422, "surrogate", id="I4 half a character in a name"),
    ],
)
def test_a_body_that_is_no_request_is_refused_in_words(
    olga: Program, body: bytes, status: int, word: str
) -> None:
    answer = olga.send("POST", "/accounts", data=body, content_type="application/json")
    assert answer.status_code == status and answer.json is not None
    assert word in answer.json["detail"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "x"])
def test_only_json_is_taken(olga: Program, kind: str) -> None:
    answer = olga.send("POST", "/accounts", data=json.dumps(NEW), content_type=kind)
    assert answer.status_code == 415


def test_a_body_of_more_than_256_kb_is_refused(olga: Program) -> None:
    answer = olga.post("/accounts", NEW | {"name": "x" * 256 * 1024})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "query, path",
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("after=%00", "/after"),
        ("after=nonsense", "/after"),
        ("limitt=1", "/limitt"),
        ("outcome=lost", "/outcome"),
        ("since=yesterday", "/since"),
        ("since=2026-01-01T00:00:00", "/since"),
        ("number_id=1", "/number_id"),
        ("caller=%00", "/caller"),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_its_name(
    acmes: Program, query: str, path: str
) -> None:
    answer = acmes.send("GET", f"/calls?{query}")
    assert answer.status_code == 422 and answer.json is not None
    assert path in [error["path"] for error in answer.json["errors"]]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic b2xnYTp4",
        "Bearer x",
        "bearer \u00e9",
        "Bearer " + "x" * 5000,
    ],
)
def test_without_a_known_token_nothing_is_answered(app: APIFlask, header: str) -> None:
    client = Client(app)
    for path in ("/balance", "/accounts", "/plans", "/ops/deeds"):
        answer = client.get(f"/api/v1{path}", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/nothing", 404),
        ("GET", "/calls/CA1", 404),
        ("GET", "/calls/%00", 404),
        ("GET", "/calls/CA%F0%28", 404),
        ("GET", "/ledger/1", 404),
        ("GET", "/numbers/1", 404),
        ("DELETE", "/balance", 405),
        ("POST", "/calls", 405),
    ],
)
def test_what_is_not_there_is_a_problem_document_too(
    acmes: Program, method: str, path: str, status: int
) -> None:
    assert acmes.send(method, path).status_code == status


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "plan", "amount", "method", "reason", "code", "document"])
                | st.text(max_size=6),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_body_makes_us_stumble(olga: Program, acme: Account, body: object) -> None:
    olga.headers["Ringledger-Account"] = str(acme.id)
    for path in ("/accounts", "/top-ups", "/plans", "/ops/adjustments"):
        answer = olga.send("POST", path, data=json.dumps(body), content_type="application/json")
        assert 400 <= answer.status_code < 500, path


def test_too_many_requests_of_one_token_are_told_to_wait(
    app: APIFlask, acmes: Program, cobalts: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.api import access

    monkeypatch.setattr(access, "REQUESTS_PER_MINUTE", 3)
    statuses = [acmes.get("/balance").status_code for _ in range(5)]
    assert statuses[:3] == [200, 200, 200] and statuses[-1] == 429
    assert cobalts.get("/balance").status_code == 200, "others are not held up"


def test_with_redis_gone_the_api_answers_as_before(
    app: APIFlask, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object, **_more: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.connection.AbstractConnection, "connect", gone)
    program = Program(app, OPS_TOKEN)
    assert [program.get("/accounts").status_code for _ in range(3)] == [200, 200, 200]


def test_no_token_appears_in_the_log(
    acmes: Program, stranger: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger.headers = {"Authorization": "Bearer rl_secret_canary"}
    stranger.get("/balance")
    acmes.get("/balance")
    acmes.get("/nothing")
    written = "".join(capsys.readouterr())
    assert "canary" not in written
    assert acmes.headers["Authorization"].removeprefix("Bearer ") not in written
