"""Texts: conversations, a thread with its reply box and price, and why one cost what it did."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.message_postings import message_key, message_sid_of
from gateway import runtime
from gateway.limits import limiter
from gateway.services import message_log, messages, numbers, statement
from gateway.services.errors import Invalid, NotFound, ServiceError
from gateway.services.message_log import Message
from gateway.services.messages import NewText, Quote
from gateway.services.numbers import Number
from gateway.uow import UnitOfWork
from gateway.web.blueprint import blueprint, owners_only, principal, scope
from gateway.web.numbers import field_errors, number_page
from routing.numbering import is_e164

PAGE = 50
SENDS = "60 per minute"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the box, and what is wrong with it."""

    number_id: str = ""
    to: str = ""
    body: str = ""
    key: str = ""
    errors: Mapping[str, list[str]] | None = None
    problem: str = ""


@blueprint.get("/messages", endpoint="messages")
def list_conversations() -> str:
    after = request.args.get("after")
    chosen = _chosen_number()
    with runtime.current().units.read() as uow:
        page = message_log.list_conversations(uow, scope(), after, PAGE, did_id=chosen)
        owned = numbers.every_number(uow, scope())
    kept: dict[str, Any] = {"number": chosen} if chosen else {}
    return render_template(
        "web/messages.html",
        section="messages",
        page=page,
        numbers=owned,
        chosen=chosen,
        first_page=after is None,
        live_url=url_for("web.messages", **kept),
        next_url=url_for("web.messages", after=page.next, **kept) if page.next else None,
        first_url=url_for("web.messages", **kept) if after else None,
    )


@blueprint.get("/messages/new")
def new_message() -> str:
    args = request.args
    return _new_page(Typed(args.get("number", ""), args.get("to", ""), key=_new_key()))


@blueprint.post("/messages/new")
@limiter.limit(SENDS)
def start_conversation() -> Response | tuple[str, int]:
    typed = _typed(request.form)
    try:
        sent = _send(_text(typed), typed.key)
    except ServiceError as refusal:
        return _new_page(_refused(typed, refusal)), refusal.status
    return redirect(_thread_url(sent))


@blueprint.post("/messages/price")
def message_price() -> str:
    """The line under the box, while somebody types."""
    typed = _typed(request.form)
    with runtime.current().units.read() as uow:
        quoted = _quote(uow, typed)
    return render_template("web/_message_price.html", quote=quoted)


@blueprint.get("/messages/<uuid:number_id>/<path:peer>")
def thread(number_id: UUID, peer: str) -> str:
    """Opening a conversation is reading it."""
    with runtime.current().units.begin() as uow:
        message_log.mark_read(uow, scope(), number_id, peer)
    return _thread_page(number_id, peer, Typed(str(number_id), peer, key=_new_key()))


@blueprint.post("/messages/<uuid:number_id>/<path:peer>")
@limiter.limit(SENDS)
def reply(number_id: UUID, peer: str) -> Response | tuple[str, int]:
    """The form carries its key, so that a second press sends nothing more."""
    form = request.form
    typed = Typed(str(number_id), peer, form.get("body", ""), form.get("key", ""))
    try:
        sent = _send(NewText(number_id, peer, _body(typed.body)), typed.key)
    except ServiceError as refusal:
        if isinstance(refusal, NotFound):
            raise
        return _thread_page(number_id, peer, _refused(typed, refusal)), refusal.status
    return redirect(_thread_url(sent))


