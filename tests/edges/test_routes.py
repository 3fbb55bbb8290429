"""Every route of the application has a rule, and the rule holds for every role (RELIABILITY H1)."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.routing import Rule
from werkzeug.test import Client, TestResponse

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from billing.transfers import Transfer
from gateway.services import (
    accounts,
    bundles,
    card_payments,
    mandates,
    message_events,
    message_log,
    message_settlement,
    operations,
    packages,
    payment_methods,
    plan_changes,
    plans,
    publications,
    refunds,
    statement,
    statement_issuing,
    statements,
    tokens,
    transfers,
)
from gateway.services.accounts import NewAccount
from gateway.services.message_events import IncomingText
from gateway.store import debits, mail, outbox
from gateway.store.base import new_id
from gateway.store.debits import Debit
from gateway.store.mandates import StoredMandate
from gateway.store.refunds import Refund
from gateway.uow import UnitOfWork, UnitsOfWork
from tests.edges.rules import BODIES, FORMS, RULES
from tests.web.conftest import OLGA, World

SEEN_BY_ITS_OWN_ONLY = ("member", "owner", "account")
NOT_THERE = {404}
CARD_IDS = ("method_id", "visit_id", "payment_id", "charge_id", "refund_id")
WITH_PACKAGES: dict[str, Any] = load_catalogue()["payg"] | {
    "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
    "packages": [{"code": "small", "number_type": "local", "minutes": 10, "price": "0.30"}],
    "topup": {"bundles": [{"minutes": 100, "price": "0.50"}]},
    "access_fee": {"month": "1.00"},
    "refunds": "card_payments",
    "support_contact": "(800) 577-1872",
}
MANDATE: dict[str, Any] = {
    "reference": "M-1",
    "signed_on": dt.date(2026, 3, 2),
    "holder": "",
    "iban": "DE02120300000000202051",
}
PEER, TEXT_SID = "+17025550111", "SM" + "5" * 32


class Walk:
    """Asks for a route of Acme's as somebody."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.app.config["WTF_CSRF_ENABLED"] = False  # has a test of its own below
        self.samples = self._samples()
        self.secrets = ("Acme", "234-5678", world.number.e164, world.call_sid)
        self.tokens = {
            name: self._token(account)
            for name, account in (("acme", world.acme), ("cobalt", world.cobalt))
        }
        self.browsers = {
            name: world.logged_in(email).client
            for name, email in (
                ("owner", "owner@acme.test"),
                ("member", "member@acme.test"),
                ("cobalt", "owner@cobalt.test"),
                ("olga", OLGA),
            )
        }

    def routes(self) -> Iterator[tuple[Rule, str]]:
        for rule in sorted(self.world.app.url_map.iter_rules(), key=lambda r: r.endpoint):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method

    def path(self, rule: Rule) -> str:
        values = {name: self.samples[name] for name in rule.arguments}
        built = rule.build(values, append_unknown=False)
        assert built is not None
        return built[1]

    def browse(self, who: str, rule: Rule, method: str) -> TestResponse:
        client = Client(self.world.app) if who == "nobody" else self.browsers[who]
        form = FORMS.get(rule.endpoint)
        where = "query_string" if method == "GET" else "data"
        return client.open(self.path(rule), method=method, buffered=True, **{where: form})

    def call(self, who: str, rule: Rule, method: str, **headers: str) -> TestResponse:
        if who == "ops":
            headers["Authorization"] = f"Bearer {self.world.runtime.settings.bootstrap_ops_token}"
        elif who != "nobody":
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        body = BODIES.get(rule.endpoint, {}) if method != "GET" else None
        return Client(self.world.app).open(
            self.path(rule), method=method, headers=headers, json=body, buffered=True
        )

    def _token(self, account: Any) -> str:
        with self.world.units.begin() as uow:
            return tokens.issue_token(uow, account.scope, "walk", "account", OLGA)[0]

    def _samples(self) -> dict[str, Any]:
        """Acme's own ids, for every variable that a route has."""
        world = self.world
        scope = world.acme.scope
        with world.units.begin() as uow:
            _, token = tokens.issue_token(uow, scope, "sample", "account", OLGA)
            outbox.add(
                uow.connection,
                scope,
                queue="notify",
                kind="low",
                key="low:1",
                payload={},
                now=uow.now,
            )
            (deed, *_) = outbox.claim(
                uow.connection, "notify", now=uow.now, lease=dt.timedelta(minutes=1), limit=1
            )
            outbox.give_up(uow.connection, deed.id, error="x", now=uow.now)
            mail.keep(
                uow.connection,
                scope,
                key="low:1",
                to_address="a@acme.test",
                subject="Low",
                body="x",
                transport="sandbox",
                now=uow.now,
            )
            plans.publish_plan(uow, "walk", WITH_PACKAGES, OLGA)
            publication = publications.publish(
                uow, "waits", WITH_PACKAGES, OLGA, from_at=uow.now + dt.timedelta(days=9)
            )
            accounts.update_account(uow, scope, {"plan_code": "walk"}, OLGA)
            package = packages.buy(
                uow, scope, "small", Purchaser("", "owner"), idempotency_key="sample"
            )
            bundle = bundles.buy(uow, scope, 100, Purchaser("", "owner"), idempotency_key="sample")
            change = plan_changes.request(uow, scope, "payg", "owner")
            text = IncomingText(TEXT_SID, PEER, world.number.e164, "Hi", 1, 0, uow.now)
            message_events.receive(uow, text, {})
        till = world.runtime.cards()
        visit = payment_methods.open_page(world.units, till, scope, "owner")
        card, other = (
            payment_methods.attach(
                world.units, till, scope, token=token, actor="owner", idempotency_key=token
            )
            for token in ("pm_card_visa", "pm_card_authenticationRequired")
        )
        refund = _refund(world, card.id)
        message_settlement.drain(world.units)  # so the newest line of the statement is a text's
        april = UnitsOfWork(world.units.engine, lambda: dt.datetime(2026, 4, 2, tzinfo=dt.UTC))
        assert statement_issuing.issue_due(april, scope, "US") == 1
        transfer = Transfer("B1", dt.date(2026, 3, 4), 1_000_000, "USD", "no number")
        with world.units.begin() as uow:
            assert transfers.take(uow, transfer, OLGA) == "unmatched"
            transfer_id = transfers.list_transfers(uow).items[0].id
            statement_id = statements.list_statements(uow, scope).items[0].id
            debit = _debit(uow, mandates.keep(uow, scope, actor=OLGA, **MANDATE), statement_id)
        charge = card_payments.pay(
            world.units,
            till,
            scope,
            amount_micros=5_000_000,
            method_id=other.id,
            actor="owner",
            idempotency_key="sample",
        )
        with world.units.begin() as uow:
            below = NewAccount(
                name="Client",
                billing_email="client@acme.test",
                plan_code="payg",
                parent_id=world.acme.id,
            )
            client = accounts.create_account(uow, below, OLGA)
        with world.units.read() as uow:
            newest = statement.list_postings(uow, scope).items[0]
            credit = statement.list_postings(uow, scope, kinds=("topup",)).items[0]
            (message,) = message_log.list_messages(uow, scope).items
            mail_id = operations.mailbox(uow).items[0].id
        return {
            "account_id": world.acme.id,
            "number_id": world.number.id,
            "call_sid": world.call_sid,
            "recording_sid": "RE" + "0" * 32,
            "posting_id": world.posting_id,
            "credit_id": credit.id,
            "token_id": token.id,
            "deed_id": deed.id,
            "publication_id": publication.id,
            "statement_id": statement_id,
            "place": 0,
            "client_id": client.id,
            "key": newest.key,
            "transfer_id": transfer_id,
            "run_id": debit.run_id,
            "debit_id": debit.id,
            "mail_id": mail_id,
            "plan_id": "payg",
            "code": "payg",
            "version": 1,
            "tenant": world.acme.tenant_id.hex,
            "message_id": message.id,
            "message": message.id.hex,
            "peer": PEER,
            "package_id": package.id,
            "bundle_id": bundle.id,
            "change_id": change.id,
            "method_id": card.id,
            "visit_id": visit.setup.id,
            "payment_id": charge.id,
            "charge_id": charge.id,
            "refund_id": refund.id,
            "filename": "favicon.svg",
            "name": "swagger-ui.css",
        }


