"""The carrier through Twilio's REST API and its own client library."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from requests import ConnectTimeout, RequestException
from requests.exceptions import ConnectionError as NoConnection
from twilio.base import values
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from billing.money import MICROS, InvalidAmount, parse_amount
from gateway.links import NumberUrls
from gateway.metrics import CARRIER_REQUESTS
from gateway.providers.telephony import (
    CarrierCall,
    CarrierMessage,
    CarrierNumber,
    CarrierUsage,
    OfferedNumber,
    OutcomeUnknown,
    ProviderError,
)
from gateway.providers.twilio_http import (
    TIMEOUT_SECONDS,
    TOO_MANY_REQUESTS,
    RedirectedHttpClient,
)
from routing.numbering import is_e164

API_URL = "https://api.twilio.com"
RECORDING_BYTES_MAX = 32 * 1024 * 1024  # an hour of 8 kHz WAV is 58 MB; voicemails end far earlier
PAGE_SIZE = 1000  # the most that one page holds: twilio.com/docs/usage/twilios-response
LATEST_MESSAGES = 50
NOT_FOUND = 404
CALL_NOT_IN_PROGRESS = 21220  # twilio.com/docs/api/errors/21220

BUSY = "The carrier is out of order: try again in a minute."

# What people can act on; anything else shows the carrier's own sentence.
WORDS = {
    20003: "The carrier does not accept our credentials: check TWILIO_ACCOUNT_SID and its token.",
    20429: "The carrier is busy: try again in a minute.",
    21211: "That is not a phone number that texts can be sent to: check it.",
    21404: "The carrier account is a trial account and cannot hold more numbers.",
    21408: "The carrier account may not send texts to that country.",
    21421: "The carrier does not know that number: choose another one.",
    21422: "That number was just taken by somebody else: choose another one.",
    21452: "No number matches: try another area code.",
    21606: "This number cannot send texts: choose another one.",
    21610: "The phone has replied STOP: texts may go there again after a START.",
    21611: "Too many texts of this number are waiting at the carrier: try again later.",
    21612: "No text can be brought to that phone from this number.",
    21614: "That phone is not a mobile: it cannot receive texts.",
    21615: "This number needs a local address at the carrier first: choose another one.",
    21631: "This number needs an address at the carrier first: choose another one.",
    21649: "This number needs approved papers at the carrier first: choose another one.",
}


class TwilioTelephony:
    """Implements `Telephony`; safe to share between threads."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str = "",
        http_client: RedirectedHttpClient | None = None,
    ) -> None:
        self._http = http_client or RedirectedHttpClient(api_url)
        self._auth = (account_sid, auth_token)
        # The empty environment keeps TWILIO_EDGE and TWILIO_REGION from changing the host.
        self._client: Any = Client(
            account_sid, auth_token, http_client=self._http, environment={"": ""}
        )

    def search_numbers(
        self, *, country: str, number_type: str, area_code: str, contains: str, limit: int
    ) -> tuple[OfferedNumber, ...]:
        shop = self._client.available_phone_numbers(country)
        shelf = {"local": shop.local, "toll-free": shop.toll_free, "mobile": shop.mobile}
        wanted: dict[str, Any] = {"voice_enabled": True, "limit": limit}
        if area_code:
            wanted["area_code"] = int(area_code)
        if contains:
            wanted["contains"] = contains
        try:
            with _asking("search_numbers"):
                found = shelf[number_type].list(**wanted)
        except ProviderError as refusal:
            # A country that sells no such type has no such resource.
            if refusal.code in (20404, 21452):
                return ()
            raise
        return tuple(
            OfferedNumber(
                e164=item.phone_number,
                locality=item.locality or "",
                region=item.region or "",
                country=item.iso_country or country,
                number_type=number_type,
            )
            for item in found
            if item.phone_number and is_e164(item.phone_number)
        )

    def buy_number(self, e164: str, *, friendly_name: str, urls: NumberUrls) -> CarrierNumber:
        with _asking("buy_number", changes=True):
            return _number(
                self._client.incoming_phone_numbers.create(
                    phone_number=e164, friendly_name=friendly_name, **_url_fields(urls)
                )
            )

    def find_number(self, *, friendly_name: str = "", e164: str = "") -> CarrierNumber | None:
        wanted = {"friendly_name": friendly_name, "phone_number": e164}
        assert any(wanted.values()), "ask for something"
        with _asking("find_number"):
            found = self._client.incoming_phone_numbers.list(
                limit=20, **{name: value for name, value in wanted.items() if value}
            )
        # Twilio's PhoneNumber filter also finds partial matches.
        for number in map(_number, found):
            if friendly_name in ("", number.friendly_name) and e164 in ("", number.e164):
                return number
        return None

    def update_number(self, sid: str, urls: NumberUrls) -> CarrierNumber:
        with _asking("update_number"):  # the same update twice is one update
            return _number(self._client.incoming_phone_numbers(sid).update(**_url_fields(urls)))

    def release_number(self, sid: str) -> None:
        try:
            with _asking("release_number", changes=True):
                self._client.incoming_phone_numbers(sid).delete()
        except ProviderError as refusal:
            if refusal.code != 20404:
                raise

    def fetch_call(self, sid: str) -> CarrierCall | None:
        try:
            with _asking("fetch_call"):
                return _call(self._client.calls(sid).fetch())
        except ProviderError as refusal:
            if refusal.code == 20404:
                return None
            raise

    def child_calls(self, sid: str) -> tuple[CarrierCall, ...]:
        with _asking("child_calls"):
            return tuple(
                map(_call, self._client.calls.list(parent_call_sid=sid, page_size=PAGE_SIZE))
            )

    def calls_since(self, since: dt.datetime, *, to: str = "") -> Iterator[CarrierCall]:
        wanted: dict[str, Any] = {"start_time_after": since, "page_size": PAGE_SIZE}
        if to:
            wanted["to"] = to
        with _asking("calls_since"):
            yield from map(_call, self._client.calls.stream(**wanted))

    def calls_of_day(self, day: dt.date) -> Iterator[CarrierCall]:
        # The list takes a bare day; the library would make a moment of it.
        with _asking("calls_of_day"):
            yield from map(
                _call,
                self._client.calls.stream(
                    start_time=day.isoformat(),
                    page_size=PAGE_SIZE,
                ),
            )

    def usage_of_day(self, day: dt.date) -> tuple[CarrierUsage, ...]:
        with _asking("usage_of_day"):
            records = self._client.usage.records.list(
                start_date=day, end_date=day, page_size=PAGE_SIZE
            )
        return tuple(
            CarrierUsage(
                category=str(record.category or ""),
                count=_digits(record.count) or 0,
                price_micros=_usage_price(record.price),
            )
            for record in records
        )

    def end_call(self, sid: str) -> None:
        try:
            with _asking("end_call"):
                self._client.calls(sid).update(status="completed")
        except ProviderError as refusal:
            if refusal.code not in (CALL_NOT_IN_PROGRESS, 20404):
                raise

    def place_call(
        self, *, from_: str, to: str, document: str, ring_seconds: int, time_limit_seconds: int
    ) -> CarrierCall:
        with _asking("place_call", changes=True):
            return _call(
                self._client.calls.create(
                    from_=from_,
                    to=to,
                    twiml=document,
                    timeout=ring_seconds,
                    time_limit=time_limit_seconds,
                )
            )

    def set_time_limit(self, sid: str, seconds: int) -> None:
        try:
            with _asking("set_time_limit"):
                self._client.calls(sid).update(time_limit=seconds)
        except ProviderError as refusal:
            if refusal.code not in (CALL_NOT_IN_PROGRESS, 20404):
                raise

    def fetch_recording(self, sid: str) -> tuple[str, bytes]:
        # Not through the SDK: it decodes every answer as text.
        url = f"{API_URL}/2010-04-01/Accounts/{self._auth[0]}/Recordings/{sid}.wav"
        with (
            _asking("fetch_recording"),
            self._http.session.get(
                self._http.redirected(url), auth=self._auth, timeout=TIMEOUT_SECONDS, stream=True
            ) as response,
        ):
            if response.status_code != 200:
                raise ProviderError(
                    f"The carrier answered {response.status_code} for recording {sid}.",
                    # 404 too is temporary: the callback can be faster than the file.
                    permanent=response.status_code in (401, 403, 410),
                    code=20404 if response.status_code == NOT_FOUND else None,
                )
            sound = bytearray()
            for chunk in response.iter_content(65_536):
                sound += chunk
                if len(sound) > RECORDING_BYTES_MAX:
                    raise ProviderError(f"Recording {sid} is too large.", permanent=True)
            return response.headers.get("Content-Type", "audio/x-wav"), bytes(sound)

    def send_message(
        self, *, from_: str, to: str, body: str, status_callback: str = ""
    ) -> CarrierMessage:
        with _asking("send_message", changes=True):
            return _message(
                self._client.messages.create(
                    from_=from_,
                    to=to,
                    body=body,
                    status_callback=status_callback or values.unset,
                    smart_encoded=False,  # what is sent is what was counted and shown
                )
            )

    def fetch_message(self, sid: str) -> CarrierMessage | None:
        try:
            with _asking("fetch_message"):
                return _message(self._client.messages(sid).fetch())
        except ProviderError as refusal:
            if refusal.code == 20404:
                return None
            raise

    def latest_messages(self, *, from_: str, to: str) -> tuple[CarrierMessage, ...]:
        with _asking("latest_messages"):
            found = self._client.messages.list(from_=from_, to=to, limit=LATEST_MESSAGES)
        return tuple(map(_message, found))

    def messages_received(self, since: dt.datetime) -> Iterator[CarrierMessage]:
        with _asking("messages_received"):
            for item in self._client.messages.stream(date_sent_after=since, page_size=PAGE_SIZE):
                message = _message(item)
                if message.is_inbound:
                    yield message


