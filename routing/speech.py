"""Texts that callers hear, and what may stand in them."""

import re
from typing import Final

SORRY: Final = "Sorry, nobody can take your call right now. Please try again later. Goodbye."

# What XML 1.0 cannot carry (w3.org/TR/xml, Char): control characters and half surrogates. The
# SDK escapes markup but writes these as they are, and the carrier then refuses the document.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def is_clean(text: str) -> bool:
    return _NOT_XML.search(text) is None


def clean(text: str, instead: str = "") -> str:
    """The text without the characters that XML cannot carry."""
    return _NOT_XML.sub(instead, text)