def _refund(world: World, method_id: uuid.UUID) -> Refund:
    till, scope = world.runtime.cards(), world.acme.scope
    paid = card_payments.pay(
        world.units, till, scope, amount_micros=5_000_000, method_id=method_id, actor="owner",
        idempotency_key="paid",
    )  # fmt: skip
    return refunds.refund(
        world.units, till, scope, paid.id, amount_micros=1_000_000, reason="sample", actor=OLGA,
        idempotency_key="sample",
    )  # fmt: skip


def _debit(uow: UnitOfWork, mandate: StoredMandate, statement_id: uuid.UUID) -> Debit:
    """As if the bank had been asked for it; the walk's plan is of no currency that it takes."""
    debits.add_run(uow.connection, run_id := new_id(), by=OLGA, at=uow.now)
    asked = Debit(
        mandate.tenant_id, new_id(), mandate.account_id, run_id, statement_id, "9F3A01BC-000001",
        mandate.id, "9F3A01BC-000001-1", "EUR", 1_000_000, uow.now.date(), "submitted", "", None,
        uow.now, uow.now,
    )  # fmt: skip
    assert debits.add(uow.connection, asked)
    return asked


@pytest.fixture
def walk(world: World) -> Walk:
    return Walk(world)


def test_every_route_has_a_rule_and_every_rule_a_route(walk: Walk) -> None:
    endpoints = {rule.endpoint for rule, _ in walk.routes()}
    assert endpoints - RULES.keys() == set(), "give these a rule in tests/edges/rules.py"
    assert RULES.keys() - endpoints == set(), "these rules have lost their route"
    variables = {name for rule, _ in walk.routes() for name in rule.arguments}
    assert variables - walk.samples.keys() == set(), "give these a sample"


