"""The demo: accounts, log-ins and numbers to look at, in sandbox mode only.

Every step looks first whether it was done, so that a second start adds nothing and a start that
was cut short is completed by the next. Accounts have some weeks behind them (`demo_past`); from
the first start on the sandbox carrier's traffic calls them through the same webhooks as real
callers.
"""

import datetime as dt
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal
from uuid import UUID

import requests

from gateway import bootstrap, db, demo_past
from gateway.config import Settings
from gateway.demo_cast import CAST, FUNDS_KEY, DemoAccount, DemoNumber
from gateway.demo_past import Customer, Past
from gateway.demo_plans import demo_plans
from gateway.embedded.process import CannotStart
from gateway.providers.telephony import ProviderError
from gateway.runtime import Runtime
from gateway.services import (
    accounts,
    card_payments,
    forwarding,
    ledger,
    logins,
    numbers,
    payment_methods,
    plans,
    recharge,
)
from gateway.services.accounts import Account, NewAccount
from gateway.services.numbers import Number
from gateway.services.payment_methods import CardsUnreachable
from gateway.store import numbers as number_store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork, UnitsOfWork

ACTOR = "demo"
CARD = "pm_card_visa"
OLGA = "olga@ringledger.example"
CARRIER_WAIT_SECONDS = 20.0


def seed(settings: Settings, *, with_past: bool = True) -> tuple[str, ...]:
    """What `ringledger up` does before anybody logs in; the lines to show on the screen."""
    runtime = bootstrap.build_runtime(settings)
    quick = _without_waiting(settings, runtime)
    try:
        with runtime.units.begin() as uow:
            plans.publish_catalogue(uow, "release")
        if not settings.sandbox:
            return ()
        _publish_plans(runtime)
        password = _password(settings.var_dir)
        _wait_for_carrier(settings)
        past = _past(runtime, settings.var_dir) if with_past else None
        customers = [
            Customer(one, *_account(_when_opened(quick, past, one), one, password)) for one in CAST
        ]
        with runtime.units.begin() as uow:
            _login(uow, None, OLGA, "Olga", password, "ops")
        _reconnect_numbers(runtime)
        if past is not None:
            grown = [customer for customer in customers if not customer.one.is_new]
            demo_past.live(settings, quick, past, grown)
        return _welcome(settings, password)
    finally:
        runtime.units.engine.dispose()
        quick.units.engine.dispose()


def _without_waiting(settings: Settings, runtime: Runtime) -> Runtime:
    """Thousands of small transactions, each of which would wait for the disk."""
    engine = db.engine_for(settings.database_url, application_name="demo", durable=False)
    return replace(runtime, units=UnitsOfWork(engine, runtime.units.clock))


def _publish_plans(runtime: Runtime) -> None:
    with runtime.units.begin() as uow:
        sold = {version.plan_code for version in plans.list_plans(uow)}
        for code, document in demo_plans().items():
            if code not in sold:
                plans.publish_plan(uow, code, document, ACTOR)


def _when_opened(runtime: Runtime, past: Past | None, one: DemoAccount) -> Runtime:
    """With the clock of that day."""
    if past is None or one.is_new:
        return runtime
    return demo_past.at(runtime, past.began + dt.timedelta(days=one.opens_on))


def _past(runtime: Runtime, var_dir: Path) -> Past | None:
    with runtime.units.read() as uow:
        nobody = not accounts.list_accounts(uow, limit=1)
        return Past.open(var_dir, uow.now, is_new=nobody)


def _account(runtime: Runtime, one: DemoAccount, password: str) -> tuple[Scope, tuple[Number, ...]]:
    """The account with its person, money, card and numbers, as far as they are not there yet."""
    with runtime.units.begin() as uow:
        login = logins.find_login(uow, one.email)
        scope = login.scope if login else _open(uow, one).scope
        assert scope is not None
        _login(uow, scope, one.email, one.person, password, "owner")
    if one.has_card:
        _card(runtime, scope)
    if one.funds_micros:
        _fund(runtime, scope, one)
    for wanted in one.numbers:
        _number(runtime, scope, wanted)
    with runtime.units.read() as uow:
        return scope, numbers.every_number(uow, scope)[::-1]


