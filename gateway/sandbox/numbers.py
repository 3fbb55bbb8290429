"""Numbers: a plentiful, invented inventory, and the ones that were bought."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from gateway.sandbox.calls import new_sid, to_document
from gateway.sandbox.errors import CarrierError, not_found
from gateway.sandbox.places import TOLL_FREE_CODES, Place, area_codes, place_of
from gateway.sandbox.store import Store

PER_AREA_CODE = 700  # of which 100 are 555-01xx, the range kept for fiction, offered last
GB_LOCAL = (("+44207946", "London"), ("+44161496", "Manchester"), ("+44121496", "Birmingham"))
GB_MOBILE = "+447700900"  # Ofcom's numbers for drama
COUNTRIES = {"US": ("Local", "TollFree"), "CA": ("Local", "TollFree"), "GB": ("Local", "Mobile")}
MAGIC_TAKEN, MAGIC_INVALID = "+15005550000", "+15005550001"  # twilio.com/docs/iam/test-credentials
MAGIC_GOOD = "+15005550006"
KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")


@dataclass(slots=True)
class IncomingNumber:
    """A number that the customer owns, with where its calls and texts are sent."""

    sid: str
    phone_number: str
    friendly_name: str
    created_at: datetime
    updated_at: datetime
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    voice_caller_id_lookup: bool = False
    address_sid: str = ""
    bundle_sid: str = ""


# The form fields of IncomingPhoneNumbers that change a number, and where they are kept.
FORM_FIELDS = {
    "FriendlyName": "friendly_name", "VoiceUrl": "voice_url", "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url", "VoiceFallbackMethod": "voice_fallback_method",
    "StatusCallback": "status_callback", "StatusCallbackMethod": "status_callback_method",
    "SmsUrl": "sms_url", "SmsMethod": "sms_method", "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method", "VoiceCallerIdLookup": "voice_caller_id_lookup",
    "AddressSid": "address_sid", "BundleSid": "bundle_sid",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    country: str
    kind: str  # Local | TollFree | Mobile
    area_code: str = ""
    contains: str = ""
    region: str = ""
    locality: str = ""
    postal_code: str = ""
    limit: int = 50


@dataclass(slots=True)
class Numbers:
    """The owned ones by E.164. One owner only: a taken number is refused with 21422."""

    store: Store
    owned: dict[str, IncomingNumber] = field(default_factory=dict)

    def may_send(self, e164: str) -> bool:
        """One of the customer's, or the test credentials' own sender."""
        return e164 in self.owned or e164 == MAGIC_GOOD

    def __post_init__(self) -> None:
        for document in self.store.load("number"):
            number = _from_document(document)
            self.owned[number.phone_number] = number

    def search(self, search: Search) -> list[str]:
        if search.kind not in COUNTRIES.get(search.country, ()):
            raise not_found(f"/AvailablePhoneNumbers/{search.country}/{search.kind}.json")
        free = (number for number in _candidates(search) if number not in self.owned)
        return list(islice(free, search.limit))

    def buy(self, form: dict[str, str], now: datetime) -> IncomingNumber:
        e164 = form.get("PhoneNumber") or self._free_in(form.get("AreaCode", ""))
        if not _sellable(e164):
            raise CarrierError(
                400, 21421, f"PhoneNumber is invalid: {e164} is not a valid phone number."
            )
        if e164 in self.owned or e164 == MAGIC_TAKEN:
            raise CarrierError(400, 21422, f"PhoneNumber is not available: {e164}")
        number = IncomingNumber(new_sid("PN"), e164, e164, now, now)
        _apply(number, form)
        self.owned[e164] = number
        self.save(number)
        return number

    def update(self, sid: str, form: dict[str, str], now: datetime) -> IncomingNumber:
        number = self.get(sid)
        _apply(number, form)
        number.updated_at = now
        self.save(number)
        return number

    def release(self, sid: str) -> None:
        number = self.get(sid)
        del self.owned[number.phone_number]
        self.store.delete("number", number.sid)

    def get(self, sid: str) -> IncomingNumber:
        for number in self.owned.values():
            if number.sid == sid:
                return number
        raise not_found(f"/IncomingPhoneNumbers/{sid}.json")

    def save(self, number: IncomingNumber) -> None:
        self.store.save("number", number.sid, to_document(number))

    def _free_in(self, area_code: str) -> str:
        if not area_code:
            raise CarrierError(400, 21421, "PhoneNumber or AreaCode is required.")
        country = area_codes()[area_code].country if area_code in area_codes() else "US"
        free = self.search(Search(country, "Local", area_code=area_code, limit=1))
        if not free:
            raise CarrierError(400, 21452, f"No phone numbers found in area code {area_code}.")
        return free[0]


def place_for_sale(e164: str) -> Place:
    """Where an offered number is; British towns are known here, since we invented the numbers."""
    for prefix, city in GB_LOCAL:
        if e164.startswith(prefix):
            return Place(country="GB", city=city)
    return place_of(e164)


def _candidates(search: Search) -> Iterator[str]:
    wanted = _pattern(search.contains)
    for e164 in _by_kind(search):
        place = place_for_sale(e164)
        if (
            (not wanted or wanted.search(e164))
            and (not search.region or place.region == search.region.upper())
            and (not search.locality or place.city.lower() == search.locality.lower())
            and (not search.postal_code or place.postal_code[:3] == search.postal_code[:3])
        ):
            yield e164


def _by_kind(search: Search) -> Iterator[str]:
    if search.country == "GB":
        prefixes = [GB_MOBILE] if search.kind == "Mobile" else [prefix for prefix, _ in GB_LOCAL]
        width = 3 if search.kind == "Mobile" else 4  # +44 20 7946 0xxx, +44 7700 900xxx
        for line in range(1000):
            yield from (f"{prefix}{line:0{width}d}" for prefix in prefixes)
        return
    if search.kind == "TollFree":
        codes = [code for code in TOLL_FREE_CODES if search.area_code in ("", code)]
    elif search.area_code:
        known = area_codes().get(search.area_code)
        codes = [search.area_code] if known and known.country == search.country else []
    else:
        codes = [code for code, place in area_codes().items() if place.country == search.country]
    for index in range(PER_AREA_CODE):
        yield from (_north_american(code)[index] for code in codes)


@cache
def _north_american(area_code: str) -> tuple[str, ...]:
    """The same numbers in every process. An exchange is NXX and never N11."""
    rng = random.Random(int(area_code))
    exchanges = [n for n in range(200, 1000) if n % 100 != 11 and n != 555]
    ordinary = [
        f"+1{area_code}{exchange}{rng.randrange(10_000):04d}"
        for exchange in rng.sample(exchanges, PER_AREA_CODE - 100)
    ]
    return (*ordinary, *(f"+1{area_code}55501{line:02d}" for line in range(100)))


def _pattern(contains: str) -> "re.Pattern[str] | None":
    """Digits, letters of the keypad, and `*` for any one digit, anywhere in the number."""
    text = contains.upper().translate(KEYPAD).lstrip("+")
    if not contains:
        return None
    if not re.fullmatch(r"[0-9*]{2,16}", text):
        raise CarrierError(400, 20001, f"Contains is invalid: {contains}")
    return re.compile(text.replace("*", "[0-9]"))


def _sellable(e164: str) -> bool:
    if e164 in (MAGIC_GOOD, MAGIC_TAKEN):
        return True
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", e164) or e164 == MAGIC_INVALID:
        return False
    if e164.startswith("+1"):
        known = e164[2:5] in area_codes() or e164[2:5] in TOLL_FREE_CODES
        return known and re.fullmatch(r"\+1[0-9]{3}[2-9][0-9]{6}", e164) is not None
    return e164.startswith("+44")


def _apply(number: IncomingNumber, form: dict[str, str]) -> None:
    """All or nothing: a bad URL leaves the number as it was."""
    for name, value in form.items():
        is_url = name.endswith("Url") or name == "StatusCallback"
        if (
            name in FORM_FIELDS
            and is_url
            and value
            and not value.startswith(("http://", "https://"))
        ):
            raise CarrierError(400, 21402, f"{name} is not a valid URL: {value}")
    for name, value in form.items():
        if name == "VoiceCallerIdLookup":
            number.voice_caller_id_lookup = value.lower() == "true"
        elif name in FORM_FIELDS:
            setattr(number, FORM_FIELDS[name], value)


def _from_document(document: dict[str, Any]) -> IncomingNumber:
    known = {item.name for item in fields(IncomingNumber)}
    values = {name: value for name, value in document.items() if name in known}
    for name in ("created_at", "updated_at"):
        values[name] = datetime.fromisoformat(values[name])
    return IncomingNumber(**values)
