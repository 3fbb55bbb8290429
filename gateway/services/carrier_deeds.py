"""Deeds at the carrier that a transaction of ours left due."""

from __future__ import annotations

from gateway.providers.telephony import Telephony
from gateway.services import watchdog
from gateway.services.deeds import Handler
from gateway.store import call_events, recordings
from gateway.store.base import Scope
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork


def handlers(units: UnitsOfWork, telephony: Telephony) -> dict[str, Handler]:
    return {
        "end_call": lambda deed: end_call(units, telephony, deed),
        "end_calls": lambda deed: end_calls(units, telephony, deed),
        "fetch_recording": lambda deed: fetch_recording(units, telephony, deed),
    }


def end_call(units: UnitsOfWork, telephony: Telephony, deed: DueDeed) -> None:
    """Hang up, if the plan still says so now; a call that has ended is left alone."""
    call_sid = str(deed.payload["call_sid"])
    with units.read() as uow:
        due = watchdog.must_end(uow, Scope(deed.tenant_id, deed.account_id), call_sid)
    if due:
        telephony.end_call(call_sid)


def end_calls(units: UnitsOfWork, telephony: Telephony, deed: DueDeed) -> None:
    """The account was suspended and its plan cuts: every call that still talks."""
    scope = Scope(deed.tenant_id, deed.account_id)
    with units.read() as uow:
        live = {leg.call_sid for leg in call_events.live_legs(uow.connection, scope)}
        due = sorted(call for call in live if watchdog.must_end(uow, scope, call))
    for call_sid in due:
        telephony.end_call(call_sid)


def fetch_recording(units: UnitsOfWork, telephony: Telephony, deed: DueDeed) -> None:
    """Keep the sound here, so that it can be played back without the carrier."""
    recording_sid = str(deed.payload["recording_sid"])
    media_type, media = telephony.fetch_recording(recording_sid)
    with units.begin() as uow:
        recordings.keep_media(
            uow.connection, deed.tenant_id, recording_sid, media_type=media_type, media=media
        )
