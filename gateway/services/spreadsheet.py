"""CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")  # noqa: RUF001


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP ASVS 5.0, 1.2.10): a leading quote before
    what could start one, so "+14155550101" too. NUL is dropped: readers stop at it."""
    safe = f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
    return safe.replace("\0", "")


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """RFC 4180 lines, one a row, as they are made."""
    for row in rows:
        line = io.StringIO()
        csv.writer(line).writerow([safe_cell(cell) for cell in row])
        yield line.getvalue()
