"""Reading a plan from JSON: every mistake at once, each with its place and its cure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from routing.acts import Target, TargetType
from routing.numbering import (
    InvalidNumber,
    is_dialable_destination,
    parse_e164,
    pretty,
    region_of,
)
from routing.speech import clean, is_clean
from routing.steps import FieldError, Step

DEPTH_MAX: Final = 20
STEPS_MAX: Final = 200
TARGETS_PER_PLAN_MAX: Final = 200
TARGETS_PER_DIAL_MAX: Final = 10  # <Number> nouns in one <Dial>: twilio.com/docs/voice/twiml/number
RING_SECONDS_MIN: Final = 5  # twilio.com/docs/voice/twiml/dial, timeout
RING_SECONDS_MAX: Final = 600
RING_SECONDS_DEFAULT: Final = 20
WHISPER_LENGTH_MAX: Final = 500
SAY_LENGTH_MAX: Final = 1000
WEIGHT_MAX: Final = 1000
ERRORS_MAX: Final = 100

TARGET_TYPES: Final = ("number", "sip", "client")
_TARGET_FIELDS: Final = ("type", "address", "ring_seconds", "whisper", "confirm", "weight")
_SIP: Final = re.compile(
    r"sips?:[A-Za-z0-9._~!$&'*+=%-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
    r"(?::[0-9]{1,5})?(?:;transport=(?:udp|tcp|tls))?",
    re.IGNORECASE,
)
# Up to 256 characters without spaces and delimiters: twilio.com/docs/voice/twiml/client
_CLIENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}")


class PlanInvalid(ValueError):
    """A plan that cannot be published, with everything that is wrong with it."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{e.path or '/'}: {e.message}" for e in errors))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What an account may dial, at the moment of publishing."""

    own_numbers: frozenset[str]
    allowed_countries: frozenset[str]  # ISO codes, by region: +1 is 25 of them
    has_rate: Callable[[str, str], bool]  # (target type, address)
    default_region: str = "US"


class Reader:
    """Walks a document, notes mistakes, and builds steps.

    Without a context the document is one that we stored ourselves: numbers, zones and calendars
    were checked when it was published and are not looked up again.
    """

    def __init__(self, patterns: Mapping[str, type[Step]], context: PlanContext | None) -> None:
        self.patterns = patterns
        self.context = context
        self.errors: list[FieldError] = []
        self._steps = 0
        self._depth = 0
        self._targets = 0

    @property
    def checking(self) -> bool:
        return self.context is not None

    def error(self, path: str, code: str, message: str) -> None:
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(FieldError(path, code, message))

    def step(self, raw: object, path: str) -> Step | None:
        """None where no step could be made; the mistake is noted then."""
        if not isinstance(raw, Mapping):
            self.error(path, "not_a_step", 'A step is an object with a "pattern".')
            return None
        self._steps += 1
        if self._steps > STEPS_MAX:
            if self._steps == STEPS_MAX + 1:
                self.error(path, "too_many_steps", f"A plan has at most {STEPS_MAX} steps.")
            return None
        if self._depth == DEPTH_MAX:
            self.error(path, "too_deep", f"Steps nest at most {DEPTH_MAX} deep; shorten this path.")
            return None
        if not raw:
            self.error(path, "empty_branch", "This branch is empty; add a step or remove it.")
            return None
        name = raw.get("pattern")
        kind = self.patterns.get(name) if isinstance(name, str) else None
        if kind is None:
            known = ", ".join(sorted(self.patterns))
            said = f"“{shown(name)}” is not a pattern" if name is not None else "Name a pattern"
            self.error(f"{path}/pattern", "unknown_pattern", f"{said}; use one of: {known}.")
            return None
        self._depth += 1
        try:
            return kind.read(self, raw, path)
        finally:
            self._depth -= 1

    def branch(self, raw: Mapping[str, Any], name: str, path: str) -> Step | None:
        """An optional branch: absent or null is none."""
        if raw.get(name) is None:
            return None
        return self.step(raw[name], f"{path}/{name}")

    def needed_branch(self, raw: Mapping[str, Any], name: str, path: str) -> Step | None:
        if raw.get(name) is None:
            self.error(
                f"{path}/{name}", "empty_branch", f"Say what happens: “{name}” needs a step."
            )
            return None
        return self.step(raw[name], f"{path}/{name}")

    def fields(self, raw: Mapping[str, Any], path: str, known: Iterable[str]) -> None:
        """Refuse fields that nobody would read: a misspelt one would silently do nothing."""
        known = tuple(known)
        for name in raw:
            if name not in known:
                allowed = ", ".join(known)
                self.error(
                    f"{path}/{escaped(name)}",
                    "unknown_field",
                    f"“{shown(name)}” is not a field here; there are: {allowed}.",
                )

    def items(self, raw: Mapping[str, Any], name: str, path: str, at_most: int) -> list[Any]:
        """A list that must not be empty; an empty result means that it was refused."""
        found = raw.get(name)
        where = f"{path}/{name}"
        if not isinstance(found, list) or not found:
            self.error(where, "empty", f"“{name}” is a list with at least one entry.")
            return []
        if len(found) > at_most:
            self.error(where, "too_many", f"“{name}” has {len(found)} entries; {at_most} at most.")
            return []
        return found

    def text(
        self, raw: Mapping[str, Any], name: str, path: str, length_max: int, *, needed: bool = True
    ) -> str:
        found = raw.get(name)
        where = f"{path}/{name}"
        if found is None or found == "":
            if needed:
                self.error(where, "empty", f"“{name}” is missing; write what the caller hears.")
            return ""
        if not isinstance(found, str):
            self.error(where, "not_text", f"“{name}” is text.")
            return ""
        if len(found) > length_max:
            self.error(where, "too_long", f"“{name}” has at most {length_max} characters.")
        if not is_clean(found):
            self.error(where, "bad_characters", "Remove the control characters from this text.")
        if needed and not found.strip():
            self.error(where, "empty", f"“{name}” is blank; write what the caller hears.")
        return found.strip()

    def whole_number(
        self, raw: Mapping[str, Any], name: str, path: str, *, low: int, high: int, default: int
    ) -> int:
        found = raw.get(name, default)
        if type(found) is not int or not low <= found <= high:  # a bool is no number here
            self.error(
                f"{path}/{name}", "out_of_range", f"“{name}” is a whole number, {low} to {high}."
            )
            return default
        return found

    def targets(self, raw: Mapping[str, Any], path: str, at_most: int) -> tuple[Target, ...]:
        found = raw.get("targets")
        where = f"{path}/targets"
        if not isinstance(found, list) or not found:
            self.error(where, "empty_targets", "Add at least one phone to ring.")
            return ()
        if len(found) > at_most:
            self.error(
                where,
                "too_many_targets",
                f"At most {at_most} phones can ring here; this has {len(found)}. "
                "Move the others to a step in “otherwise”.",
            )
            return ()
        self._targets += len(found)
        if self._targets > TARGETS_PER_PLAN_MAX:
            self.error(
                where, "too_many_targets", f"A plan rings at most {TARGETS_PER_PLAN_MAX} phones."
            )
            return ()
        read = (self._target(item, f"{where}/{i}") for i, item in enumerate(found))
        return tuple(target for target in read if target is not None)

    def _target(self, raw: object, path: str) -> Target | None:
        if not isinstance(raw, Mapping):
            self.error(path, "not_a_target", 'A target is an object with "type" and "address".')
            return None
        self.fields(raw, path, _TARGET_FIELDS)
        kind = raw.get("type")
        confirm = raw.get("confirm", False)
        if not isinstance(confirm, bool):
            self.error(f"{path}/confirm", "not_a_choice", "“confirm” is true or false.")
            confirm = False
        if kind not in TARGET_TYPES:
            self.error(f"{path}/type", "unknown_type", "“type” is number, sip or client.")
            return None
        return Target(
            type=cast(TargetType, kind),
            address=self._address(cast(TargetType, kind), raw.get("address"), f"{path}/address"),
            ring_seconds=self.whole_number(
                raw,
                "ring_seconds",
                path,
                low=RING_SECONDS_MIN,
                high=RING_SECONDS_MAX,
                default=RING_SECONDS_DEFAULT,
            ),
            whisper=self.text(raw, "whisper", path, WHISPER_LENGTH_MAX, needed=False),
            confirm=confirm,
            weight=self.whole_number(raw, "weight", path, low=1, high=WEIGHT_MAX, default=1),
        )

    def _address(self, kind: TargetType, raw: object, path: str) -> str:
        if not isinstance(raw, str) or not raw.strip():
            self.error(path, "empty", "Enter the phone number, SIP address or softphone name.")
            return ""
        address = raw.strip()
        if self.context is None:
            return address
        if kind == "number":
            return self._number(address, path, self.context)
        if kind == "sip":
            address = address if ":" in address.partition("@")[0] else f"sip:{address}"
            if not _SIP.fullmatch(address):
                self.error(
                    path, "invalid_sip", "Write a SIP address like sip:desk@pbx.example.com."
                )
                return address
        elif not _CLIENT.fullmatch(address):
            self.error(
                path, "invalid_client", "A softphone name has letters, digits and _ . - only."
            )
            return address
        if not self.context.has_rate(kind, address):
            self.error(path, "no_rate", f"Your plan has no rate for {kind} calls; ask support.")
        return address

    def _number(self, typed: str, path: str, context: PlanContext) -> str:
        try:
            number = parse_e164(typed, context.default_region)
        except InvalidNumber as problem:
            self.error(path, "invalid_number", str(problem))
            return typed
        if number in context.own_numbers:
            self.error(
                path,
                "loop",
                f"{pretty(number)} is one of your tracking numbers and would call itself; "
                "enter the phone that should ring.",
            )
            return number
        dialable = is_dialable_destination(number)
        if not dialable:
            self.error(path, "not_dialable", f"Choose another number: {dialable.reason}.")
            return number
        country = region_of(number)
        if country not in context.allowed_countries:
            self.error(
                path,
                "country_not_allowed",
                f"Calls to {country} are not enabled for this account; ask support to enable them.",
            )
        elif not context.has_rate("number", number):
            self.error(
                path,
                "no_rate",
                f"Your plan has no rate for {pretty(number)} ({country}); ask support.",
            )
        return number


def shown(value: object) -> str:
    """A piece of someone's input, safe to repeat in a message."""
    text = value if isinstance(value, str) else type(value).__name__
    return clean(text[:40], instead="?")


def escaped(name: object) -> str:
    """One part of a JSON pointer (RFC 6901)."""
    return shown(str(name)).replace("~", "~0").replace("/", "~1")
