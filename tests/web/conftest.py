"""The cast at their desks: Acme is funded, Bolt is empty, Cobalt is a stranger, Olga is staff."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from servers import Servers
from werkzeug.test import TestResponse

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.metering import LegStatus
from billing.money import parse_amount
from gateway import db
from gateway.app import create_app
from gateway.config import Settings, load_settings
from gateway.limits import limiter
from gateway.links import NumberUrls, PublicLinks
from gateway.providers.telephony import CarrierNumber, OfferedNumber
from gateway.runtime import EXTENSION, Runtime
from gateway.services import (
    accounts,
    calls,
    forwarding,
    ledger,
    logins,
    plans,
    purchases,
    settlement,
    statement,
)
from gateway.services.accounts import Account, NewAccount
from gateway.services.numbers import Number
from gateway.services.till import Till
from gateway.store.base import new_id
from gateway.uow import UnitsOfWork
from routing.facts import CallFacts

NOON = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)  # noon in New York, a Wednesday
OLGA = "olga@ringledger.test"
PASSWORD = "four small green boats"
FRONT_DESK = {
    "pattern": "simultaneous",
    "targets": [
        {"type": "number", "address": "+14155550101"},
        {"type": "number", "address": "+14155550102"},
    ],
    "otherwise": {"pattern": "voicemail", "say": "Please leave a message."},
}


class Shop:
    """A carrier that sells every number it is asked for."""

    def search_numbers(self, *, area_code: str, **_wanted: object) -> tuple[OfferedNumber, ...]:
        prefix = area_code or "415"
        return tuple(
            OfferedNumber(f"+1{prefix}23456{n:02}", "San Francisco", "CA", "US", "local")
            for n in range(3)
        )

    def buy_number(self, e164: str, *, friendly_name: str, urls: NumberUrls) -> CarrierNumber:
        return CarrierNumber(f"PN{e164[1:].zfill(32)}", e164, friendly_name, urls)

    def find_number(self, **_wanted: object) -> None:
        return None


class Browser:
    """A person at a browser: follows forms, sends the page's CSRF token, can be logged in."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def post(self, path: str, fields: Any = None, **more: Any) -> TestResponse:
        token = csrf_token(self.client.get("/login").text or "") or csrf_token(
            self.client.get("/settings").text
        )
        data = list((fields or {}).items()) if isinstance(fields, dict) else list(fields or [])
        form: dict[str, list[str]] = {}
        for name, value in [*data, ("csrf_token", token)]:
            form.setdefault(name, []).append(value)
        return self.client.post(path, data=form, **more)

    def log_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/login", {"email": email, "password": password})


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    return found.group(1) if found else ""


@dataclass
class World:
    """Acme with a number, its forwarding, and a settled call; the others beside it."""

    app: APIFlask
    units: UnitsOfWork
    runtime: Runtime
    acme: Account
    bolt: Account
    cobalt: Account
    number: Number
    call_sid: str

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def logged_in(self, email: str) -> Browser:
        browser = self.browser()
        assert browser.log_in(email).status_code == 302
        return browser

    def take_call(self, sid: str) -> str:
        """One more call to Acme's number, from a caller who hangs up at once."""
        return take_call(self.units, self.number, sid=sid, seconds=0)

    @property
    def posting_id(self) -> str:
        with self.units.read() as uow:
            return statement.list_postings(uow, self.acme.scope).items[0].id


def open_account(units: UnitsOfWork, name: str) -> Account:
    host = f"{name.lower()}.test"
    with units.begin() as uow:
        account = accounts.create_account(
            uow,
            NewAccount(
                name=name,
                billing_email=f"billing@{host}",
                plan_code="payg",
                email_is_confirmed=True,
            ),
            OLGA,
        )
        for role in ("owner", "member"):
            logins.create_login(
                uow,
                account.scope,
                email=f"{role}@{host}",
                name=f"{name} {role}",
                password=PASSWORD,
                role=role,
                actor=OLGA,
            )
    return account


def fund(units: UnitsOfWork, account: Account, amount: str) -> None:
    with units.begin() as uow:
        ledger.top_up(
            uow,
            account.scope,
            amount_micros=parse_amount(amount),
            method="manual",
            reason="test money",
            actor=OLGA,
            idempotency_key=str(new_id()),
        )


def buy(runtime: Runtime, account: Account, e164: str, label: str, source: str) -> Number:
    return purchases.order_number(
        runtime.units,
        runtime.telephony,
        runtime.links,
        account.scope,
        e164=e164,
        label=label,
        source=source,
        actor=OLGA,
        idempotency_key=str(new_id()),
    )


