"""M14: a wrong line is undone in one deed, with a reason, and found again with its like."""

import datetime as dt

import pytest

from gateway.services import accounts, audit, ledger, reversals, statement
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.statement import StatementLine
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.history import DESK, MOBILE, START, History, Target

WHY = "The call was a test of ours"


@pytest.fixture
def acmes(units: UnitsOfWork, acme: Account) -> History:
    with units.begin() as uow:
        ledger.top_up(
            uow,
            acme.scope,
            amount_micros=50_000_000,
            method="manual",
            reason="First payment",
            actor=OLGA,
            idempotency_key="first",
        )
    return History(units, acme)


def lines(units: UnitsOfWork, account: Account, *kinds: str) -> list[StatementLine]:
    with units.read() as uow:
        return list(statement.list_postings(uow, account.scope, None, 200, kinds).items)


def balance(units: UnitsOfWork, account: Account) -> int:
    with units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def prove(units: UnitsOfWork) -> None:
    with units.read() as uow:
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok, proof.report.fault


def test_c10_a_charge_is_given_back_by_a_line_that_points_at_it(
    units: UnitsOfWork, acme: Account, acmes: History
) -> None:
    acmes.call(acmes.number("+14155550100"), talk=83)
    (charge,) = lines(units, acme, "usage")
    with units.begin() as uow:
        undone = reversals.reverse_posting(uow, acme.scope, charge.id, reason=WHY, actor=OLGA)
    assert (undone.kind, undone.amount_micros, undone.reverses_key) == (
        "reversal",
        69_166,
        charge.key,
    )
    assert (undone.actor, undone.reason) == (OLGA, WHY)
    assert balance(units, acme) == 50_000_000
    assert charge in lines(units, acme, "usage"), "the original stays as it is"
    with units.read() as uow:
        noted = audit.trail(uow, acme.scope)[0]
        assert statement.explain(uow, acme.scope, undone.id).recompute() == 69_166
        assert reversals.reversal_of(uow, acme.scope, charge) == undone
    assert (noted.action, noted.actor, noted.detail["reason"]) == (
        "posting.reversed",
        OLGA,
        WHY,
    )
    prove(units)


def test_a_line_is_undone_once_however_often_it_is_asked_for(
    units: UnitsOfWork, acme: Account, acmes: History
) -> None:
    acmes.call(acmes.number("+14155550100"), talk=83)
    (charge,) = lines(units, acme, "usage")
    found = []
    for _ in range(2):
        with units.begin() as uow:
            found.append(
                reversals.reverse_posting(uow, acme.scope, charge.id, reason=WHY, actor=OLGA)
            )
    assert found[0] == found[1]
    assert balance(units, acme) == 50_000_000
    assert len(lines(units, acme, "reversal")) == 1


def test_a_payment_that_bounced_is_taken_back_and_may_suspend(
    units: UnitsOfWork, acme: Account, acmes: History
) -> None:
    acmes.call(acmes.number("+14155550100"), talk=83)
    (paid,) = lines(units, acme, "topup")
    with units.begin() as uow:
        undone = reversals.reverse_posting(
            uow, acme.scope, paid.id, reason="Charged back", actor=OLGA
        )
    assert undone.amount_micros == -50_000_000
    assert undone.balance_after_micros == balance(units, acme) == -69_166
    with units.read() as uow:
        assert accounts.get_account(uow, acme.scope).status == "suspended"
    prove(units)


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("", id="none"),
        pytest.param("  ", id="blanks"),
        pytest.param("x" * 201, id="a novel"),
    ],
)
def test_a_reversal_without_a_reason_is_refused(
    units: UnitsOfWork, acme: Account, acmes: History, reason: str
) -> None:
    (paid,) = lines(units, acme, "topup")
    with units.begin() as uow, pytest.raises(Invalid, match="say why"):
        reversals.reverse_posting(uow, acme.scope, paid.id, reason=reason, actor=OLGA)


def test_a_reversal_is_not_reversed(units: UnitsOfWork, acme: Account, acmes: History) -> None:
    (paid,) = lines(units, acme, "topup")
    with units.begin() as uow:
        undone = reversals.reverse_posting(uow, acme.scope, paid.id, reason=WHY, actor=OLGA)
    with units.begin() as uow, pytest.raises(Conflict, match="adjustment"):
        reversals.reverse_posting(uow, acme.scope, undone.id, reason=WHY, actor=OLGA)


def test_another_accounts_line_is_not_there(
    units: UnitsOfWork, acme: Account, bolt: Account, acmes: History
) -> None:
    (paid,) = lines(units, acme, "topup")
    with units.begin() as uow, pytest.raises(NotFound):
        reversals.reverse_posting(uow, bolt.scope, paid.id, reason=WHY, actor=OLGA)


def test_m14_thirty_seven_calls_of_one_robot_are_found_and_undone_together(
    units: UnitsOfWork, acme: Account, acmes: History
) -> None:
    did, other = acmes.number("+14155550100"), acmes.number("+14155550199")
    robot, customer = "+19005550666", "+12125550199"
    for minute in range(37):
        at = START + dt.timedelta(minutes=minute)
        acmes.call(did, talk=6, at=at, caller=robot, settle=False)
        acmes.call(did, Target(DESK, talk=60), at=at, caller=customer, settle=minute % 10 == 0)
    acmes.call(other, talk=6, caller=robot)
    acmes.call(other, Target(MOBILE, talk=6), caller=customer)
    with units.read() as uow:
        legs = statement.list_postings(uow, acme.scope, None, 200, ("usage",)).items
        (wrong, *_) = [
            line for line in legs if line.billed_seconds == 6 and line.call_sid == line.leg_sid
        ][-1:]
        alike = reversals.look_alikes(uow, acme.scope, wrong.id)
    assert len({wrong.id, *(line.id for line in alike)}) == 37
    assert {line.billed_seconds for line in alike} == {6}
    before = balance(units, acme)
    with units.begin() as uow:
        ids = [wrong.id, *(line.id for line in alike)]
        reversals.reverse_postings(uow, acme.scope, ids, reason="A robot", actor=OLGA)
    assert balance(units, acme) == before + 37 * 5_000
    with units.read() as uow:
        assert reversals.look_alikes(uow, acme.scope, wrong.id) == ()
        assert {line.actor for line in audit.trail(uow, acme.scope, limit=37)} == {OLGA}
    prove(units)