def _fund(runtime: Runtime, scope: Scope, one: DemoAccount) -> None:
    """By the card, as customers do; by staff where there is none, or no card network."""
    till = runtime.till
    if one.has_card and till is not None and till.name == "sandbox":
        with runtime.units.read() as uow:
            has_card = bool(payment_methods.listed(uow, scope))
        if has_card:
            card_payments.pay(
                runtime.units,
                till,
                scope,
                amount_micros=one.funds_micros,
                method_id=None,
                actor=one.person,
                idempotency_key=FUNDS_KEY,
            )
            return
    with runtime.units.begin() as uow:
        ledger.top_up(
            uow,
            scope,
            amount_micros=one.funds_micros,
            method="manual",
            reason="Demo money",
            actor=ACTOR,
            idempotency_key=FUNDS_KEY,
        )


def _card(runtime: Runtime, scope: Scope) -> None:
    """A sandbox card that pays, where there is none; and the recharge of plans that have it."""
    if runtime.till is None or runtime.till.name != "sandbox":
        return
    with runtime.units.read() as uow:
        kept = payment_methods.listed(uow, scope)
        chosen = recharge.get(uow, scope)
    try:
        if not kept:
            payment_methods.attach(
                runtime.units,
                runtime.till,
                scope,
                token=CARD,
                actor=ACTOR,
                idempotency_key="demo-card",
            )
    except CardsUnreachable:
        return  # another carrier's sandbox has no card network; the next start tries again
    if chosen.settings.terms.allowed and not chosen.chosen:
        with runtime.units.begin() as uow:
            recharge.choose(
                uow,
                scope,
                on=True,
                minimum_micros=chosen.settings.minimum_micros,
                maximum_micros=chosen.settings.maximum_micros,
                daily_cap_micros=None,
                monthly_cap_micros=None,
                cooldown_seconds=0,
                actor=ACTOR,
            )


def _open(uow: UnitOfWork, one: DemoAccount) -> Account:
    account = accounts.create_account(
        uow,
        NewAccount(
            name=one.name,
            billing_email=one.email,
            plan_code=one.plan_code,
            currency=one.currency,
            country=one.country,
            time_zone=one.time_zone,
            term=one.term,
            parent_id=_agency(uow, one.agency),
            billing="agency_shared" if one.shares_from == 0 else "own",
            email_is_confirmed=True,
            needs_card=False,  # nobody of the demo has one to show at the door
        ),
        ACTOR,
    )
    changes = {"low_balance_micros": one.low_balance_micros}
    return accounts.update_account(uow, account.scope, changes, ACTOR)


def _agency(uow: UnitOfWork, name: str) -> UUID | None:
    email = next((one.email for one in CAST if one.name == name), None)
    login = logins.find_login(uow, email) if email else None
    return login.account_id if login else None


def _login(
    uow: UnitOfWork,
    scope: Scope | None,
    email: str,
    name: str,
    password: str,
    role: Literal["owner", "ops"],
) -> None:
    if logins.find_login(uow, email) is None:
        logins.create_login(
            uow, scope, email=email, name=name, password=password, role=role, actor=ACTOR
        )
    elif logins.authenticate_login(uow, email, password) is None:
        # VAR_DIR was emptied and the database was not: what the screen shows must work.
        logins.reset_password(uow, email, password, ACTOR)


