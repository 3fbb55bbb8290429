"""The customers of the demo with the weeks behind them: what was lived, and every page of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT as AXE
from browsing import NEEDS_CHROMIUM, served
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from gateway import db, demo
from gateway.app import create_app
from gateway.bootstrap import build_runtime
from gateway.config import Settings, load_settings
from gateway.demo_cast import CAST
from gateway.limits import limiter
from gateway.runtime import Runtime
from gateway.services import (
    accounts,
    debits,
    ledger,
    mandates,
    message_log,
    packages,
    payment_methods,
    pools,
    reconciling,
    statement,
    statements,
)
from tests.cli.conftest import a_voice, environ_of, sandbox
from tests.cli.test_demo import state
from tests.edges.rules import RULES

pytestmark = pytest.mark.timeout(300)  # five weeks of a dozen customers


@dataclass(frozen=True)
class Demo:
    settings: Settings
    lines: tuple[str, ...]

    @property
    def runtime(self) -> Runtime:
        return build_runtime(self.settings)

    @property
    def password(self) -> str:
        return (self.settings.var_dir / "secrets" / "demo_password").read_text().strip()


@pytest.fixture(scope="module")
def lived(
    make_database: Callable[[], tuple[str, Callable[[], None]]],
    servers: Any,
    worker_number: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Demo]:
    url, drop = make_database()
    mine = {
        "DATABASE_URL": url,
        "REDIS_URL": servers.redis(worker_number % 64),
        "VAR_DIR": str(tmp_path_factory.mktemp("demo") / "var"),
    }
    with sandbox(load_settings(mine)) as sandbox_url, served(a_voice()) as gateway_url:
        settings = load_settings(environ_of(load_settings(mine), sandbox_url, gateway_url))
        yield Demo(settings, demo.seed(settings))
    db.dispose()
    drop()


def test_every_operators_customers_have_weeks_behind_them_that_the_ledger_proves(
    lived: Demo,
) -> None:
    """The five of the catalogue: a newcomer can pick any and see its rules at work."""
    runtime, lines = lived.runtime, lived.lines
    with runtime.units.read() as uow:
        found = {account.name: account for account in accounts.list_accounts(uow)}
        plans_had = {account.plan_code for account in found.values()}
        assert plans_had >= {
            "payg",
            "package_minutes",
            "prepaid_recharge",
            "small_teams",
            "command_center",
            "per_second_both_legs",
            "per_second_postpaid",
        }
        assert {account.status for account in found.values()} == {"active"}
        for one in CAST:
            if not one.opens_on:
                issued = statements.list_statements(uow, found[one.name].scope).items
                assert bool(issued) != one.is_new, f"{one.name} has had the end of a month"
        for one in CAST:
            assert any(one.email in line for line in lines)
            cards = payment_methods.listed(uow, found[one.name].scope)
            assert len(cards) == one.has_card, one.name
        bought = packages.list_packages(uow, found["Dune"].scope).items
        assert {package.status for package in bought} == {"active", "stopped"}
        grove = pools.figures(uow, found["Grove"])
        assert grove is not None and 0 < grove.used_seconds < grove.allocated_seconds
        assert found["Dune Dental"].balance_micros == 0, "its agency pays"
        asked = [
            view.outstanding_micros
            for name in ("Grove", "Iris")
            for view in statements.list_statements(uow, found[name].scope).items
        ]
        assert any(asked) and not all(asked), "an invoice is due, and an older one is paid"
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok, proof.report.fault
    reconciling.reconcile_due(runtime.units, runtime.telephony)
    with runtime.units.read() as uow:
        assert reconciling.overview(uow).runs, "the last days were compared"
        assert reconciling.list_drifts(uow).items == (), "the carrier has the same calls"


def test_the_demo_shows_what_none_of_the_operators_does(lived: Demo) -> None:
    """Texts, included credit, an upgrade by itself, a refund, and a SEPA debit in euros."""
    with lived.runtime.units.read() as uow:
        found = {account.name: account for account in accounts.list_accounts(uow)}

        def kinds(name: str) -> set[str]:
            scope, after, seen = found[name].scope, None, set()
            while True:
                page = statement.list_postings(uow, scope, after)
                seen |= {line.kind for line in page.items}
                if page.next is None:
                    return seen
                after = page.next

        texts = message_log.list_messages(uow, found["Acme"].scope).items
        assert {(text.direction, text.status) for text in texts} == {
            ("inbound", "received"),
            ("outbound", "delivered"),
        }
        assert all(text.charge_micros for text in texts), "each was charged in its time"
        assert kinds("Juno") >= {"included_credit", "credit_expiry", "access_fee", "usage"}
        juno = found["Juno"]
        assert juno.currency == "EUR" and mandates.find(uow, juno.scope) is not None
        asked = [one.debit for one in debits.list_debits(uow).items]
        assert {debit.account_id for debit in asked} == {juno.id}
        # Holidays of banks move a debit: within the first days of a month it is on its way.
        assert {debit.state for debit in asked} <= {"collected", "submitted"}
        assert ("topup" in kinds("Juno")) == any(debit.state == "collected" for debit in asked)
        assert kinds("Kale") >= {"plan_change", "refund", "draw"}
        assert found["Kale"].plan_code == "growing_large"


def test_a_second_start_lives_nothing_again(lived: Demo) -> None:
    before = state(lived.settings)
    assert demo.seed(lived.settings) == lived.lines
    assert state(lived.settings) == before


# The pages, for everybody: found along the links, as several customers and as staff.

BUSINESSES = ("ann@acme.example", "dora@dune.example", "jana@juno.example")
STAFF = "olga@ringledger.example"
EVERYTHING = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "rules": {"color-contrast": {"enabled": False}},
    "resultTypes": ["violations"],
}
COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast"]},
    "resultTypes": ["violations"],
}
MARK_REPEATED = """() => {
  const shapes = new Set();
  for (const row of document.querySelectorAll("tbody tr")) {
    const wordless = row.outerHTML.replace(/>[^<]+</g, ">.<");
    const bare = wordless.replace(/ (?!class=)[a-z-]+="[^"]*"/g, "");
    const shape = row.closest("table").className + bare;
    if (shapes.has(shape)) row.setAttribute("data-repeated", "");
    shapes.add(shape);
  }
}"""
"""Rows of the same elements and classes as an earlier one: their colours are its colours."""
OTHERS = {"exclude": [["[data-repeated]"]]}
STAFFS_WAY = (
    "/ops/accounts?query=Dune+Dental",  # a client's page leads further than an agency's
    "/ops/charges?all=1",  # the list shows open ones at first, and there are none
)
BY_FORM = {
    "web.number_order": "/numbers/order?e164=%2B14155550123",
}
NOWHERE = {
    "web.bundle_buy",  # no plan of the demo sells single minutes; tests/web/test_bundles.py
    "web.card_back",  # where the card's page leads back to, once
    "web.message_by_line",  # leads on to the message
}
FILES = re.compile(r"[._](csv|pdf|xml|factur_x|file)$|recording$")


def pages_of(app: Flask) -> set[str]:
    """Endpoints of pages that somebody logs in for."""
    return {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and RULES.get(rule.endpoint) in ("member", "owner", "staff")
        and not FILES.search(rule.endpoint)
    }


def linked(
    context: BrowserContext, adapter: MapAdapter, pages: set[str], start: Sequence[str]
) -> dict[str, str]:
    """For each of the pages to which links lead from these, a path, by its endpoint."""
    found: dict[str, str] = {}
    ahead = list(start)
    while ahead:
        path = ahead.pop(0)
        try:
            endpoint, _ = adapter.match(unquote(urlsplit(path).path), method="GET")
        except HTTPException:
            continue
        if endpoint in found or endpoint not in pages:
            continue
        answer = context.request.get(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        found[endpoint] = path
        ahead += map(unescape, re.findall(r'<a\b[^>]*\bhref="(/[^"]*)"', answer.text()))
    return found


def log_in(context: BrowserContext, email: str, password: str) -> Page:
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_attached()
    return page


def faults(page: Page, path: str) -> Iterator[str]:
    """What axe-core finds: of everything in light, and of the colours in light and in dark."""
    page.emulate_media(color_scheme="light")
    answer = page.goto(path)
    assert answer is not None and answer.status == 200, f"{path}: {answer}"
    page.evaluate(AXE)
    page.evaluate(MARK_REPEATED)
    for scheme, where, options in (
        ("light", None, EVERYTHING),
        ("light", OTHERS, COLOURS),
        ("dark", OTHERS, COLOURS),
    ):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(
            "([where, options]) => axe.run(where ?? document, options)", [where, options]
        )
        for violation in found["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"][:3]]
            yield f"{path} ({scheme}): {violation['id']}: {violation['help']}: {nodes}"


@pytest.mark.browser
@NEEDS_CHROMIUM
def test_every_page_is_for_everybody(lived: Demo, chromium: Browser) -> None:
    """A page to which no link leads is named, so that a new one is looked at too."""
    app = create_app(lived.runtime)
    adapter = app.url_map.bind("localhost")
    pages = pages_of(app)
    seen: set[str] = set()
    found: list[str] = []
    with served(app) as url:
        for email in (*BUSINESSES, STAFF):
            limiter.reset()
            # Reduced motion: no colour is looked at on its way to another.
            context = chromium.new_context(base_url=url, reduced_motion="reduce")
            page = log_in(context, email, lived.password)
            start = STAFFS_WAY if email == STAFF else ("/",)
            for endpoint, path in (linked(context, adapter, pages, start) | BY_FORM).items():
                if endpoint in seen or (endpoint in BY_FORM and email == STAFF):
                    continue
                seen.add(endpoint)
                found += faults(page, path)
            context.close()
    assert found == []
    assert pages - seen == NOWHERE
