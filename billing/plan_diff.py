"""Two versions of a plan, compared line by line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMED_BY: dict[str, tuple[str, ...]] = {
    "inbound": ("country", "number_type"),
    "rental": ("country", "number_type"),
    "outbound": ("label",),
    "surcharges": ("label",),
    "packages": ("code",),
    "region_sets": ("name",),
    "notices": ("day",),
    "bundles": ("minutes",),
}
"""What tells the entries of a list apart, so that a moved entry is not a changed one."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A field that differs; None stands for a field that is not there."""

    path: str
    before: str | None
    after: str | None

    @property
    def words(self) -> str:
        if self.before is None:
            return f"{self.path}: added, {self.after}"
        if self.after is None:
            return f"{self.path}: removed, was {self.before}"
        return f"{self.path}: {self.before} → {self.after}"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[DiffLine, ...]:
    """Each field that differs, in the order of the path; nothing where the documents agree."""
    old, new = dict(_fields(before, "")), dict(_fields(after, ""))
    return tuple(
        DiffLine(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _fields(value: Any, path: str, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _fields(inner, f"{path}/{key}", key)
    elif isinstance(value, list) and name in _NAMED_BY:
        for index, entry in enumerate(value):
            yield from _fields(entry, f"{path}/{_entry_name(entry, name, index)}")
    elif isinstance(value, list):
        yield path, ", ".join(sorted(map(str, value)))
    elif isinstance(value, bool):
        yield path, "yes" if value else "no"
    else:
        yield path, str(value)


def _entry_name(entry: Any, name: str, index: int) -> str:
    if not isinstance(entry, Mapping):
        return str(index)
    return " ".join(str(entry.get(field, index)) for field in _NAMED_BY[name])
