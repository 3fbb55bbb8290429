"""The OpenAPI document and its pages."""

import re

from apiflask import APIFlask
from openapi_spec_validator import validate
from pydantic import BaseModel
from werkzeug.test import Client


def test_the_document_is_valid_and_names_every_route(app: APIFlask) -> None:
    spec = Client(app).get("/api/openapi.json").json
    assert spec is not None
    validate(spec)
    described = {
        (method, path) for path, operations in spec["paths"].items() for method in operations
    }
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_no_two_shapes_share_a_name(app: APIFlask) -> None:
    """The document knows a shape by its name alone: of two, one would describe both."""
    shapes: dict[str, set[str]] = {}
    ahead = list(BaseModel.__subclasses__())
    while ahead:
        shape = ahead.pop()
        ahead += shape.__subclasses__()
        if shape.__module__.startswith("gateway.api"):
            shapes.setdefault(shape.__name__, set()).add(shape.__module__)
    assert "NumberOut" in shapes
    assert {name: where for name, where in shapes.items() if len(where) > 1} == {}


def test_every_operation_says_what_it_does_who_may_call_it_and_how_it_fails(app: APIFlask) -> None:
    spec = Client(app).get("/api/openapi.json").json
    assert spec is not None
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["security"] == [{"token": []}], where
            assert "default" in operation["responses"], where
            assert ("(staff)" in operation["summary"]) == (
                "/ops/" in path
                or where in ("post /api/v1/accounts", "get /api/v1/accounts", "post /api/v1/plans")
            ), where


def test_the_pages_of_the_document_load_nothing_from_elsewhere(app: APIFlask) -> None:
    client = Client(app)
    page = client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    nonce = re.search(r'script nonce="([^"]+)"', page.text)
    assert nonce is not None
    assert f"'nonce-{nonce.group(1)}'" in page.headers["Content-Security-Policy"]
    for asset in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text):
        assert client.get(asset, buffered=True).status_code == 200, asset
    assert client.get("/docs/index.html").status_code == 404
    assert client.get("/docs/..%2f__init__.py").status_code == 404
