"""The look-up of an entry by the digits a number begins with."""

from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar("Entry")
_DIGITS_MAX = 15  # E.164: itu.int/rec/T-REC-E.164


def longest_prefix(entries: Mapping[str, Entry], e164: str) -> Entry | None:
    """The entry of the longest prefix; None where no prefix fits or the text is no number."""
    if not e164.startswith("+"):
        return None
    for end in range(min(len(e164), _DIGITS_MAX + 1), 1, -1):
        entry = entries.get(e164[1:end])
        if entry is not None:
            return entry
    return None
