"""The sender's signature against the published vectors, and the request around it."""

import json
import socket

import pytest

from gateway.sandbox.poster import HttpPoster, Overrides, Request, overrides
from gateway.sandbox.signature import sign, signed_url


def test_every_signature_that_twilios_node_client_makes_is_reproduced(shared_data):
    data = json.loads((shared_data / "signature_vectors.json").read_text())
    vectors = data["node_6.2.0_generated"]
    for vector in vectors:
        made = sign(vector["token"], vector["url"], vector.get("params"))
        assert made == vector["expected_raw"], vector["name"]
    assert len(vectors) >= 18


def test_the_published_signatures_are_reproduced(shared_data):
    """The two with user info sign a URL that Twilio itself says it does not sign."""
    data = json.loads((shared_data / "signature_vectors.json").read_text())
    vectors = [one for one in data["published"] if "user" not in one.get("name", "")]
    for vector in vectors:
        url = signed_url(vector["url"])
        port = {"https signed with :443": ":443", "http signed with :80": ":80"}
        with_port = url.replace(".com/", f".com{port.get(vector.get('name'), '')}/")
        made = sign(vector["token"], with_port, vector.get("params"))
        assert made == vector["signature"], vector
    assert len(vectors) >= 8


def test_the_documented_example_is_reproduced():
    # twilio.com/docs/usage/security
    params = {
        "Digits": "1234", "To": "+18005551212", "From": "+14158675310", "Caller": "+14158675310",
        "CallSid": "CA1234567890ABCDE",
    }  # fmt: skip
    url = "https://example.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, params) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@pytest.mark.parametrize(
    "configured, signed",
    [
        pytest.param("http://gw:8000/a?b=c#rc=5", "http://gw:8000/a?b=c", id="no fragment"),
        pytest.param("http://u:p@gw/a", "http://gw/a", id="no user and password"),
        pytest.param("https://gw:8443/a", "https://gw/a", id="no port for voice over https"),
        pytest.param("http://gw/caf%C3%A9%2F", "http://gw/caf%C3%A9%2F", id="escapes stay"),
    ],
)
def test_the_signed_url_is_the_configured_one_without_its_private_parts(configured, signed):
    assert signed_url(configured) == signed


@pytest.mark.parametrize(
    "url, expected",
    [
        pytest.param("http://gw/", Overrides(), id="nothing asked"),
        pytest.param(
            "http://gw/#rc=5&rp=5xx,ct,rt&rt=3000",
            Overrides(read_ms=3000, retries=5, policy=frozenset({"5xx", "ct", "rt"})),
            id="five retries on errors and timeouts",
        ),
        pytest.param("http://gw/#rc=9&ct=1&rt=99999", Overrides(), id="out of range is ignored"),
    ],
)
def test_connection_overrides_are_read_from_the_fragment(url, expected):
    assert overrides(url) == expected


def test_a_read_timeout_is_not_retried_unless_it_is_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        post = HttpPoster("token")
        once = post(Request(url + "#rt=100", {}))
        thrice = post(Request(url + "#rt=100&rc=2&rp=rt", {}))
    assert (once.error_code, once.attempts) == (11200, 1)
    assert (thrice.error_code, thrice.attempts) == (11200, 3)


def test_the_total_time_ends_the_retries():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/#rt=200&tt=300&rc=5&rp=rt"
        assert HttpPoster("token")(Request(url, {})).attempts == 2