def _number(runtime: Runtime, scope: Scope, wanted: DemoNumber) -> None:
    with runtime.units.read() as uow:
        order = number_store.find_order(uow.connection, scope, wanted.key)
    e164 = order.e164 if order else _offer(runtime, scope, wanted)
    if e164 is None or (order is not None and order.state == "failed"):
        return
    bought = numbers.order_number(
        runtime.units,
        runtime.telephony,
        runtime.links,
        scope,
        e164=e164,
        label=wanted.label,
        source=wanted.source,
        actor=ACTOR,
        idempotency_key=wanted.key,
    )
    with runtime.units.begin() as uow:
        if not forwarding.versions(uow, scope, bought.id, limit=1):
            forwarding.publish(uow, scope, bought.id, wanted.plan, ACTOR, note="Demo")
            numbers.set_texts_to(uow, scope, bought.id, wanted.texts_to, ACTOR)


def _offer(runtime: Runtime, scope: Scope, wanted: DemoNumber) -> str | None:
    """The first number on sale; None for an account that cannot buy any more."""
    with runtime.units.read() as uow:
        account = accounts.get_account(uow, scope)
        plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    if account.status != "active":
        return None
    offered = numbers.search_available(
        runtime.telephony,
        plan,
        number_type=wanted.number_type,
        area_code=wanted.area_code,
        limit=1,
    )
    return offered[0].e164 if offered else None


def _reconnect_numbers(runtime: Runtime) -> None:
    """Every number points at this installation, also after a move to another port, and after the
    sandbox carrier lost its memory (then it gets the number anew)."""
    for number in _all_numbers(runtime):
        urls = runtime.links.number(number.tenant_id)
        try:
            found = runtime.telephony.find_number(e164=number.e164)
            if found is None:
                found = runtime.telephony.buy_number(
                    number.e164, friendly_name=str(number.id), urls=urls
                )
            elif found.urls != urls:
                runtime.telephony.update_number(found.sid, urls)
        except ProviderError as failure:
            raise CannotStart(f"{number.e164} cannot be connected: {failure.words}") from failure
        if found.sid != number.carrier_sid:
            with runtime.units.begin() as uow:
                number_store.change(
                    uow.connection, number.scope, number.id, {"carrier_sid": found.sid}
                )


def _all_numbers(runtime: Runtime) -> list[Number]:
    found: list[Number] = []
    with runtime.units.read() as uow:
        page = accounts.list_accounts(uow, limit=200)
        while page:
            for account in page:
                found.extend(numbers.every_number(uow, account.scope))
            page = accounts.list_accounts(uow, after=page[-1].id, limit=200)
    return found


def _password(var_dir: Path) -> str:
    """Made once and kept beside the other secrets: the same installation may get real
    credentials later, and a password that everybody knows would still be in its database."""
    path = var_dir / "secrets" / "demo_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"ring-{secrets.token_hex(5)}\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _wait_for_carrier(settings: Settings) -> None:
    url = (
        f"{settings.twilio_api_url}/2010-04-01/Accounts/{settings.twilio_account_sid}/Balance.json"
    )
    auth = (settings.twilio_account_sid, settings.twilio_auth_token)
    ends_at = time.monotonic() + CARRIER_WAIT_SECONDS
    while True:
        try:
            if requests.get(url, auth=auth, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > ends_at:
            raise CannotStart(
                f"The sandbox carrier at {settings.twilio_api_url} does not answer: "
                "the reason is in the newest lines of VAR_DIR/log/carrier.log."
            )
        time.sleep(0.05)


def _welcome(settings: Settings, password: str) -> tuple[str, ...]:
    people = [(one.email, f"{one.name}, {one.about}") for one in CAST]
    people.append((OLGA, "staff: the console is at /ops"))
    width = max(len(email) for email, _ in people)
    return (
        "",
        f"Log in (password {password}):",
        *(f"  {email:<{width}}  {about}" for email, about in people),
        "",
        "Try: watch calls arrive under Calls, open one, and ask why it cost what it cost.",
        "     Change a number's forwarding, and ask what would happen at night.",
        "     Answer a text under Messages: its price shows while you type.",
        "     In another terminal: ringledger simulate storm --calls 50",
        "",
    )
