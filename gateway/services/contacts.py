"""The billing address: confirmed by a link that is mailed there, good once and for three days.

The link holds a signature and no secret of ours: nonce and expiry are the account's, so a newer
link, a new address or its use ends it. Warnings go to an unconfirmed address all the same (S2-14).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import uuid

from gateway.services import audit
from gateway.services.errors import Conflict, NotFound, ServiceError
from gateway.store import accounts, outbox
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

MAIL = "confirm_email"
LINK_SENT = "email.link_sent"
GOOD_FOR = dt.timedelta(days=3)
PAUSE = dt.timedelta(minutes=2)
DAY = dt.timedelta(days=1)
LINKS_PER_DAY = 5  # so that nobody is mailed without end by typing their address here


class LinkUseless(ServiceError):
    """Also for one that was never given: what was wrong with it is not told."""

    code = "link_useless"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "This link was used, replaced by a newer one, or is too old. Log in and have another"
            " one sent."
        )


def address_set(uow: UnitOfWork, scope: Scope) -> None:
    """In the transaction that opened the account or changed its address: unconfirmed, and a link is
    on its way; none beyond the day's, then the pages offer one later."""
    _forget(uow, scope)
    if _sent_today(uow, scope) < LINKS_PER_DAY:
        _send(uow, scope, "system")


def send_again(uow: UnitOfWork, scope: Scope, actor: str) -> str:
    """To which address; an older link ends with this. One that was confirmed and whose mail comes
    back may be confirmed anew."""
    now = accounts.lock_email_link(uow.connection, scope)
    if now is None:
        raise NotFound("account", scope.account_id)
    if now.confirmed_at is not None and now.bounced_at is None:
        raise Conflict(f"{now.email} is confirmed already.")
    if now.made_at is not None and uow.now - now.made_at < PAUSE:
        raise Conflict("A link was sent a moment ago: look there first, and wait two minutes.")
    if _sent_today(uow, scope) >= LINKS_PER_DAY:
        raise Conflict("Enough links were sent for today: try again tomorrow.")
    _send(uow, scope, actor)
    return now.email


def confirm(uow: UnitOfWork, key: str, token: str) -> str:
    """Which address is confirmed now. Raises `LinkUseless`."""
    scope, link = _open_link(uow, key, token)
    values = {
        "billing_email_confirmed_at": uow.now,
        "billing_email_bounced_at": None,  # it was read there
        "billing_email_nonce": None,
    }
    accounts.change(uow.connection, scope, values)
    audit.note(uow, scope, link.email, "email.confirmed", link.email)
    return link.email


def check(uow: UnitOfWork, key: str, token: str) -> str:
    """Which address the link would confirm; changes nothing. Raises `LinkUseless`."""
    return _open_link(uow, key, token)[1].email


def token_of(key: str, account_id: uuid.UUID, email: str, nonce: str) -> str:
    """What stands in the link; `key` is the operator's own."""
    signed = f"{MAIL}\n{account_id.hex}\n{email}\n{nonce}".encode()
    return f"{account_id.hex}.{hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}"


def _open_link(uow: UnitOfWork, key: str, token: str) -> tuple[Scope, accounts.EmailLink]:
    try:
        account_id = uuid.UUID(hex=token.partition(".")[0])
    except ValueError:
        raise LinkUseless from None
    tenant_id = accounts.find_tenant(uow.connection, account_id)
    if tenant_id is None:
        raise LinkUseless
    scope = Scope(tenant_id, account_id)
    link = accounts.lock_email_link(uow.connection, scope)
    if link is None or link.nonce is None or link.made_at is None:
        raise LinkUseless
    right = token_of(key, account_id, link.email, link.nonce)
    if not hmac.compare_digest(token.encode(), right.encode()):
        raise LinkUseless
    if uow.now - link.made_at >= GOOD_FOR:
        raise LinkUseless
    return scope, link


def _forget(uow: UnitOfWork, scope: Scope) -> None:
    values = {"billing_email_confirmed_at": None, "billing_email_nonce": None}
    accounts.change(uow.connection, scope, values)


def _sent_today(uow: UnitOfWork, scope: Scope) -> int:
    lines = audit.of_action(uow, scope, LINK_SENT)
    return sum(1 for line in lines if uow.now - line.at < DAY)


def _send(uow: UnitOfWork, scope: Scope, actor: str) -> None:
    link = accounts.lock_email_link(uow.connection, scope)
    assert link is not None, "an account stays"
    nonce = secrets.token_urlsafe(12)
    values = {"billing_email_nonce": nonce, "billing_email_link_at": uow.now}
    accounts.change(uow.connection, scope, values)
    audit.note(uow, scope, actor, LINK_SENT, link.email)
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=MAIL,
        key=f"{MAIL}:{scope.account_id}:{nonce}",
        payload={"nonce": nonce, "to": link.email},
        now=uow.now,
    )