@contextmanager
def _asking(deed: str, *, changes: bool = False) -> Iterator[None]:
    """The library's failures become ours; after a lost answer a deed that `changes` is unknown."""
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except ProviderError:
        raise
    except TwilioException as error:
        status, code, said = _answer(error)
        if changes and status not in range(400, 500):
            outcome = "unknown"
            raise OutcomeUnknown(
                f"The carrier's answer to {deed} was {status or 'lost'}."
            ) from error
        raise ProviderError(
            WORDS.get(code or 0, f"The carrier says: {said}" if said else BUSY),
            permanent=status in range(400, 500) and status != TOO_MANY_REQUESTS,
            code=code or (20404 if status == NOT_FOUND else None),
        ) from error
    except RequestException as error:
        if changes and not _never_sent(error):
            outcome = "unknown"
            raise OutcomeUnknown(f"The carrier's answer to {deed} was lost.") from error
        raise ProviderError("The carrier cannot be reached.", permanent=False) from error
    finally:
        CARRIER_REQUESTS.labels(deed, outcome).inc()


def _answer(error: TwilioException) -> tuple[int, int | None, str]:
    """Status, Twilio's own code and its words. A list that is refused comes as a bare exception
    with the response inside (twilio 9.13, base/page.py), everything else as a REST exception."""
    if isinstance(error, TwilioRestException):
        return error.status, error.code, error.msg
    response: Any = error.args[1] if len(error.args) > 1 else None
    try:
        body = json.loads(response.text)
        return response.status_code, body.get("code"), str(body.get("message", ""))
    except (AttributeError, ValueError):
        return getattr(response, "status_code", 0), None, ""


