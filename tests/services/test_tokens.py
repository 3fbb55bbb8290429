"""API tokens: shown once, kept as a hash, revoked for good."""

import datetime as dt

import pytest
from sqlalchemy import text

from gateway.services import audit, tokens
from gateway.services.accounts import Account
from gateway.services.errors import Invalid, NotFound
from gateway.uow import UnitOfWork, UnitsOfWork


def test_a_token_stands_for_its_account(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow:
        secret, token = tokens.issue_token(uow, acme.scope, "Zapier", "account", "ann@acme.test")
        principal = tokens.authenticate_token(uow, secret)
    assert principal is not None
    assert (principal.role, principal.scope) == ("account", acme.scope)
    assert secret.startswith(token.prefix) and principal.name == f"token {token.prefix}"


def test_the_database_never_sees_the_text(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow:
        secret, _ = tokens.issue_token(uow, acme.scope, "Zapier", "account", "ann")
        everything = uow.connection.execute(
            text(
                "select (select string_agg(t::text, '') from api_token t)"
                " || (select string_agg(a::text, '') from audit a)"
            )
        ).scalar_one()
    assert secret not in everything and secret[9:] not in everything


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("", id="nothing"),
        pytest.param("rl_unknown", id="one that was never issued"),
        pytest.param("x" * 10_000, id="ten thousand characters"),
        pytest.param("rl_\ud800\x00", id="a lone surrogate and a NUL"),
    ],
)
def test_anything_else_is_nobody(units: UnitsOfWork, wrong: str) -> None:
    with units.begin() as uow:
        assert tokens.authenticate_token(uow, wrong, bootstrap="") is None


def test_the_bootstrap_token_is_staff_from_the_first_start(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        principal = tokens.authenticate_token(uow, "first", bootstrap="first")
        assert tokens.authenticate_token(uow, "second", bootstrap="first") is None
    assert principal is not None and principal.is_ops and principal.scope is None


def test_a_revoked_token_is_nobody_and_revoking_twice_changes_nothing(
    units: UnitsOfWork, acme: Account
) -> None:
    with units.begin() as uow:
        secret, token = tokens.issue_token(uow, acme.scope, "Zapier", "account", "ann")
        first = tokens.revoke_token(uow, acme.scope, token.id, "ann")
        later = UnitOfWork(uow.connection, uow.now + dt.timedelta(hours=1))
        again = tokens.revoke_token(later, acme.scope, token.id, "ann")
        assert tokens.authenticate_token(uow, secret) is None
        actions = [line.action for line in audit.trail(uow, acme.scope)]
    assert first.revoked_at == again.revoked_at
    assert actions.count("token.revoked") == 1


def test_the_last_use_is_noted_once_a_minute(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow:
        secret, _ = tokens.issue_token(uow, acme.scope, "Zapier", "account", "ann")
        seen = []
        for seconds in (0, 30, 60):
            later = UnitOfWork(uow.connection, uow.now + dt.timedelta(seconds=seconds))
            tokens.authenticate_token(later, secret)
            seen.append(tokens.list_tokens(uow, acme.scope)[0].last_used_at)
    start = units.clock()
    assert seen == [start, start, start + dt.timedelta(seconds=60)]


def test_cobalt_neither_sees_nor_revokes_acmes_tokens(
    units: UnitsOfWork, acme: Account, cobalt: Account
) -> None:
    with units.begin() as uow:
        _, token = tokens.issue_token(uow, acme.scope, "Zapier", "account", "ann")
        assert tokens.list_tokens(uow, cobalt.scope) == ()
        assert tokens.list_tokens(uow, None) == ()
        for scope in (cobalt.scope, None):
            with pytest.raises(NotFound):
                tokens.revoke_token(uow, scope, token.id, "cobalt")


def test_a_token_needs_a_name(units: UnitsOfWork, acme: Account) -> None:
    with units.begin() as uow, pytest.raises(Invalid):
        tokens.issue_token(uow, acme.scope, "  ", "account", "ann")
