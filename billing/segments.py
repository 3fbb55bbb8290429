"""How many segments the carrier cuts a text into: a preview, and what a send may cost at most.

The bill goes by the carrier's own NumSegments. This count agrees with its public calculator
(npm `sms-segments-calculator`), which keeps what is read as one character in one segment.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

# The carrier knows these two sets and no national shift tables:
# twilio.com/docs/glossary/what-is-gsm-7-character-encoding
_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Written as an escape and a character: two units that never part."""

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_PICTURES_FROM = 0x2190  # the first arrow; nothing below is joined into a picture
_BEYOND_16_BITS = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Limits:
    alone: int
    concatenated: int


# 140 octets a segment, 6 of them for the header of a part: twilio.com/docs/glossary/
# what-sms-character-limit. US and Canadian toll-free parts carry one unit less: Twilio's help
# centre on toll-free messages; its calculator does not know of it.
_GSM_7, _UCS_2 = _Limits(160, 153), _Limits(70, 67)
_GSM_7_TOLL_FREE, _UCS_2_TOLL_FREE = _Limits(160, 152), _Limits(70, 66)


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets or UTF-16 units, `per_segment` is what one segment of this text holds."""

    encoding: Encoding
    units: int
    count: int
    per_segment: int


def segments(text: str, *, toll_free_us: bool = False) -> Segments:
    """The segments of an outgoing text; an empty one still counts as one (S5-07)."""
    plain = all(character in _GSM_BASIC or character in _GSM_EXTENSION for character in text)
    if plain:
        widths = [2 if character in _GSM_EXTENSION else 1 for character in text]
        limits = _GSM_7_TOLL_FREE if toll_free_us else _GSM_7
    else:
        widths = list(_cluster_widths(text))
        limits = _UCS_2_TOLL_FREE if toll_free_us else _UCS_2
    encoding: Encoding = "GSM-7" if plain else "UCS-2"
    units = sum(widths)
    if units <= limits.alone:
        return Segments(encoding, units, 1, limits.alone)
    return Segments(encoding, units, _parts(widths, limits.concatenated), limits.concatenated)


def _parts(widths: list[int], capacity: int) -> int:
    """Fill each part in order; what does not fit whole opens the next."""
    count, free = 1, capacity
    for width in widths:
        if width > free:
            count, free = count + 1, capacity
        free -= width
    return count


def _cluster_widths(text: str) -> Iterator[int]:
    """UTF-16 units of what is read as one character: accents, flags and joined pictures whole."""
    width, previous, flag_letters = 0, "", 0
    for character in text:
        if width and not _continues(previous, character, flag_letters):
            yield width
            width, flag_letters = 0, 0
        width += 2 if ord(character) > _BEYOND_16_BITS else 1
        flag_letters += ord(character) in _FLAG_LETTERS
        previous = character
    if width:
        yield width


def _continues(previous: str, character: str, flag_letters: int) -> bool:
    if previous in "\r\n" or character in "\r\n":
        return False
    if character == _ZERO_WIDTH_JOINER or unicodedata.category(character).startswith("M"):
        return True
    if ord(character) in _SKIN_TONES:
        return _is_picture(previous)
    if ord(character) in _FLAG_LETTERS:
        return ord(previous) in _FLAG_LETTERS and flag_letters % 2 == 1
    return previous == _ZERO_WIDTH_JOINER and _is_picture(character)


def _is_picture(character: str) -> bool:
    return ord(character) >= _PICTURES_FROM and unicodedata.category(character) in ("So", "Sk")
