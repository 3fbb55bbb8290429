"""Errors in the form that the asker reads, and headers that keep browsers safe."""

import re

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from gateway.services.errors import BalanceTooLow, FieldError, Invalid, NotFound


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    @app.get("/api/v1/broken/<how>")
    def broken(how: str) -> str:
        match how:
            case "missing":
                raise NotFound("number", "abc")
            case "poor":
                raise BalanceTooLow("Too little.", needed_micros=2, balance_micros=1)
            case "fields":
                raise Invalid([FieldError("/targets/0/address", "write a number", "number")])
        raise RuntimeError("rl_secret_that_nobody_may_see")

    @app.get("/page/<how>")
    def page(how: str) -> str:
        raise NotFound("call", how)

    return app.test_client()


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        pytest.param("missing", 404, "not_found", id="an id that is not ours"),
        pytest.param("poor", 402, "balance_too_low", id="a purchase beyond the balance"),
        pytest.param("fields", 422, "invalid", id="a field that is wrong"),
        pytest.param("fault", 500, "internal", id="a fault of ours"),
    ],
)
def test_programs_get_problem_documents(
    client: FlaskClient, how: str, status: int, code: str
) -> None:
    answer = client.get(f"/api/v1/broken/{how}")
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["detail"]
    assert "rl_secret" not in answer.get_data(as_text=True)


def test_a_field_error_names_its_path(client: FlaskClient) -> None:
    assert client.get("/api/v1/broken/fields").json["errors"] == [
        {"path": "/targets/0/address", "message": "write a number", "code": "number"}
    ]


def test_people_get_a_page_with_the_same_words_and_without_the_id(client: FlaskClient) -> None:
    answer = client.get("/page/CA1", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "There is no call here." in answer.get_data(as_text=True)


def test_a_wrong_method_names_the_right_one(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/broken/x")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_every_page_carries_the_security_headers_and_a_fresh_nonce(client: FlaskClient) -> None:
    policies = [client.get("/healthz").headers["Content-Security-Policy"] for _ in range(2)]
    nonces = [re.search(r"'nonce-([\w-]+)'", policy) for policy in policies]
    assert nonces[0] and nonces[1] and nonces[0][1] != nonces[1][1]
    assert "unsafe-inline" not in policies[0]
    headers = client.get("/nowhere").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"].upper() == "DENY"
    assert headers["Cache-Control"] == "no-store"


class Unreadable:
    """As gunicorn's body is when the sender's chunks are none, or its line is cut."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, *_: int) -> bytes:
        raise self.error

    readline = read


@pytest.mark.parametrize(
    "path, content_type",
    [
        pytest.param("/webhooks/twilio/voice", "application/x-www-form-urlencoded", id="carrier"),
        pytest.param("/login", "application/x-www-form-urlencoded", id="browser"),
        pytest.param("/api/v1/accounts", "application/json", id="program"),
    ],
)
@pytest.mark.parametrize("error", [InvalidChunkSize(b"zz"), NoMoreData(b"a=")])
def test_a_body_that_cannot_be_read_is_the_senders_mistake(
    client: FlaskClient, path: str, content_type: str, error: Exception
) -> None:
    answer = client.post(
        path,
        content_type=content_type,
        headers={"Authorization": "Bearer olga-token-for-tests", "X-Twilio-Signature": "any"},
        environ_overrides={"wsgi.input": Unreadable(error), "wsgi.input_terminated": True},
    )
    assert answer.status_code == 400
