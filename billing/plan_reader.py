"""Reads a plan document field by field and notes every problem, not only the first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from billing.money import InvalidAmount, parse_amount

_NULL = object()
"""A null that was written out: never the same as leaving the field away."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at one place (a JSON pointer) and what to do about it."""

    path: str
    message: str


class PlanInvalid(ValueError):
    """The document is no plan; carries all complaints at once."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.path or '/'}: {error.message}" for error in errors))
        self.errors = errors


class ObjectReader:
    """One JSON object. A field that is wrong is noted and read as a harmless stand-in."""

    def __init__(self, document: object, path: str, errors: list[FieldError]) -> None:
        self.path = path
        self._errors = errors
        self._seen: set[str] = set()
        self._fields: Mapping[object, object] = {}
        if isinstance(document, Mapping):
            self._fields = document
        else:
            self._note("", f"write an object here, not {_kind(document)}")
            self._errors = []

    def complain(self, name: str, message: str) -> None:
        self._note(f"/{_escape(name)}", message)

    def complain_at(self, name: str, index: int, message: str) -> None:
        self._note(f"/{_escape(name)}/{index}", message)

    def complained_of(self, name: str) -> bool:
        """Whether something is already known to be wrong with a field or inside it."""
        path = f"{self.path}/{_escape(name)}"
        return any(e.path == path or e.path.startswith(f"{path}/") for e in self._errors)

    def has(self, name: str) -> bool:
        return name in self._fields

    def allow(self, name: str) -> None:
        """The field may be left out, and then stands for nothing."""
        self._seen.add(name)

    def amount(self, name: str, *, default: str | None = None) -> int:
        """Micros; a price or a limit is never negative."""
        value = self._take(name, default)
        if value is None:
            return 0
        if not isinstance(value, str):
            self.complain(name, f'write the amount as text such as "0.05", not {_kind(value)}')
            return 0
        try:
            micros = parse_amount(value)
        except InvalidAmount as refusal:
            self.complain(name, str(refusal))
            return 0
        if value.startswith("-"):
            self.complain(name, "is negative: write 0 or more")
            return 0
        return micros

    def integer(self, name: str, *, within: range, default: int | None = None) -> int:
        value = self._take(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and value in within:
            return value
        if value is not None:
            self.complain(name, f"write a whole number from {within[0]} to {within[-1]}")
        return within[0]

    def optional_amount(self, name: str) -> int | None:
        """Micros, or None where the field is left out."""
        if self.has(name):
            return self.amount(name)
        self.allow(name)
        return None

    def optional_integer(self, name: str, *, within: range) -> int | None:
        if self.has(name):
            return self.integer(name, within=within)
        self.allow(name)
        return None

    def choices(
        self, name: str, options: Sequence[str], *, default: Sequence[str]
    ) -> tuple[str, ...]:
        """Several of the options, each at most once, in the order they are written."""
        chosen: list[str] = []
        for index, item in enumerate(self.strings(name, default=default)):
            if item not in options:
                self.complain_at(name, index, f"write one of: {', '.join(options)}")
            elif item in chosen:
                self.complain_at(name, index, f"{item} is listed twice: keep one")
            else:
                chosen.append(item)
        return tuple(chosen)

    def amounts(self, name: str, *, default: Sequence[str]) -> tuple[int, ...]:
        amounts = []
        for index, text in enumerate(self.strings(name, default=default)):
            reader = ObjectReader({str(index): text}, f"{self.path}/{name}", self._errors)
            amounts.append(reader.amount(str(index)))
        return tuple(amounts)

    def integers(self, name: str, *, within: range) -> tuple[int, ...]:
        numbers = []
        for index, item in enumerate(self._list(name)):
            if isinstance(item, int) and not isinstance(item, bool) and item in within:
                numbers.append(item)
            else:
                words = f"write a whole number from {within[0]} to {within[-1]}"
                self.complain_at(name, index, words)
        return tuple(numbers)

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._take(name, default)
        if isinstance(value, bool):
            return value
        self.complain(name, "write true or false")
        return default

    def choice(self, name: str, options: Sequence[str], *, default: str | None = None) -> str:
        value = self._take(name, default)
        if isinstance(value, str) and value in options:
            return value
        if value is not None:
            self.complain(name, f"write one of: {', '.join(options)}")
        return options[0]

    def text(self, name: str, *, length_max: int, default: str | None = None) -> str:
        value = self._take(name, default)
        if isinstance(value, str) and len(value) <= length_max:
            if default is None and not value.strip():
                self.complain(name, "is empty: write a few words")
            elif not value.isprintable():
                self.complain(name, "has line breaks or control characters: write one plain line")
            return value
        if value is not None:
            self.complain(name, f"write text of at most {length_max} characters")
        return ""

    def child(self, name: str, *, required: bool = False) -> "ObjectReader":
        """The object of a field; where there is none, its own fields are not complained of."""
        value = self._take(name, None if required else {})
        if value is None:
            return ObjectReader({}, f"{self.path}/{name}", [])
        return ObjectReader(value, f"{self.path}/{name}", self._errors)

    def objects(self, name: str) -> Iterator["ObjectReader"]:
        """The objects of a list; a missing list is an empty one."""
        for index, item in enumerate(self._list(name)):
            yield ObjectReader(item, f"{self.path}/{name}/{index}", self._errors)

    def strings(self, name: str, *, default: Sequence[str] = ()) -> tuple[str, ...]:
        strings = []
        for index, item in enumerate(self._list(name, default)):
            if isinstance(item, str):
                strings.append(item)
            else:
                self._note(f"/{name}/{index}", f"write text here, not {_kind(item)}")
                strings.append("")
        return tuple(strings)

    def finish(self) -> None:
        """Call after the last field: what was not asked for is misspelt or unknown."""
        for name in self._fields:
            if not isinstance(name, str) or name not in self._seen:
                known = ", ".join(sorted(self._seen))
                self.complain(str(name), f"is not known here: remove it, or use one of {known}")

    def _list(self, name: str, default: Sequence[object] = ()) -> Sequence[object]:
        value = self._take(name, list(default))
        if isinstance(value, list | tuple):
            return value
        self.complain(name, f"write a list here, not {_kind(value)}")
        return ()

    def _take(self, name: str, default: object) -> object:
        """None only where a field without default is missing, which is then already noted."""
        self._seen.add(name)
        if name in self._fields:
            value = self._fields[name]
            return _NULL if value is None else value
        if default is None:
            self.complain(name, "is missing: add it")
        return default

    def _note(self, suffix: str, message: str) -> None:
        self._errors.append(FieldError(self.path + suffix, message))


def _escape(name: str) -> str:
    """JSON pointer escapes: RFC 6901 section 3."""
    return name.replace("~", "~0").replace("/", "~1")


def _kind(value: object) -> str:
    if value is _NULL or value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "an object" if isinstance(value, Mapping) else "a list"
