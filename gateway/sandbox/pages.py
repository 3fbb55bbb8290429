"""Pages of a list, as the 2010 API cuts them: follow `next_page_uri`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from gateway.sandbox.errors import CarrierError

T = TypeVar("T")
PAGE_SIZE, PAGE_SIZE_MAX = 50, 1_000


def page(
    items: list[T],
    *,
    key: str,
    path: str,
    args: Mapping[str, str],
    sid: Callable[[T], str],
    shape: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    """The token names the last item seen, so that new items at the head shift nothing."""
    size = _number(args, "PageSize", PAGE_SIZE, low=1, high=PAGE_SIZE_MAX)
    number = _number(args, "Page", 0, low=0, high=1_000_000)
    start = number * size
    token = args.get("PageToken", "")
    if token:
        seen = [index for index, item in enumerate(items) if f"PA{sid(item)}" == token]
        if not seen:
            raise CarrierError(400, 20001, f"PageToken {token!r} is unknown")
        start = seen[0] + 1
    shown = items[start : start + size]
    kept = {name: value for name, value in args.items() if not name.startswith("Page")}

    def address(page_number: int, after: str = "") -> str:
        query = {**kept, "PageSize": str(size), "Page": str(page_number)}
        return f"{path}?{urlencode(query | ({'PageToken': after} if after else {}))}"

    more = start + size < len(items)
    return {
        key: [shape(item) for item in shown],
        "page": number,
        "page_size": size,
        "start": start,
        "end": start + max(len(shown) - 1, 0),
        "uri": address(number, token),
        "first_page_uri": address(0),
        "previous_page_uri": address(number - 1) if number else None,
        "next_page_uri": address(number + 1, f"PA{sid(shown[-1])}") if more else None,
    }


def _number(args: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise CarrierError(400, 20001, f"{name} {text!r} is not a number")
    return min(max(int(text), low), high)
