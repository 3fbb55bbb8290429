"""The OpenAPI document, and its pages at /docs from files in the wheel: no network is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, cast

from apiflask import APIFlask
from flask import Blueprint, Response, current_app, render_template, send_from_directory
from flask.blueprints import BlueprintSetupState

from billing.tariffs import PLAN_SCHEMA as TARIFF_SCHEMA
from gateway.api.access import ACCOUNT_HEADER
from gateway.api.once import HEADER as KEY_HEADER
from gateway.api.routes import blueprint
from routing.plans import PLAN_SCHEMA as ROUTING_SCHEMA

SPEC_PATH = "/api/openapi.json"
_ASSETS = {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"}

DESCRIPTION = f"""
Everything that the pages show and do, for programs.

**Who.** `Authorization: Bearer TOKEN`. A token of an account acts for it. A token of staff (ops)
acts for the account that the header `{ACCOUNT_HEADER}` names. Another account's id is a 404.

**Money** is exact decimal text with its currency (`"49.930834"`, `"USD"`). **Instants** are ISO
8601 in UTC.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a `code` for programs,
a `detail` for people, and `errors` with the JSON pointer of each field that needs another look.
Unknown fields are refused.

**Lists** take `limit` and `after` and answer `items` and `next`. Send `next` as `after` for the
page behind; it is null at the end.

**Once.** Requests that spend or buy take `{KEY_HEADER}`: the same key with the same body is
answered what the first request was answered (with `Idempotency-Replayed: true`); with another body
it is a 409. Refusals are not kept, so a refused request may be sent again with its key. The header
is optional; without it every request is a new one.
"""

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs.", "examples": ["not_found"]},
        "detail": {"type": "string", "description": "For people."},
        "see": {"type": "string", "description": "Path of the page that leads on."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {
                    "path": {"type": "string", "description": "JSON pointer (RFC 6901)."},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}

docs = Blueprint("docs", __name__, url_prefix="/docs")


@docs.get("")
def show() -> str:
    return render_template("api/docs.html", spec_path=SPEC_PATH)


@docs.get("/<name>")
def asset(name: str) -> Response:
    """Swagger UI as flask-swagger-ui ships it, without its page: that has an inline script."""
    if name not in _ASSETS:
        name = ""  # answered 404
    return send_from_directory(str(files("flask_swagger_ui") / "dist"), name, max_age=86_400)


@blueprint.record_once
def _describe(state: BlueprintSetupState) -> None:
    app = cast(APIFlask, state.app)
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        DESCRIPTION=DESCRIPTION.strip(),
        AUTO_TAGS=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        AUTO_SERVERS=False,
        SPEC_DECORATORS=[_api_only],
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer"}},
    )
    app.register_blueprint(docs)

    @app.spec_processor
    def _complete(spec: Any) -> Any:
        schemas = spec["components"]["schemas"]
        schemas["Problem"] = PROBLEM
        _embed(schemas, "RoutingStep", ROUTING_SCHEMA)
        _embed(schemas, "Tariff", TARIFF_SCHEMA)
        schemas["RoutingPlan"]["anyOf"] = [_ref("RoutingStep"), {"required": ["note"]}]
        schemas["PlanIn"]["properties"]["document"] = _ref("Tariff")
        for rule in app.url_map.iter_rules():
            if not rule.endpoint.startswith("api."):
                continue
            view = app.view_functions[rule.endpoint]
            path = spec["paths"][_template(rule.rule)]
            for method in rule.methods or ():
                if method.lower() in path:
                    _complete_operation(path[method.lower()], view, _noun(rule.rule))
        return spec


def _api_only(answer: Callable[[], Response]) -> Callable[[], Response]:
    """APIFlask 3.1.2 asks every blueprint with a `before_request` whether it is to be described,
    which only its own kind can answer."""

    def answer_spec() -> Response:
        for other in current_app.blueprints.values():
            if not hasattr(other, "enable_openapi"):
                other.enable_openapi = False  # type: ignore[attr-defined]
        return answer()

    return answer_spec


def _complete_operation(operation: dict[str, Any], view: Any, noun: str) -> None:
    operation["tags"] = [noun]
    operation["security"] = [{"token": []}]
    operation["responses"]["default"] = {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
    }
    if getattr(view, "takes_account", False):
        operation["parameters"].append(
            _header(ACCOUNT_HEADER, "The account that an ops token acts for.", format="uuid")
        )
    if getattr(view, "takes_key", False):
        operation["parameters"].append(
            _header(KEY_HEADER, "Names the request, so that it happens once.", maxLength=128)
        )


def _embed(schemas: dict[str, Any], name: str, schema: Mapping[str, Any]) -> None:
    """A schema of the rules as components: its definitions get names of their own."""
    text = json.dumps(schema).replace('"#/$defs/', f'"#/components/schemas/{name}.')
    whole = json.loads(text)
    whole.pop("$schema", None)
    for part, definition in whole.pop("$defs", {}).items():
        schemas[f"{name}.{part}"] = definition
    schemas[name] = whole


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(name: str, words: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": words,
        "schema": {"type": "string", **schema},
    }


def _noun(rule: str) -> str:
    """ "/api/v1/numbers/<id>" -> "numbers"."""
    parts = rule.split("/")[3:]
    noun = parts[1] if parts[0] == "ops" else parts[0]
    return noun.removesuffix(".csv")


def _template(rule: str) -> str:
    """Flask's "<uuid:id>.pdf" as OpenAPI's "{id}.pdf"."""
    return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule)