@blueprint.get("/messages/text/<uuid:message_id>")
def message(message_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        detail = message_log.get_detail(uow, scope(), message_id)
        line = _line(uow, detail.message)
    return render_template(
        "web/message.html",
        section="messages",
        detail=detail,
        message=detail.message,
        line=line,
        thread_url=_thread_url(detail.message),
    )


@blueprint.get("/billing/<posting_id>/text")
def message_by_line(posting_id: str) -> Response:
    """From a line of the statement to its text."""
    with runtime.current().units.read() as uow:
        line = statement.get_posting(uow, scope(), posting_id)
        found = message_log.find_by_sid(uow, scope(), message_sid_of(line.key) or "")
    if found is None:
        raise NotFound("text of", posting_id)
    return redirect(url_for("web.message", message_id=found.id))


@blueprint.post("/numbers/<uuid:number_id>/texts")
@owners_only
def change_texts_to(number_id: UUID) -> Response | tuple[str, int]:
    try:
        with runtime.current().units.begin() as uow:
            typed = request.form.get("texts_to", "")
            numbers.set_texts_to(uow, scope(), number_id, typed, principal().name)
    except Invalid as invalid:
        return number_page(number_id, request.form, invalid), 422
    flash(_("Saved."))
    return redirect(url_for("web.number", number_id=number_id))


def _send(text: NewText, key: str) -> Message:
    with runtime.current().units.begin() as uow:
        return messages.send(
            uow, scope(), text, actor=principal().name, idempotency_key=f"web:{key or _new_key()}"
        )


def _typed(form: Mapping[str, str]) -> Typed:
    return Typed(
        form.get("number_id", ""), form.get("to", ""), form.get("body", ""), form.get("key", "")
    )


def _text(typed: Typed) -> NewText:
    try:
        return NewText(UUID(typed.number_id), typed.to, _body(typed.body))
    except ValueError:
        raise Invalid.at("/number_id", _("choose a number")) from None


def _body(typed: str) -> str:
    """Browsers send line ends as CR LF; a text has LF, and each CR would be counted."""
    return typed.replace("\r\n", "\n").replace("\0", "")


def _refused(typed: Typed, refusal: ServiceError) -> Typed:
    errors = field_errors(refusal) if isinstance(refusal, Invalid) else {}
    problem = "" if isinstance(refusal, Invalid) else refusal.words
    return Typed(typed.number_id, typed.to, typed.body, typed.key or _new_key(), errors, problem)


def _new_key() -> str:
    return secrets.token_urlsafe(18)


def _quote(uow: UnitOfWork, typed: Typed) -> Quote | None:
    """None while there is nothing to say a price of."""
    if not typed.body or not typed.to:
        return None
    return messages.quote(uow, scope(), _text(typed))


def _chosen_number() -> UUID | None:
    try:
        return UUID(request.args.get("number", ""))
    except ValueError:
        return None


def _new_page(typed: Typed) -> str:
    with runtime.current().units.read() as uow:
        owned = [n for n in numbers.every_number(uow, scope()) if n.status == "active"]
        quoted = _quote(uow, typed) if typed.number_id else None
    return render_template(
        "web/message_new.html", section="messages", numbers=owned, typed=typed, quote=quoted
    )


def _thread_page(number_id: UUID, peer: str, typed: Typed) -> str:
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        found = message_log.open_thread(uow, scope(), number_id, peer, after, PAGE)
        quoted = _quote(uow, typed)
    return render_template(
        "web/thread.html",
        section="messages",
        thread=found,
        number=found.number,
        peer=peer,
        can_reply=_can_reply(found.number, peer) and not found.opted_out,
        typed=typed,
        quote=quoted,
        first_page=after is None,
        next_url=url_for("web.thread", number_id=number_id, peer=peer, after=found.page.next)
        if found.page.next
        else None,
        first_url=url_for("web.thread", number_id=number_id, peer=peer) if after else None,
    )


def _can_reply(number: Number, peer: str) -> bool:
    """A short code or a name can be read, and not answered."""
    return is_e164(peer) and number.status == "active"


def _line(uow: UnitOfWork, message: Message) -> statement.StatementLine | None:
    """The text's line on the statement; a free text has none."""
    if not message.charge_micros or message.carrier_sid is None:
        return None
    return statement.get_by_key(uow, scope(), message_key(message.carrier_sid))


def _thread_url(message: Message) -> str:
    """A copy that was handed on belongs to no conversation: it stands beside its original."""
    if message.forward_of is not None:
        return url_for("web.message", message_id=message.forward_of)
    return url_for("web.thread", number_id=message.did_id, peer=message.peer)