def _never_sent(error: Exception) -> bool:
    """No connection came about, so nothing can have been done."""
    if isinstance(error, ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, NoConnection) and isinstance(reason, NewConnectionError)


def _url_fields(urls: NumberUrls) -> dict[str, str]:
    return {
        "voice_url": urls.voice_url,
        "voice_method": "POST",
        "voice_fallback_url": urls.voice_fallback_url,
        "voice_fallback_method": "POST",
        "status_callback": urls.status_callback,
        "status_callback_method": "POST",
        "sms_url": urls.sms_url,
        "sms_method": "POST",
    }


def _number(item: Any) -> CarrierNumber:
    return CarrierNumber(
        sid=item.sid,
        e164=item.phone_number,
        friendly_name=item.friendly_name or "",
        urls=NumberUrls(
            voice_url=item.voice_url or "",
            voice_fallback_url=item.voice_fallback_url or "",
            status_callback=item.status_callback or "",
            sms_url=item.sms_url or "",
        ),
    )


def _call(item: Any) -> CarrierCall:
    return CarrierCall(
        sid=item.sid,
        parent_call_sid=item.parent_call_sid or None,
        from_=item._from or "",
        to=item.to or "",
        status=str(item.status or ""),
        direction=item.direction or "",
        started_at=_utc(item.start_time),
        ended_at=_utc(item.end_time),
        duration_seconds=_digits(item.duration),
        price_micros=_cost(item.price),
        price_unit=item.price_unit or "",
    )


def _message(item: Any) -> CarrierMessage:
    segments, media = _digits(item.num_segments), _digits(item.num_media)
    return CarrierMessage(
        sid=item.sid,
        from_=item.from_ or "",
        to=item.to or "",
        body=item.body or "",
        is_inbound=str(item.direction or "") == "inbound",
        status=str(item.status or ""),
        segments=segments or None,  # "0" until it has counted
        media_count=media or 0,
        error_code=_digits(item.error_code),
        created_at=_utc(item.date_created),
    )


def _utc(value: dt.datetime | None) -> dt.datetime | None:
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else None


def _digits(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def _usage_price(price: object) -> int:
    """Usage records hold numbers, not text, and of what we pay they are positive."""
    return abs(int((Decimal(str(price or 0)) * MICROS).to_integral_value()))


def _cost(price: object) -> int | None:
    """Twilio writes what it takes as a negative decimal string."""
    try:
        return abs(parse_amount(str(price))) if price is not None else None
    except InvalidAmount:
        return None
