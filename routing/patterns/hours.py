"""The clock decides: one branch while open, another while closed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from routing.facts import Situation
from routing.hours import (
    DAY_NAMES,
    DAYS,
    MINUTES_PER_DAY,
    Span,
    WeeklyHours,
    holiday_name,
    is_holiday_code,
    is_open,
    is_time_zone,
    local_time,
)
from routing.patterns.ringing import listed
from routing.reading import Reader, shown
from routing.steps import Branch, Choose, Document, Label, Step

SPANS_MAX: Final = 50

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_MIDNIGHT_CURE: Final = "use the 24-hour clock, such as 09:00, 17:30 or 24:00"


@dataclass(frozen=True, slots=True)
class HoursStep(Step):
    hours: WeeklyHours
    then: Step
    otherwise: Step | None = None

    pattern: ClassVar[str] = "hours"
    chooses: ClassVar[bool] = True

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "time_zone", "open", "holidays", "then", "otherwise"))
        spans = [
            _read_span(reader, item, f"{path}/open/{i}")
            for i, item in enumerate(reader.items(raw, "open", path, SPANS_MAX))
        ]
        hours = WeeklyHours(
            _read_zone(reader, raw, path),
            tuple(span for span in spans if span is not None),
            _read_holidays(reader, raw, path),
        )
        then = reader.needed_branch(raw, "then", path)
        otherwise = reader.branch(raw, "otherwise", path)
        return None if then is None else cls(hours, then, otherwise)

    @classmethod
    def schema(cls) -> Document:
        span = {
            "type": "object",
            "properties": {
                "days": {
                    "type": "array",
                    "items": {"enum": list(DAYS)},
                    "minItems": 1,
                    "maxItems": 7,
                },
                "from": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
                "to": {"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"},
            },
            "required": ["days", "from", "to"],
            "additionalProperties": False,
        }
        return {
            "properties": {
                "time_zone": {"type": "string", "minLength": 1},
                "open": {"type": "array", "items": span, "minItems": 1, "maxItems": SPANS_MAX},
                "holidays": {"type": ["string", "null"]},
                "then": {"$ref": "#/$defs/step"},
                "otherwise": {"$ref": "#/$defs/branch"},
            },
            "required": ["time_zone", "open", "then"],
        }

    def to_document(self) -> Document:
        document: Document = {
            "pattern": self.pattern,
            "time_zone": self.hours.time_zone,
            "open": [
                {
                    "days": [DAYS[day] for day in span.days],
                    "from": clock(span.opens),
                    "to": clock(span.closes),
                }
                for span in self.hours.spans
            ],
        }
        if self.hours.holidays:
            document["holidays"] = self.hours.holidays
        document["then"] = self.then.to_document()
        if self.otherwise is not None:
            document["otherwise"] = self.otherwise.to_document()
        return document

    def move(self, situation: Situation, position: str) -> Choose:
        local = local_time(self.hours, situation.now)
        opened = is_open(self.hours, situation.now)
        holiday = holiday_name(self.hours.holidays, local.date())
        words = (
            f"It is {DAY_NAMES[local.weekday()]} {local:%H:%M} in {_city(self.hours.time_zone)}"
            f"{f', {holiday}' if holiday else ''}: {'open' if opened else 'closed'}."
        )
        return Choose("/then" if opened else "/otherwise", words)

    def words(self, label: Label) -> str:
        return "goes by the clock"

    def branches(self) -> tuple[Branch, ...]:
        spans = listed([_span_words(span) for span in self.hours.spans])
        closed = f" except on holidays ({self.hours.holidays})" if self.hours.holidays else ""
        heading = f"{spans}, {_city(self.hours.time_zone)} time{closed}"
        found = [Branch("/then", heading, self.then)]
        if self.otherwise is not None:
            found.append(Branch("/otherwise", "At other times", self.otherwise))
        return tuple(found)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _city(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")


def _span_words(span: Span) -> str:
    days = span.days
    if len(days) > 2 and days == tuple(range(days[0], days[-1] + 1)):
        named = "Every day" if len(days) == 7 else f"{DAY_NAMES[days[0]]} to {DAY_NAMES[days[-1]]}"
    else:
        named = listed([DAY_NAMES[day] for day in days])
    return f"{named} {clock(span.opens)}-{clock(span.closes)}"


def _read_zone(reader: Reader, raw: Mapping[str, Any], path: str) -> str:
    zone = raw.get("time_zone")
    if not isinstance(zone, str) or (reader.checking and not is_time_zone(zone)):
        reader.error(
            f"{path}/time_zone",
            "unknown_time_zone",
            "Choose a time zone by its city, such as America/New_York.",
        )
        return "UTC"
    return zone


def _read_holidays(reader: Reader, raw: Mapping[str, Any], path: str) -> str:
    code = raw.get("holidays")
    if code is None or code == "":
        return ""
    if not isinstance(code, str) or (reader.checking and not is_holiday_code(code)):
        reader.error(
            f"{path}/holidays",
            "unknown_holidays",
            f"“{shown(code)}” has no holiday calendar; write a country or a state in it, "
            "such as US or US-NY, or leave it out.",
        )
        return ""
    return code


def _read_span(reader: Reader, raw: object, path: str) -> Span | None:
    if not isinstance(raw, Mapping):
        reader.error(path, "not_a_span", "Opening hours have “days”, “from” and “to”.")
        return None
    reader.fields(raw, path, ("days", "from", "to"))
    days = reader.items(raw, "days", path, 7)
    for i, day in enumerate(days):
        if day not in DAYS:
            reader.error(f"{path}/days/{i}", "unknown_day", f"Use {', '.join(DAYS)}.")
    opens = _read_time(reader, raw, "from", path)
    closes = _read_time(reader, raw, "to", path)
    if opens is None or closes is None:
        return None
    if opens == MINUTES_PER_DAY:
        reader.error(f"{path}/from", "bad_time", "Begin at 00:00 for midnight.")
        return None
    if opens == closes:
        reader.error(
            f"{path}/to", "bad_time", "Equal times are no span; all day is 00:00 to 24:00."
        )
        return None
    known = tuple(sorted({DAYS.index(day) for day in days if day in DAYS}))
    return Span(known, opens, closes or MINUTES_PER_DAY)


def _read_time(reader: Reader, raw: Mapping[str, Any], name: str, path: str) -> int | None:
    said = raw.get(name)
    if not isinstance(said, str) or not _TIME.fullmatch(said):
        reader.error(f"{path}/{name}", "bad_time", f"Write “{name}” as a time: {_MIDNIGHT_CURE}.")
        return None
    hours, _, minutes = said.partition(":")
    return int(hours) * 60 + int(minutes)