def test_nobody_gets_in_anywhere_but_through_the_public_door(walk: Walk) -> None:
    wrong = []
    for rule, method in walk.routes():
        kind = RULES[rule.endpoint]
        answer = walk.browse("nobody", rule, method)
        ok = {
            "public": answer.status_code < 500 or rule.endpoint == "health.readyz",
            "signed": answer.status_code == 403,
            "member": _sent_to_log_in(answer),
            "owner": _sent_to_log_in(answer),
            "staff": _sent_to_log_in(answer),
        }.get(kind, answer.status_code == 401)
        if not ok:
            wrong.append(f"{method} {rule.rule} ({kind}): {answer.status_code}")
    assert wrong == []


def test_what_is_acmes_is_not_there_for_cobalt(walk: Walk) -> None:
    wrong = []
    for rule, method in walk.routes():
        if RULES[rule.endpoint] not in SEEN_BY_ITS_OWN_ONLY:
            continue
        programs = rule.endpoint.startswith("api.")
        answer = (walk.call if programs else walk.browse)("cobalt", rule, method)
        theirs = rule.arguments & {
            "account_id",
            "number_id",
            "call_sid",
            "posting_id",
            "credit_id",
            "token_id",
            "package_id",
            "bundle_id",
            "recording_sid",
            "message_id",
            "statement_id",
            "client_id",
            "refund_id",
        }
        if theirs and answer.status_code != 404:
            wrong.append(f"{method} {rule.rule}: {answer.status_code}")
        elif not theirs and any(secret in answer.text for secret in walk.secrets):
            wrong.append(f"{method} {rule.rule} tells of Acme")
    assert wrong == []


def test_an_id_of_acmes_under_cobalts_own_account_is_not_there_either(walk: Walk) -> None:
    """Her own account in the header or the path, Acme's ids behind it."""
    walk.samples["account_id"] = walk.world.cobalt.id
    wrong = []
    for rule, method in walk.routes():
        inner = rule.arguments & {
            "number_id",
            "call_sid",
            "posting_id",
            "credit_id",
            "token_id",
            "message_id",
            "package_id",
            "bundle_id",
            "client_id",
            *CARD_IDS,
        }
        if not rule.endpoint.startswith("api.") or not inner:
            continue
        if rule.endpoint.startswith("api.") and RULES[rule.endpoint] == "account":
            header = {"Ringledger-Account": str(walk.world.cobalt.id)}
            for who in ("cobalt", "ops"):
                answer = walk.call(who, rule, method, **header)
                if answer.status_code != 404:
                    wrong.append(f"{who}: {method} {rule.rule}: {answer.status_code}")
    assert wrong == []


def test_customers_do_not_reach_the_staff_console_nor_staffs_part_of_the_api(walk: Walk) -> None:
    wrong = []
    for rule, method in walk.routes():
        kind = RULES[rule.endpoint]
        if kind == "staff":
            answers = [walk.browse(who, rule, method) for who in ("owner", "member", "cobalt")]
            expected = 404
        elif kind == "ops":
            answers = [walk.call(who, rule, method) for who in ("acme", "cobalt")]
            expected = 403
        else:
            continue
        wrong += [
            f"{method} {rule.rule}: {answer.status_code}"
            for answer in answers
            if answer.status_code != expected
        ]
    assert wrong == []


