"""The form fields that Twilio sends, by request: twilio.com/docs/voice/twiml and its neighbours."""

import json
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from gateway.sandbox.calls import Call, Status
from gateway.sandbox.places import NOWHERE, place_of

API_VERSION = "2010-04-01"
# What the far end's switch said; seen as SipResponseCode on real progress events.
SIP_CODES = {
    Status.COMPLETED: "200", Status.BUSY: "486", Status.NO_ANSWER: "487", Status.CANCELED: "487",
    Status.FAILED: "404",
}  # fmt: skip


def call_params(call: Call, status: str = "") -> dict[str, str]:
    """What every request about a call carries, the first and the last alike."""
    params = {
        "CallSid": call.sid,
        "AccountSid": call.account_sid,
        "From": call.from_,
        "To": call.to,
        "Caller": call.from_,
        "Called": call.to,
        "CallStatus": status or call.status.value,
        "ApiVersion": API_VERSION,
        "Direction": call.direction,
        **end_params("From", call.from_),
        **end_params("To", call.to),
        **end_params("Caller", call.from_),
        **end_params("Called", call.to),
    }
    optional = {
        "ParentCallSid": call.parent_call_sid,
        "ForwardedFrom": call.forwarded_from,
        "CallerName": call.caller_name,
        "StirVerstat": call.stir,
        "AnsweredBy": call.answered_by,
    }
    if call.direction == "inbound":
        token = {"parentCallInfoToken": call.sid, "identityHeaderTokens": []}
        params["CallToken"] = quote(json.dumps(token))
    return params | {name: value for name, value in optional.items() if value}


def end_params(end: str, address: str) -> dict[str, str]:
    place = place_of(address) if address.startswith("+") else NOWHERE
    return {
        f"{end}City": place.city.upper(),
        f"{end}State": place.region,
        f"{end}Zip": place.postal_code,
        f"{end}Country": place.country,
    }


def progress_params(call: Call, event: str, now: datetime) -> dict[str, str]:
    """A leg's event: `answered` comes as CallStatus in-progress; only the last one has a duration.
    CallDuration is seconds, Duration is the minutes that Twilio bills."""
    status = {"initiated": "initiated", "ringing": "ringing", "answered": "in-progress"}.get(event)
    params = call_params(call, status or call.status.value) | {
        "Timestamp": rfc_2822(now),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(call.events_sent),
    }
    if event == "completed":
        params["CallDuration"] = str(call.duration_seconds)
        params["Duration"] = str(call.billed_minutes)
        params["SipResponseCode"] = SIP_CODES[call.status]
    return params


def rfc_2822(at: datetime) -> str:
    """`Mon, 02 Mar 2026 15:00:00 +0000`, the form of every instant in this API."""
    return format_datetime(at)
