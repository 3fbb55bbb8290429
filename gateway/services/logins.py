"""Log-ins of people: made by an owner or by staff, checked slowly, ended by a new password."""

import uuid
from functools import cache
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.services import audit, plans
from gateway.services.accounts import get_account, is_email
from gateway.services.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from gateway.services.principals import Principal
from gateway.store import logins
from gateway.store.base import Scope, new_id
from gateway.store.logins import Login
from gateway.uow import UnitOfWork

__all__ = [
    "Login",
    "authenticate_login",
    "change_password",
    "create_login",
    "find_login",
    "list_logins",
    "login_by_id",
    "principal_of",
    "reset_password",
]

PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 128
NAME_LENGTH_MAX = 80
# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane; about 25 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def create_login(
    uow: UnitOfWork,
    scope: Scope | None,
    *,
    email: str,
    name: str,
    password: str,
    role: Literal["owner", "member", "ops"],
    actor: str,
) -> Login:
    """A person of an account, or with no scope and the role `ops` one of the staff."""
    assert (scope is None) == (role == "ops"), "staff belong to no account"
    email = email.strip().lower()
    errors = [] if is_email(email) else [FieldError("/email", "write an e-mail address")]
    if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX:
        errors.append(FieldError("/name", f"write a name of 1 to {NAME_LENGTH_MAX} characters"))
    errors += _password_complaints("/password", password, email)
    if errors:
        raise Invalid(errors)
    if scope is not None:
        _check_seats(uow, scope)
    login = Login(
        id=new_id(),
        email=email,
        name=name.strip(),
        role=role,
        tenant_id=scope.tenant_id if scope else None,
        account_id=scope.account_id if scope else None,
        session_epoch=1,
        created_at=uow.now,
        disabled_at=None,
    )
    if not logins.add(uow.connection, login, HASHER.hash(password)):
        raise Conflict(f"{email} already has a log-in: use another address.")
    audit.note(uow, scope, actor, "login.created", login.id, email=email, role=role)
    return login


def _check_seats(uow: UnitOfWork, scope: Scope) -> None:
    """The people that the plan entitles to (S4-12); a disabled log-in takes no seat."""
    account = get_account(uow, scope)
    seats = plans.plan_version(
        uow.connection, account.plan_version_id
    ).plan.terms.entitlements.seats
    taken = sum(login.disabled_at is None for login in list_logins(uow, scope))
    if seats is not None and taken >= seats:
        raise Forbidden(f"Your plan has {seats} seats: upgrade it to let more people in.")


def authenticate_login(uow: UnitOfWork, email: str, password: str) -> Principal | None:
    """None for a wrong password, an unknown address and a disabled log-in alike, after the same
    work, so that neither the answer nor its time tells which addresses exist."""
    found = logins.find_by_email(uow.connection, email.strip().lower())
    login, password_hash = found or (None, _nobodys_hash())
    if not _matches(password_hash, password) or login is None or login.disabled_at is not None:
        return None
    if HASHER.check_needs_rehash(password_hash):
        logins.set_password(uow.connection, login.id, HASHER.hash(password), end_sessions=False)
    return principal_of(login)


def change_password(uow: UnitOfWork, login_id: uuid.UUID, *, current: str, new: str) -> Login:
    """Ends every other session: the epoch rises, and the caller must store the new one."""
    login = login_by_id(uow, login_id)
    known = logins.hash_of(uow.connection, login_id)
    if login is None or known is None:
        raise NotFound("log-in", login_id)
    errors = _password_complaints("/new", new, login.email)
    if not _matches(known, current):
        errors.append(FieldError("/current", "that is not your password: try again"))
    if errors:
        raise Invalid(errors)
    logins.set_password(uow.connection, login_id, HASHER.hash(new), end_sessions=True)
    audit.note(uow, login.scope, login.email, "login.password_changed", login.id)
    changed = login_by_id(uow, login_id)
    assert changed is not None
    return changed


def reset_password(uow: UnitOfWork, email: str, new: str, actor: str) -> Login:
    """By staff, for somebody who forgot theirs; ends that person's sessions."""
    found = logins.find_by_email(uow.connection, email.strip().lower())
    if found is None:
        raise NotFound("log-in", email)
    login = found[0]
    errors = _password_complaints("/password", new, login.email)
    if errors:
        raise Invalid(errors)
    logins.set_password(uow.connection, login.id, HASHER.hash(new), end_sessions=True)
    audit.note(uow, login.scope, actor, "login.password_reset", login.id, email=login.email)
    return login


def find_login(uow: UnitOfWork, email: str) -> Login | None:
    found = logins.find_by_email(uow.connection, email.strip().lower())
    return None if found is None else found[0]


def login_by_id(uow: UnitOfWork, login_id: uuid.UUID) -> Login | None:
    """For the session check on each request; None once it is disabled."""
    login = logins.find(uow.connection, login_id)
    return None if login is None or login.disabled_at is not None else login


def list_logins(uow: UnitOfWork, scope: Scope | None) -> tuple[Login, ...]:
    return logins.of_account(uow.connection, scope.account_id if scope else None)


def principal_of(login: Login) -> Principal:
    roles: dict[str, Literal["owner", "member", "ops"]] = {
        "owner": "owner",
        "member": "member",
        "ops": "ops",
    }
    return Principal(
        kind="login",
        id=login.id,
        name=login.email,
        role=roles[login.role],
        scope=login.scope,
        person=login.name,
        session_epoch=login.session_epoch,
    )


def _password_complaints(path: str, password: str, email: str) -> list[FieldError]:
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        words = f"use {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters"
    elif len(set(password)) < 5 or password.lower() in (email, email.partition("@")[0]):
        words = "is too easy to guess: use a few words that belong to nobody"
    else:
        return []
    return [FieldError(path, words)]


def _matches(password_hash: str, password: str) -> bool:
    if len(password) > PASSWORD_LENGTH_MAX:
        password = ""  # still hashed below, so that length does not answer faster
    try:
        return HASHER.verify(password_hash, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return HASHER.hash("nobody has this password")