def test_staff_have_no_business_pages_and_members_are_no_owners(walk: Walk) -> None:
    wrong = []
    for rule, method in walk.routes():
        kind = RULES[rule.endpoint]
        if kind in ("member", "owner"):
            answer = walk.browse("olga", rule, method)
            if rule.endpoint == "web.overview":
                ok = answer.status_code == 302 and answer.location == "/ops/"
            else:
                ok = answer.status_code == 404
            if not ok:
                wrong.append(f"olga: {method} {rule.rule}: {answer.status_code}")
        if kind == "owner":
            answer = walk.browse("member", rule, method)
            if answer.status_code != 403:
                wrong.append(f"member: {method} {rule.rule}: {answer.status_code}")
    assert wrong == []


def test_who_may_call_a_route_reaches_it(walk: Walk) -> None:
    """Reading first, so that nothing is gone when it is read; 4xx of the business are fine."""
    refusals = {401, 403, 404, 405}
    wrong = []
    account = {"Ringledger-Account": str(walk.world.acme.id)}
    routes = sorted(walk.routes(), key=lambda route: (route[1] != "GET", route[1] == "DELETE"))
    for rule, method in routes:
        if "recording_sid" in rule.arguments or rule.endpoint == "web.log_out":
            continue  # Acme has no voicemail here; nobody logs out before the walk is over
        match RULES[rule.endpoint]:
            case "member" | "owner":
                answers = [walk.browse("owner", rule, method)]
            case "staff":
                answers = [walk.browse("olga", rule, method)]
            case "account":
                answers = [walk.call("ops", rule, method, **account)]
                if rule.endpoint != "api.create_top_up":
                    answers.append(walk.call("acme", rule, method))
            case "token" | "ops":
                answers = [walk.call("ops", rule, method, **account)]
            case _:
                continue
        wrong += [
            f"{method} {rule.rule}: {answer.status_code}"
            for answer in answers
            if answer.status_code in refusals or answer.status_code >= 500
        ]
    assert "\n".join(line for line in wrong if not _gone_after_the_first(line)) == ""


def test_s1_19_every_billing_page_says_whom_to_ask(walk: Walk) -> None:
    seen, silent = set(), []
    for rule, method in walk.routes():
        if method != "GET" or not rule.rule.startswith("/billing"):
            continue
        answer = walk.browse("owner", rule, method)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue  # a file, or the way back from the card page
        seen.add(rule.endpoint)
        if WITH_PACKAGES["support_contact"] not in answer.text:
            silent.append(rule.rule)
    assert silent == []
    assert len(seen) >= 15 and {"web.billing", "web.posting", "web.statement", "web.charge"} <= seen


def test_no_form_of_the_pages_works_without_its_csrf_token(walk: Walk) -> None:
    walk.world.app.config["WTF_CSRF_ENABLED"] = True
    wrong = []
    for rule, method in walk.routes():
        if method == "GET" or not rule.endpoint.startswith(("web.", "ops.")):
            continue
        who = "olga" if rule.endpoint.startswith("ops.") else "owner"
        answer = walk.browse(who, rule, method)
        if answer.status_code != 400:
            wrong.append(f"{method} {rule.rule}: {answer.status_code}")
    assert wrong == [], "H3"


def test_a_made_up_id_is_not_there_for_anybody(walk: Walk) -> None:
    for name in ("account_id", "number_id", "token_id", "deed_id", "mail_id"):
        walk.samples[name] = uuid.uuid4()
    wrong = []
    account = {"Ringledger-Account": str(walk.world.acme.id)}
    for rule, method in walk.routes():
        if not rule.arguments & {"account_id", "number_id", "token_id", "deed_id", "mail_id"}:
            continue
        if rule.endpoint.startswith("api."):
            answer = walk.call("ops", rule, method, **account)
        elif rule.endpoint.startswith("ops."):
            answer = walk.browse("olga", rule, method)
        else:
            answer = walk.browse("owner", rule, method)
        if answer.status_code not in (404, 422, 302):
            wrong.append(f"{method} {rule.rule}: {answer.status_code}")
        if answer.status_code == 200:
            wrong.append(f"{method} {rule.rule} found what is not there")
    assert wrong == []


def _sent_to_log_in(answer: TestResponse) -> bool:
    return answer.status_code == 302 and str(answer.location).startswith("/login")


def _gone_after_the_first(line: str) -> bool:
    """Deeds that can be done once only: the second asker finds it done."""
    once = (
        "revoke",
        "/ops/deeds/",
        "/ops/tokens/",
        "DELETE /api/v1/plan-change:",
        "DELETE /api/v1/payment-methods/",  # the page of the owner removed it before
    )
    return any(words in line for words in once)
