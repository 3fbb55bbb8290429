"""A small world for journeys: the real application, the sandbox carrier in virtual time, the cast.

Acme is funded, Bolt is empty, Cobalt is a stranger, Olga is staff. Webhooks reach the application
signed, as HTTP requests; nothing of the gateway is replaced. An hour's call takes milliseconds.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from shelf import put_on_sale
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from billing.ledger import fingerprint
from gateway import db
from gateway.app import create_app
from gateway.bootstrap import connect_vat_register
from gateway.config import Settings, load_settings
from gateway.links import PublicLinks
from gateway.providers.mail import SandboxMailer
from gateway.providers.stripe_cards import StripeCards
from gateway.providers.twilio_rest import TwilioTelephony
from gateway.runtime import Runtime
from gateway.sandbox.calls import new_sid
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.people import Behaviour, CallerScript, Outcome
from gateway.sandbox.poster import Reply, Request
from gateway.sandbox.rest import create_sandbox_app
from gateway.sandbox.signature import sign, signed_url
from gateway.services import (
    accounts,
    forwarding,
    ledger,
    looks,
    purchases,
    renewals,
    settlement,
    sweeping,
)
from gateway.services.accounts import NewAccount
from gateway.services.numbers import Number
from gateway.services.till import Till
from gateway.store import ledger as ledger_store
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork
from workers import carrier as carrier_queue
from workers import notify as notify_queue
from workers.context import Work

START = dt.datetime(2026, 3, 3, 15, 0, tzinfo=dt.UTC)  # a Tuesday, ten in New York
FRONT_DESK, MOBILE, WAREHOUSE = "+14155550101", "+14155550102", "+12125550103"
CALLER = "+17025550111"  # Nevada

VOICEMAIL = {"pattern": "voicemail", "say": "Please leave a message."}
BOTH_PHONES = {
    "pattern": "simultaneous",
    "targets": [
        {"type": "number", "address": FRONT_DESK},
        {"type": "number", "address": MOBILE},
    ],
    "otherwise": VOICEMAIL,
}
ONE_PHONE = {"pattern": "simultaneous", "targets": [{"type": "number", "address": FRONT_DESK}]}


class ClientPoster:
    """The carrier's requests, signed by the carrier, into the application."""

    def __init__(self, app: Flask, auth_token: str) -> None:
        self._app = app
        self._token = auth_token
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        parts = urlsplit(request.url)
        answer = self._app.test_client().post(
            parts.path + (f"?{parts.query}" if parts.query else ""),
            data=dict(request.params),
            headers={
                "X-Twilio-Signature": sign(self._token, signed_url(request.url), request.params)
            },
        )
        failed = answer.status_code >= 400
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status_code, headers, answer.data, error_code=11200 if failed else 0)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the cast: an account with a tracking number."""

    scope: Scope
    number: Number

    @property
    def e164(self) -> str:
        return self.number.e164


class World:
    def __init__(self, settings: Settings, rest_url: str, carrier: Carrier) -> None:
        self.settings = settings
        self.carrier = carrier
        self.units = UnitsOfWork(db.engine_for(settings.database_url), carrier.clock.now)
        self.rest_url = rest_url
        self.runtime = self.runtime_on(self.units)
        self.telephony = self.runtime.telephony
        self.app = create_app(self.runtime)
        self.tools = self.worker_on(self.units)
        self.poster = ClientPoster(self.app, settings.twilio_auth_token)
        carrier.poster = carrier.exchange.poster = carrier.courier._poster = self.poster
        self.cards = carrier.cards
        self.cards.events.url = f"{settings.public_url}/webhooks/stripe"
        self.cards.events.send = self._take_news
        put_on_sale(self.units, "test")

    def runtime_on(self, units: UnitsOfWork) -> Runtime:
        """A process of the product, with connections of its own to the carrier."""
        settings = self.settings
        telephony = TwilioTelephony(
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token,
            api_url=self.rest_url,
        )
        return Runtime(
            settings=settings,
            units=units,
            links=PublicLinks(settings.public_url),
            connect_carrier=lambda: telephony,
            till=Till(
                name="sandbox",
                seller_country=settings.seller_country,
                public_url=settings.public_url,
                connect=lambda: StripeCards(
                    api_key=settings.sandbox_card_key,
                    webhook_secret=settings.sandbox_card_secret,
                    api_url=self.rest_url,
                    name="sandbox",
                ),
            ),
        )

    def worker_on(self, units: UnitsOfWork) -> Work:
        runtime = self.runtime if units is self.units else self.runtime_on(units)
        register = connect_vat_register(self.settings)
        return Work(runtime, SandboxMailer(), vat_register=register)

    def _take_news(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The card network's news, into the application."""
        path = urlsplit(url).path
        return self.app.test_client().post(path, data=body, headers=headers).status_code

    # The cast.

    def join(
        self,
        name: str,
        *,
        funds: int = 50_000_000,
        plan: str = "payg",
        document: Mapping[str, Any] | None = BOTH_PHONES,
        area_code: str = "415",
        **more: Any,
    ) -> Member:
        """A new account with `funds` micros, one number and, unless None, a published plan."""
        with self.units.begin() as uow:
            account = accounts.create_account(
                uow,
                NewAccount(
                    name=name,
                    billing_email=f"{name.lower()}@example.com",
                    plan_code=plan,
                    email_is_confirmed=True,
                    **more,
                ),
                "test",
            )
            scope = Scope(account.tenant_id, account.id)
        self.top_up(scope, 100_000_000, method="transfer")  # which no plan refuses
        if self.status(scope) == "suspended":
            self.renew()  # a first access fee that waited for the money
        number = self.buy(scope, area_code=area_code)
        if document is not None:
            self.publish(scope, number.id, document)
        with self.units.begin() as uow:
            balance = accounts.get_account(uow, scope).balance_micros
            if funds != balance:
                ledger.adjust(
                    uow,
                    scope,
                    amount_micros=funds - balance,
                    reason="what this story begins with",
                    actor="test",
                    idempotency_key="begin",
                )
        return Member(scope, number)

    def buy(self, scope: Scope, *, area_code: str = "415") -> Number:
        offered = self.telephony.search_numbers(
            country="US", number_type="local", area_code=area_code, contains="", limit=1
        )
        return purchases.order_number(
            self.units,
            self.telephony,
            self.runtime.links,
            scope,
            e164=offered[0].e164,
            actor="test",
            idempotency_key=str(uuid.uuid4()),
        )

    def publish(self, scope: Scope, did_id: uuid.UUID, document: Mapping[str, Any]) -> None:
        with self.units.begin() as uow:
            forwarding.publish(uow, scope, did_id, document, "test")

    def top_up(self, scope: Scope, amount_micros: int, *, method: str = "manual") -> None:
        with self.units.begin() as uow:
            ledger.top_up(
                uow,
                scope,
                amount_micros=amount_micros,
                method=method,
                reason="test",
                actor="test",
                idempotency_key=str(uuid.uuid4()),
            )

    # What happens.

    def person(self, address: str, *, talks: float | None = 60, after: float = 5) -> None:
        self.carrier.people.tell(
            address, Behaviour(Outcome.ANSWERS, answers_after_seconds=after, talks_seconds=talks)
        )

    def nobody(self, *addresses: str) -> None:
        for address in addresses:
            self.carrier.people.tell(address, Behaviour(Outcome.NO_ANSWER))

    def behave(self, address: str, **how: Any) -> None:
        self.carrier.people.tell(address, replace(Behaviour(), **how))

    def call(self, to: str, *, from_: str = CALLER, **script: Any) -> str:
        """Place a call and let it end; its CallSid. Not yet settled."""
        call_sid = self.carrier.place_call(from_, to, CallerScript(**script))
        self.carrier.run_until_idle()
        return call_sid

    def ring(self, to: str, *, seconds: float, from_: str = CALLER, **script: Any) -> str:
        """Place a call and let so much time pass: it may still be going on."""
        call_sid = self.carrier.place_call(from_, to, CallerScript(**script))
        self.carrier.run_for(seconds)
        return call_sid

    def post(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        signature: str | None = None,
        **request: Any,
    ) -> TestResponse:
        """A request of the carrier's, written by hand; signed unless a signature is given.
        `path` with its query, as on the wire; further arguments are the test client's."""
        form = {"AccountSid": self.settings.twilio_account_sid, **(params or {})}
        if signature is None:
            signature = sign(
                self.settings.twilio_auth_token, f"{self.settings.public_url}{path}", form
            )
        headers = {"X-Twilio-Signature": signature, **request.pop("headers", {})}
        return self.app.test_client().post(path, data=form, headers=headers, **request)

    def ask(self, to: str, *, from_: str = CALLER, call_sid: str = "", **form: str) -> str:
        """What the voice webhook answers to a call that begins now."""
        sid = call_sid or new_sid("CA")
        answer = self.post(
            "/webhooks/twilio/voice", {"CallSid": sid, "From": from_, "To": to, **form}
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def repeat_webhooks(self) -> None:
        """The carrier sends all that it sent so far once more."""
        for request in list(self.poster.seen):
            self.poster(request)

    def settle(self) -> int:
        return settlement.drain(self.units).legs

    def wait_until(self, when: dt.datetime) -> None:
        """Nothing happens until then; nobody looked at what became due meanwhile."""
        self.carrier.run_for((when - self.carrier.clock.now()).total_seconds())

    def renew(self) -> int:
        """The renewals queue; how many accounts had something that renews."""
        renewed = renewals.drain(self.units)
        looks.drain(self.units, "US")
        return renewed

    def sweep(self) -> None:
        """What the clock and the carrier queue do after callbacks were lost."""
        sweeping.recheck_open_calls(self.units)
        self.carrier.run_for(10)
        while carrier_queue.drain(self.tools):
            pass  # it asks about a few dozen calls at a time

    def work(self) -> None:
        """All queues until nothing is due."""
        carrier_queue.drain(self.tools)
        notify_queue.drain(self.tools)

    # What can be seen.

    def balance(self, scope: Scope) -> int:
        with self.units.read() as uow:
            return accounts.get_account(uow, scope).balance_micros

    def status(self, scope: Scope) -> str:
        with self.units.read() as uow:
            return accounts.get_account(uow, scope).status

    def rows(self, table: type[Any], scope: Scope) -> list[Any]:
        """Every row of a tenant's table, in key order."""
        columns = table.__table__
        with self.units.read() as uow:
            return list(
                uow.connection.execute(
                    columns.select()
                    .where(columns.c.tenant_id == scope.tenant_id)
                    .order_by(*columns.primary_key.columns)
                )
            )

    def ledger_digest(self, scope: Scope) -> str:
        """What was charged, whatever the order: the same for every replay of the same calls."""
        with self.units.read() as uow:
            return fingerprint(
                row.posting for row in ledger_store.chain_rows(uow.connection, scope.tenant_id)
            )

    def prove_ledger(self) -> None:
        """The invariants of every scenario: chains hold, balances equal their entries, and what
        the books hold together is nothing."""
        with self.units.read() as uow:
            proofs = list(ledger.verify(uow.connection))
        assert proofs, "there is no ledger to prove"
        for proof in proofs:
            assert proof.report.ok, proof.report.fault
            assert sum(proof.report.balances.values()) == 0


def settings_for(database_url: str, redis_url: str, var_dir: Path) -> Settings:
    """Sandbox settings; nothing of the developer's environment."""
    return load_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "VAR_DIR": str(var_dir),
            "PUBLIC_URL": "http://gateway.test",
        }
    )


@contextmanager
def world(settings: Settings, *, hold: bool = False) -> Iterator[World]:
    """The carrier's REST API is served on a loopback port while the world lasts."""
    carrier = Carrier(
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        clock=VirtualClock(START),
        hold=hold,
    )
    server = make_server("127.0.0.1", 0, create_sandbox_app(carrier), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield World(settings, f"http://127.0.0.1:{server.server_port}", carrier)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
