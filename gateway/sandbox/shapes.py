"""What the REST API answers: records as the OpenAPI description has them, money as text."""

from datetime import UTC, datetime
from typing import Any

from gateway.sandbox.calls import Call, Status
from gateway.sandbox.messages import Message
from gateway.sandbox.numbers import IncomingNumber, place_for_sale
from gateway.sandbox.params import API_VERSION, rfc_2822
from gateway.sandbox.places import is_toll_free, national_format
from gateway.sandbox.rates import BilledLine, price_text
from gateway.sandbox.recordings import Recording

Document = dict[str, Any]
CAPABILITIES = {"voice": True, "sms": True, "mms": True, "fax": False}


def instant(at: datetime | None) -> str | None:
    return rfc_2822(at) if at is not None else None


def account_path(account_sid: str) -> str:
    return f"/{API_VERSION}/Accounts/{account_sid}"


def call_document(call: Call) -> Document:
    """`duration` is seconds, and null until there is one; `price` comes late and is negative."""
    uri = f"{account_path(call.account_sid)}/Calls/{call.sid}"
    completed = call.status is Status.COMPLETED
    changed = call.ended_at or call.answered_at or call.created_at
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "parent_call_sid": call.parent_call_sid or None,
        "phone_number_sid": call.number_sid or None,
        "from": call.from_,
        "from_formatted": national_format(call.from_),
        "to": call.to,
        "to_formatted": national_format(call.to),
        "direction": call.direction,
        "status": call.status.value,
        "date_created": instant(call.created_at),
        "date_updated": instant(changed),
        "start_time": instant(call.created_at),
        "end_time": instant(call.ended_at),
        "duration": str(call.duration_seconds) if completed else None,
        "price": price_text(call.price_micros) if call.price_micros is not None else None,
        "price_unit": "USD",
        "answered_by": call.answered_by or None,
        "forwarded_from": call.forwarded_from or None,
        "caller_name": call.caller_name or None,
        "group_sid": None,
        "trunk_sid": None,
        "queue_time": "0",
        "api_version": API_VERSION,
        "uri": f"{uri}.json",
        "subresource_uris": {
            "notifications": f"{uri}/Notifications.json",
            "recordings": f"{uri}/Recordings.json",
        },
    }


def number_document(number: IncomingNumber, account_sid: str) -> Document:
    return {
        "sid": number.sid,
        "account_sid": account_sid,
        "phone_number": number.phone_number,
        "friendly_name": number.friendly_name,
        "voice_url": number.voice_url or None,
        "voice_method": number.voice_method,
        "voice_fallback_url": number.voice_fallback_url or None,
        "voice_fallback_method": number.voice_fallback_method,
        "voice_caller_id_lookup": number.voice_caller_id_lookup,
        "voice_application_sid": None,
        "voice_receive_mode": "voice",
        "status_callback": number.status_callback or None,
        "status_callback_method": number.status_callback_method,
        "sms_url": number.sms_url or None,
        "sms_method": number.sms_method,
        "sms_fallback_url": number.sms_fallback_url or None,
        "sms_fallback_method": number.sms_fallback_method,
        "sms_application_sid": None,
        "trunk_sid": None,
        "address_sid": number.address_sid or None,
        "address_requirements": "none",
        "bundle_sid": number.bundle_sid or None,
        "identity_sid": None,
        "emergency_status": "Inactive",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "beta": False,
        "capabilities": CAPABILITIES,
        "date_created": instant(number.created_at),
        "date_updated": instant(number.updated_at),
        "origin": "twilio",
        "status": "in-use",
        "type": "tollfree" if is_toll_free(number.phone_number) else "local",
        "api_version": API_VERSION,
        "uri": f"{account_path(account_sid)}/IncomingPhoneNumbers/{number.sid}.json",
    }


def available_document(e164: str) -> Document:
    place = place_for_sale(e164)
    return {
        "friendly_name": national_format(e164),
        "phone_number": e164,
        "lata": None,
        "locality": place.city or None,
        "rate_center": place.city.upper() or None,
        "latitude": float(place.latitude) if place.latitude else None,
        "longitude": float(place.longitude) if place.longitude else None,
        "region": place.region or None,
        "postal_code": place.postal_code or None,
        "iso_country": place.country,
        "address_requirements": "none",
        "beta": False,
        "capabilities": CAPABILITIES,
    }


def message_document(message: Message) -> Document:
    uri = f"{account_path(message.account_sid)}/Messages/{message.sid}"
    price = message.price_micros
    return {
        "sid": message.sid,
        "account_sid": message.account_sid,
        "messaging_service_sid": None,
        "from": message.from_,
        "to": message.to,
        "body": message.body,
        "direction": message.direction,
        "status": message.status,
        "num_segments": str(message.segments),
        "num_media": "0",
        "date_created": instant(message.created_at),
        "date_updated": instant(message.updated_at),
        "date_sent": instant(message.sent_at),
        "price": price_text(price) if price is not None else None,
        "price_unit": "USD",
        "error_code": message.error_code,
        "error_message": None,
        "api_version": API_VERSION,
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def recording_document(recording: Recording, base_url: str) -> Document:
    uri = f"{account_path(recording.account_sid)}/Recordings/{recording.sid}"
    return {
        "sid": recording.sid,
        "account_sid": recording.account_sid,
        "call_sid": recording.call_sid,
        "conference_sid": None,
        "date_created": instant(recording.started_at),
        "date_updated": instant(recording.started_at),
        "start_time": instant(recording.started_at),
        "duration": str(recording.duration_seconds),
        "status": recording.status,
        "channels": recording.channels,
        "source": recording.source,
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "encryption_details": None,
        "api_version": API_VERSION,
        "uri": f"{uri}.json",
        "subresource_uris": {"transcriptions": f"{uri}/Transcriptions.json"},
        "media_url": f"{base_url}{uri}",
    }


def usage_document(
    account_sid: str, category: str, lines: list[BilledLine], now: datetime
) -> Document:
    """Calls of one category as the usage API counts them: `usage` is billed minutes."""
    micros = sum(line.price_micros for line in lines)
    days = [line.started_at[:10] for line in lines] or [now.astimezone(UTC).date().isoformat()]
    return {
        "account_sid": account_sid,
        "category": category,
        "description": category.replace("-", " ").capitalize(),
        "count": str(len(lines)),
        "count_unit": "calls",
        "usage": str(sum(line.minutes for line in lines)),
        "usage_unit": "minutes",
        "price": micros / 1_000_000,  # the one place where Twilio sends a number, not text
        "price_unit": "usd",
        "start_date": min(days),
        "end_date": max(days),
        "as_of": now.isoformat(),
        "api_version": API_VERSION,
        "uri": f"{account_path(account_sid)}/Usage/Records.json?Category={category}",
        "subresource_uris": {},
    }
