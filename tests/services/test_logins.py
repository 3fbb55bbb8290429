"""People log in, and a new password ends their other sessions."""

import time

import pytest
from sqlalchemy import text

from gateway.services import logins
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid
from gateway.services.logins import Login
from gateway.uow import UnitsOfWork

PASSWORD = "correct horse battery"


def ann(units: UnitsOfWork, acme: Account, email: str = "Ann@Acme.test ") -> Login:
    with units.begin() as uow:
        return logins.create_login(
            uow, acme.scope, email=email, name="Ann", password=PASSWORD, role="owner", actor="olga"
        )


def test_ann_logs_in_whatever_the_case_of_her_address(units: UnitsOfWork, acme: Account) -> None:
    ann(units, acme)
    with units.begin() as uow:
        principal = logins.authenticate_login(uow, " ANN@acme.test", PASSWORD)
    assert principal is not None
    assert (principal.name, principal.role, principal.scope) == (
        "ann@acme.test",
        "owner",
        acme.scope,
    )


@pytest.mark.parametrize(
    ("email", "password"),
    [
        pytest.param("ann@acme.test", "wrong", id="a wrong password"),
        pytest.param("eve@acme.test", PASSWORD, id="an unknown address"),
        pytest.param("ann@acme.test", "", id="no password"),
        pytest.param("ann@acme.test", "x" * 100_000, id="a password that never ends"),
        pytest.param("ann@acme.test", "\ud800", id="a lone surrogate"),
    ],
)
def test_nobody_else_does(units: UnitsOfWork, acme: Account, email: str, password: str) -> None:
    ann(units, acme)
    with units.begin() as uow:
        assert logins.authenticate_login(uow, email, password) is None


@pytest.mark.usefixtures("products_hasher")
def test_a_password_is_hashed_as_slowly_as_owasp_asks_for(
    units: UnitsOfWork, acme: Account
) -> None:
    kept = ann(units, acme).id
    with units.read() as uow:
        found = uow.connection.scalar(
            text("select password_hash from login where id = :id"), {"id": kept}
        )
    assert found.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.usefixtures("products_hasher")
def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    units: UnitsOfWork, acme: Account
) -> None:
    ann(units, acme)

    def fastest(email: str) -> float:
        times = []
        with units.begin() as uow:
            for _ in range(5):
                start = time.perf_counter()
                logins.authenticate_login(uow, email, "wrong password")
                times.append(time.perf_counter() - start)
        return min(times)

    fastest("warm@up.test")
    known, unknown = fastest("ann@acme.test"), fastest("eve@acme.test")
    assert unknown > known / 2


def test_a_new_password_ends_every_older_session(units: UnitsOfWork, acme: Account) -> None:
    login = ann(units, acme)
    with units.begin() as uow:
        changed = logins.change_password(uow, login.id, current=PASSWORD, new="new words for ann")
        assert logins.authenticate_login(uow, login.email, PASSWORD) is None
        again = logins.authenticate_login(uow, login.email, "new words for ann")
    assert changed.session_epoch == login.session_epoch + 1
    assert again is not None and again.session_epoch == changed.session_epoch


@pytest.mark.parametrize(
    ("current", "new", "path"),
    [
        pytest.param("wrong", "new words for ann", "/current", id="without knowing the old one"),
        pytest.param(PASSWORD, "short", "/new", id="too short"),
        pytest.param(PASSWORD, "aaaaaaaaaaaa", "/new", id="one letter again and again"),
        pytest.param(PASSWORD, "ann@acme.test", "/new", id="the address itself"),
    ],
)
def test_a_password_is_not_changed(
    units: UnitsOfWork, acme: Account, current: str, new: str, path: str
) -> None:
    login = ann(units, acme)
    with units.begin() as uow, pytest.raises(Invalid) as refusal:
        logins.change_password(uow, login.id, current=current, new=new)
    assert [error.path for error in refusal.value.errors] == [path]


def test_an_address_has_one_log_in(units: UnitsOfWork, acme: Account) -> None:
    ann(units, acme)
    with pytest.raises(Conflict):
        ann(units, acme, "ann@acme.test")


def test_staff_belong_to_no_account(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        logins.create_login(
            uow,
            None,
            email="olga@ringledger.test",
            name="Olga",
            password=PASSWORD,
            role="ops",
            actor="cli",
        )
        principal = logins.authenticate_login(uow, "olga@ringledger.test", PASSWORD)
    assert principal is not None and principal.is_ops and principal.scope is None


def test_cobalt_does_not_see_who_works_at_acme(
    units: UnitsOfWork, acme: Account, cobalt: Account
) -> None:
    ann(units, acme)
    with units.read() as uow:
        assert logins.list_logins(uow, cobalt.scope) == ()
        assert [login.name for login in logins.list_logins(uow, acme.scope)] == ["Ann"]