def take_call(
    units: UnitsOfWork,
    number: Number,
    *,
    sid: str,
    caller: str | None = "+12125550187",
    at: dt.datetime = NOON,
    seconds: int = 83,
    answered_by: str = "+14155550101",
) -> str:
    """A call that rings two phones and is taken by one; nobody takes it when `seconds` is 0."""
    call_sid, leg_sid, other_sid = f"CA{sid:0>32}", f"CA1{sid:0>31}", f"CA2{sid:0>31}"
    facts = CallFacts(
        call_sid=call_sid,
        caller=caller,
        caller_raw=caller or "anonymous",
        called=number.e164,
        country="US",
        state="NY",
        city="NEW YORK",
        started_at=at,
    )
    params = {"CallSid": call_sid, "From": caller or "anonymous", "To": number.e164}
    end = at + dt.timedelta(seconds=seconds + 7)
    tenant = number.tenant_id
    with UnitsOfWork(units.engine, lambda: at).begin() as uow:
        calls.open_call(uow, facts, params)
        for sid_of_leg, status, talk, to in (
            (other_sid, LegStatus.NO_ANSWER, 0, "+14155550102"),
            (
                leg_sid,
                LegStatus.COMPLETED if seconds else LegStatus.NO_ANSWER,
                seconds,
                answered_by,
            ),
        ):
            event = calls.LegEvent(sid_of_leg, status, talk, end, to, cursor="!0")
            calls.record_leg(
                uow,
                tenant,
                call_sid,
                event,
                {"CallSid": sid_of_leg, "To": to, "CallStatus": str(status), "CallDuration": talk},
            )
        parent = calls.LegEvent(
            call_sid,
            LegStatus.COMPLETED if seconds else LegStatus.NO_ANSWER,
            seconds,
            end,
            number.e164,
            target_kind="did",
            source="status",
        )
        status = {**params, "CallStatus": str(parent.status), "CallDuration": seconds}
        calls.close_call(uow, tenant, parent, facts, status)
    return call_sid


def people_the_world(app: APIFlask, runtime: Runtime) -> World:
    units = runtime.units
    with units.begin() as uow:
        for code, document in load_catalogue().items():
            kind = "carrier" if code == CARRIER_COST else "retail"
            plans.publish_plan(uow, code, document, OLGA, kind)
        logins.create_login(
            uow, None, email=OLGA, name="Olga", password=PASSWORD, role="ops", actor="test"
        )
    acme, bolt, cobalt = (open_account(units, name) for name in ("Acme", "Bolt", "Cobalt"))
    fund(units, acme, "50.00")
    number = buy(runtime, acme, "+14152345678", "Website", "Google Ads")
    with units.begin() as uow:
        forwarding.publish(uow, acme.scope, number.id, FRONT_DESK, "owner@acme.test", "first")
    call_sid = take_call(units, number, sid="a1")
    settlement.drain(units)
    return World(app, units, runtime, acme, bolt, cobalt, number, call_sid)


@pytest.fixture(scope="session")
def web_app(
    servers: Servers,
    worker_number: int,
    make_database: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[APIFlask]:
    """One application; each test gives it a runtime on a database of its own."""
    url, drop = make_database()
    settings = load_settings(
        {
            "DATABASE_URL": url,
            "REDIS_URL": servers.redis(worker_number % 64),
            "VAR_DIR": str(tmp_path_factory.mktemp("var")),
            "PUBLIC_URL": "http://gateway.test",
            "BOOTSTRAP_OPS_TOKEN": "olga-token-for-tests",
        }
    )
    yield create_app(runtime_on(settings, url))
    drop()


@pytest.fixture(scope="session")
def settled(web_app: APIFlask) -> World:
    """The world as every test finds it, made once; its database is the one to copy."""
    made = people_the_world(web_app, web_app.extensions[EXTENSION])
    made.units.engine.dispose()  # a database with a visitor cannot be copied
    return made


@pytest.fixture
def world(settled: World, servers: Servers, worker_number: int) -> Iterator[World]:
    with copy_of(settled, servers, f"web_{worker_number}") as found:
        yield found


@contextmanager
def copy_of(
    settled: World, servers: Servers, prefix: str, till: Till | None = None
) -> Iterator[World]:
    """The same people on a database of their own, in the same application."""
    source = settled.runtime.settings.database_url
    name = f"{prefix}_{next(_numbers)}"
    template = source.partition("?")[0].rpartition("/")[2]
    servers.create_database(name, template)
    runtime = runtime_on(settled.runtime.settings, source.replace(f"/{template}", f"/{name}"), till)
    settled.app.extensions[EXTENSION] = runtime
    was = dict(settled.app.config)
    yield replace(settled, units=runtime.units, runtime=runtime)
    settled.app.config.update(was)
    limiter.reset()
    runtime.units.engine.dispose()
    servers.drop_database(name)


def runtime_on(settings: Settings, database_url: str, till: Till | None = None) -> Runtime:
    return Runtime(
        settings=settings,
        units=UnitsOfWork(db.engine_for(database_url), lambda: NOON),
        links=PublicLinks(settings.public_url),
        connect_carrier=lambda: Shop(),  # type: ignore[arg-type, return-value]
        till=till,
    )


_numbers = count()


@pytest.fixture
def acme(world: World) -> Browser:
    """Acme's owner, logged in."""
    return world.logged_in("owner@acme.test")


@pytest.fixture
def member(world: World) -> Browser:
    return world.logged_in("member@acme.test")


@pytest.fixture
def cobalt(world: World) -> Browser:
    return world.logged_in("owner@cobalt.test")


@pytest.fixture
def visit(world: World) -> Callable[[str], Browser]:
    return world.logged_in
