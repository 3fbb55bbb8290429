"""A routing plan as form fields and back: the editor keeps nothing on the server until Publish.

Every field's name is the JSON pointer of the value it carries (`/otherwise/targets/0/address`),
so the form is the document, and an error of `routing.plans` already names its field. A list has a
marker field of its own (`list:/targets`), so that an emptied list stays a list. Nothing here
validates: whatever somebody typed comes back to the screen unchanged, beside its complaint.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

Document = dict[str, Any]
Field = tuple[str, str]

LIST_MARKER = "list:"
DEPTH_MAX = 60  # tokens in a pointer: a plan may nest 20 steps; a forged form may not nest more
FIELDS_MAX = 3000
INDEX_MAX = 500

WHOLE_NUMBERS = frozenset({"ring_seconds", "weight", "max_wait_seconds"})
SWITCHES = frozenset({"confirm"})
WORD_LISTS = frozenset({"countries", "states", "area_codes", "postal_codes"})  # "CA, NV" in a box
CHOICE_LISTS = frozenset({"days"})  # one checkbox each
UPPER_CASE = frozenset({"countries", "states", "country"})
LEFT_OUT_WHEN_EMPTY = WORD_LISTS | {"ring_seconds", "weight", "whisper", "holidays", "country"}
ON = "true"


class MultiFields(Protocol):
    """What a submitted form offers: Werkzeug's MultiDict, or a fake in a test."""

    def items(self, multi: bool = ...) -> Iterable[Field]: ...


class FormUnreadable(Exception):
    """Only a forged form says this; the editor never writes such names."""


def to_fields(document: Document, path: str = "") -> tuple[Field, ...]:
    """The fields that carry what stands at `path`, in the order in which they stand there."""
    return tuple(_fields(path, document))


def _fields(path: str, value: Any) -> Iterator[Field]:
    name = _last(path)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(f"{path}/{_escape(key)}", inner)
    elif isinstance(value, list) and name in WORD_LISTS:
        yield path, ", ".join(str(item) for item in value)
    elif isinstance(value, list):
        yield f"{LIST_MARKER}{path}", ""
        if name in CHOICE_LISTS:
            yield from ((path, str(item)) for item in value)
        else:
            for index, inner in enumerate(value):
                yield from _fields(f"{path}/{index}", inner)
    elif isinstance(value, bool):
        if value:
            yield path, ON
    else:
        yield path, str(value)


def from_form(form: MultiFields) -> Document:
    """The document that the form's fields carry; fields whose name is no pointer are ignored."""
    fields = [
        (name.removeprefix(LIST_MARKER), None if name.startswith(LIST_MARKER) else text)
        for name, text in form.items(multi=True)
        if name.removeprefix(LIST_MARKER).startswith("/")
    ]
    if len(fields) > FIELDS_MAX:
        raise FormUnreadable("more fields than a plan can have")
    tree = _Group()
    for name, text in fields:
        _plant(tree, [_unescape(token) for token in name[1:].split("/")], text)
    document = tree.grown()
    return document if isinstance(document, dict) else {}


class _Group(dict[str, Any]):
    """Part of a document while its fields arrive: a list or an object, which its marker decides."""

    is_list = False

    def inner(self, token: str) -> "_Group":
        found = self.setdefault(token, _Group())
        if not isinstance(found, _Group):
            raise FormUnreadable(f"{token!r} is both a value and a group")
        return found

    def grown(self) -> Any:
        parts = {
            key: value.grown() if isinstance(value, _Group) else value
            for key, value in self.items()
        }
        if not self.is_list:
            return parts
        if not all(key.isascii() and key.isdigit() and int(key) <= INDEX_MAX for key in parts):
            raise FormUnreadable("a list is numbered 0, 1, 2, …")
        return [parts[key] for key in sorted(parts, key=int)]


def _plant(group: _Group, tokens: list[str], text: str | None) -> None:
    """`text` is None for the marker of a list."""
    if len(tokens) > DEPTH_MAX:
        raise FormUnreadable("deeper than a plan can be")
    for token in tokens[:-1]:
        group = group.inner(token)
    name = tokens[-1]
    if text is None:
        group.inner(name).is_list = True
    elif name in CHOICE_LISTS:
        chosen = group.inner(name)
        chosen.is_list = True
        chosen[str(len(chosen))] = text
    elif name in LEFT_OUT_WHEN_EMPTY and not text.strip():
        return
    elif isinstance(group.get(name), _Group):
        raise FormUnreadable(f"{name!r} is both a value and a group")
    else:
        group[name] = _value(name, text.replace("\r\n", "\n"))


def _value(name: str, text: str) -> Any:
    if name in WHOLE_NUMBERS:
        digits = text.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else text
    if name in SWITCHES:
        return text == ON
    if name in WORD_LISTS:
        words = text.replace(";", ",").split(",")
        return [_case(name, word.strip()) for word in words if word.strip()]
    return _case(name, text)


def _case(name: str, text: str) -> str:
    return text.upper() if name in UPPER_CASE else text


def _last(path: str) -> str:
    return _unescape(path.rpartition("/")[2])


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def find(document: Mapping[str, Any], path: str) -> Any:
    """What stands at a pointer; None where nothing does."""
    node: Any = document
    for token in path.split("/")[1:]:
        token = _unescape(token)
        if isinstance(node, list):
            node = node[int(token)] if token.isdigit() and int(token) < len(node) else None
        elif isinstance(node, Mapping):
            node = node.get(token)
        else:
            return None
    return node


def errors_by_field(errors: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Messages by the name of the field they stand at; a list in one box has them all."""
    found: dict[str, list[str]] = {}
    for path, message in errors:
        parent, _, last = path.rpartition("/")
        in_a_box = last.isdigit() and _last(parent) in WORD_LISTS | CHOICE_LISTS
        found.setdefault(parent if in_a_box else path, []).append(message)
    return found
