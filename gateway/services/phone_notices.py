"""Warnings by text and by a call, from the house's own number and at the house's cost (C20).

Nothing of them touches an account's books: they are no texts and no calls of its numbers. After a
lost answer the carrier is asked what it did, and only what never reached it is done again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from gateway.providers.telephony import ProviderError, Telephony
from gateway.services import accounts, alerts, dunning
from gateway.services.deeds import Handler
from gateway.store import numbers
from gateway.store.base import Scope
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork
from routing import twiml

ALERT = "alert"
RING_SECONDS = 30
CALL_SECONDS_MAX = 60
CLOCK_SLACK = dt.timedelta(minutes=1)
"""The carrier's clock and ours need not agree to the second."""

Bring = Callable[[Telephony, str, str, str], None]
Find = Callable[[Telephony, str, str, str, dt.datetime], bool]


def handlers(units: UnitsOfWork, telephony: Telephony, alert_number: str) -> dict[str, Handler]:
    def by(bring: Bring, find: Find) -> Handler:
        return lambda deed: _warn(units, telephony, alert_number, deed, bring, find)

    text, call = by(_text, _was_texted), by(_call, _was_called)
    return {
        f"{ALERT}_sms": text,
        f"{ALERT}_call": call,
        f"{dunning.NOTICE}_sms": dunning.followed(units, text),
        f"{dunning.NOTICE}_call": dunning.followed(units, call),
    }


def _warn(
    units: UnitsOfWork,
    telephony: Telephony,
    alert_number: str,
    deed: DueDeed,
    bring: Bring,
    find: Find,
) -> None:
    """To the phone of the moment: it may have been changed since the event."""
    scope = Scope(deed.tenant_id, deed.account_id)
    with units.read() as uow:
        account = accounts.get_account(uow, scope)
        phone = alerts.find_reach(uow, scope).phone
        tracking = numbers.ours_among(uow.connection, [alert_number, phone])
    if not phone:
        return
    if not alert_number:
        raise ProviderError("Warnings by phone need a number: set ALERT_NUMBER.", permanent=True)
    if tracking:
        # Its texts and calls would be taken for a customer's, and charged.
        words = f"{', '.join(sorted(tracking))} is a tracking number: set another one."
        raise ProviderError(words, permanent=True)
    words = f"{account.name}: {deed.payload['words']}"
    since = dt.datetime.fromisoformat(deed.payload["at"]) - CLOCK_SLACK
    if deed.attempts == 1 or not find(telephony, alert_number, phone, words, since):
        bring(telephony, alert_number, phone, words)


def _text(telephony: Telephony, from_: str, to: str, words: str) -> None:
    telephony.send_message(from_=from_, to=to, body=words)


def _was_texted(telephony: Telephony, from_: str, to: str, words: str, since: dt.datetime) -> bool:
    return any(
        sent.body == words and (sent.created_at is None or sent.created_at >= since)
        for sent in telephony.latest_messages(from_=from_, to=to)
    )


def _call(telephony: Telephony, from_: str, to: str, words: str) -> None:
    telephony.place_call(
        from_=from_,
        to=to,
        document=twiml.announcement(words),
        ring_seconds=RING_SECONDS,
        time_limit_seconds=CALL_SECONDS_MAX,
    )


def _was_called(telephony: Telephony, from_: str, to: str, words: str, since: dt.datetime) -> bool:
    """The list says nothing of what was spoken: any call to that phone since the event counts."""
    return any(
        call.from_ == from_ and (call.started_at is None or call.started_at >= since)
        for call in telephony.calls_since(since, to=to)
    )
