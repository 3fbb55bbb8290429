"""Every mail about money says whom to ask (S1-19); a new kind of mail must enter this table."""

from typing import Any

from world import World

from billing.catalogue import load_catalogue
from gateway.services import accounts, plans, renewals
from gateway.store.base import new_id
from gateway.store.mail import MailRow
from gateway.store.outbox import DueDeed
from workers import notify

CONTACT = "(800) 577-1872"
BALANCE = {"balance": "5.00", "currency": "USD"}
CARD = {"card": "Visa ···· 4242", "amount": 20_000_000, "balance": 5_000_000, "currency": "USD"}
GIVEN_BACK = {
    "card": "Visa ···· 4242",
    "amount": 5_000_000,
    "vat": 0,
    "currency": "USD",
    "reason": "The account was closed.",
}
ALERT = BALANCE | {"measure": "money", "reading": "5.00", "words": "The balance is low."}
ARREARS = BALANCE | {"day": 1, "channel": "email", "owed": "9.00", "overdue_on": "2026-03-01"}
MAILS: dict[str, dict[str, Any]] = {
    "low_balance": BALANCE,
    "callers_refused": BALANCE,
    "suspended": BALANCE,
    "restored": BALANCE,
    "receipt": {
        "kind": "adjustment",
        "description": "Adjustment",
        "reason": "goodwill",
        "amount": 5_000_000,
        "balance_after": 9_000_000,
        "currency": "USD",
        "at": "2026-03-03T15:00:00+00:00",
        "payment": None,
        "tax": {"vat_id": "", "country": "US", "time_zone": "UTC", "business_id_checked": False},
    },
    "card_declined": CARD | {"code": "lost_card"},
    "credit_note": GIVEN_BACK
    | {
        "at": "2026-03-03T15:00:00+00:00",
        "paid_at": "2026-03-01T15:00:00+00:00",
        "vat_note": "no VAT",
        "vat_id": "",
        "balance_after": 9_000_000,
    },
    "refund_sent_back": GIVEN_BACK,
    "card_action": CARD | {"charge_id": "c"},
    "recharge_held": CARD | {"words": "There is no card."},
    "renewal_short": BALANCE
    | {"lines": [], "total": "9.00", "missing": "4.00", "on": "2026-03-04", "policy": "drop"},
    "renewal_waits": BALANCE | {"what": "the access fee"},
    "renewal_dropped": BALANCE | {"what": "the access fee"},
    "upgraded": {
        "before": "Small",
        "after": "Large",
        "fee": "20.00",
        "next_fee": "30.00",
        "has_fee": True,
        "next_fee_on": "2026-04-03",
        "term": "month",
        "minutes": 1_500,
        "currency": "USD",
    },
    "upgrade_held": {"plan": "Large", "words": "It costs 20.00 USD."},
    "statement": {
        "label": "ABC-1",
        "owed": "0.00",
        "currency": "USD",
        "due_on": "",
        "starts_on": "2026-02-01",
        "last_on": "2026-02-28",
        "charges": "1.00",
        "closing": "5.00",
        "id": "s",
    },
    "debit_returned": {
        "amount": "9.00",
        "currency": "EUR",
        "iban": "DE89 3704",
        "label": "ABC-1",
        "words": "The account is closed.",
    },
    "alert": ALERT,
    "confirm_email": {"nonce": "n", "to": "billing@acme.test"},
    "arrears": ARREARS,
}
A_TEXT = {
    "from": "+17025550111",
    "number": "+14155550100",
    "label": "",
    "body": "Hi",
    "pictures": 0,
    "path": "/messages",
    "to": "desk@acme.test",
}


def test_s1_19_every_mail_about_money_says_whom_to_ask(stage: World) -> None:
    handlers = notify.handlers(stage.tools)
    silent = {renewals.LOOK, "alert_hook", "arrears_hook"}
    assert handlers.keys() - silent == {*MAILS, "text_received"}, "give it a row above"
    acme = stage.join("Acme", document=None).scope
    document = load_catalogue()["payg"] | {"support_contact": CONTACT}
    with stage.units.begin() as uow:
        plans.publish_plan(uow, "asked", document, "Olga")
        accounts.update_account(
            uow, acme, {"plan_code": "asked", "attach_statement": False}, "Olga"
        )
    for kind, payload in (MAILS | {"text_received": A_TEXT}).items():
        handlers[kind](DueDeed(new_id(), acme.tenant_id, acme.account_id, kind, kind, payload, 1))
    mails = {row.key: row.body for row in stage.rows(MailRow, acme) if row.key in handlers}
    assert mails.keys() == {*MAILS, "text_received"}
    asked = {kind for kind, body in mails.items() if CONTACT in body}
    assert asked == MAILS.keys(), "a customer's text is nothing to ask billing about"


def test_s1_19_a_plan_without_a_contact_promises_none(stage: World) -> None:
    bolt = stage.join("Bolt", document=None).scope
    deed = DueDeed(new_id(), bolt.tenant_id, bolt.account_id, "suspended", "one", BALANCE, 1)
    notify.handlers(stage.tools)["suspended"](deed)
    (mail,) = (row for row in stage.rows(MailRow, bolt) if row.key == "one")
    assert "Questions" not in mail.body
