"""The demo is complete after any start, and a second start adds nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway import db, demo
from gateway.bootstrap import build_runtime
from gateway.config import Settings, load_settings
from gateway.demo_cast import CAST
from gateway.runtime import Runtime
from gateway.services import (
    accounts,
    forwarding,
    logins,
    numbers,
)
from gateway.services.accounts import Account
from gateway.uow import UnitOfWork


@pytest.fixture
def here(environ: dict[str, str]) -> Settings:
    return load_settings(environ)


seed = partial(demo.seed, with_past=False)
"""As on a machine that had customers before they were given a past: quick."""


def state(here: Settings) -> dict[str, Any]:
    runtime = build_runtime(here)
    with runtime.units.read() as uow:
        return {
            account.name: (
                account.status,
                account.balance_micros,
                sorted(
                    (number.e164, number.label, words(uow, account, number))
                    for number in numbers.every_number(uow, account.scope)
                ),
            )
            for account in accounts.list_accounts(uow)
        }


def words(uow: UnitOfWork, account: Account, number: Any) -> int:
    version = forwarding.current(uow, account.scope, number.id)
    return version.version if version else 0


def test_acme_has_four_numbers_and_money_and_bolt_almost_none(here: Settings) -> None:
    lines = seed(here)
    found = state(here)
    status, balance, owned = found["Acme"]
    assert (status, len(owned)) == ("active", 4) and balance > 200_000_000
    assert {version for _, _, version in owned} == {1}, "every plan of the demo is valid"
    status, balance, owned = found["Bolt"]
    assert (status, len(owned)) == ("active", 1) and 0 < balance < 4_000_000
    password = (here.var_dir / "secrets" / "demo_password").read_text().strip()
    assert any(password in line for line in lines)
    runtime = build_runtime(here)
    with runtime.units.begin() as uow:
        for email in ("ann@acme.example", "bob@bolt.example", "olga@ringledger.example"):
            assert any(email in line for line in lines)
            assert logins.authenticate_login(uow, email, password) is not None


def test_a_second_start_adds_nothing_and_shows_the_same(here: Settings) -> None:
    first = seed(here)
    before = state(here)
    assert seed(here) == first
    assert state(here) == before


def test_a_start_that_was_cut_short_is_completed_by_the_next(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = forwarding.publish

    def cut(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(forwarding, "publish", cut)
    with pytest.raises(KeyboardInterrupt):
        seed(here)
    monkeypatch.setattr(forwarding, "publish", real)
    seed(here)
    owned = {name: len(numbers) for name, (_, _, numbers) in state(here).items()}
    assert owned == {one.name: len(one.numbers) for one in CAST}
    assert all(version == 1 for _, _, owned in state(here).values() for _, _, version in owned)


def test_numbers_follow_the_gateway_to_another_address(
    here: Settings, environ: dict[str, str]
) -> None:
    seed(here)
    moved = load_settings({**environ, "PUBLIC_URL": "http://127.0.0.1:7777"})
    seed(moved)
    runtime = build_runtime(moved)
    for number in owned_numbers(runtime):
        at_carrier = runtime.telephony.find_number(e164=number.e164)
        assert at_carrier is not None
        assert at_carrier.urls == runtime.links.number(number.tenant_id)


def test_a_carrier_that_lost_its_memory_gets_the_numbers_again(here: Settings) -> None:
    seed(here)
    runtime = build_runtime(here)
    lost = owned_numbers(runtime)[0]
    runtime.telephony.release_number(lost.carrier_sid)
    seed(here)
    at_carrier = runtime.telephony.find_number(e164=lost.e164)
    assert at_carrier is not None
    known = next(one for one in owned_numbers(runtime) if one.id == lost.id)
    assert known.carrier_sid == at_carrier.sid != lost.carrier_sid


def test_a_lost_password_file_is_replaced_and_works(here: Settings) -> None:
    seed(here)
    file: Path = here.var_dir / "secrets" / "demo_password"
    old = file.read_text()
    file.unlink()
    seed(here)
    new = file.read_text()
    assert new != old and file.stat().st_mode & 0o077 == 0
    with build_runtime(here).units.begin() as uow:
        assert logins.authenticate_login(uow, "ann@acme.example", new.strip()) is not None


def test_with_real_credentials_plans_are_published_and_nothing_is_bought(
    environ: dict[str, str],
) -> None:
    real = load_settings(
        {**environ, "TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "x" * 32}
    )
    assert seed(real) == ()
    assert state(real) == {}


def test_demo_callers_reach_the_gateway(ringledger: Any, here: Settings, gateway_url: str) -> None:
    seed(here)
    placed = ringledger.json("simulate", "call", "--talk", "5")
    assert placed["call_sid"].startswith("CA")
    texted = ringledger.json("simulate", "message", "--body", "Are you open?")
    assert texted["message_sid"].startswith("SM")
    assert ringledger.json("simulate", "day", "--calls", "20", "--seed", "1")["ended"] == 20


def owned_numbers(runtime: Runtime) -> list[Any]:
    found: list[Any] = []
    with runtime.units.read() as uow:
        for account in accounts.list_accounts(uow):
            found.extend(numbers.every_number(uow, account.scope))
    return found


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    db.dispose()
