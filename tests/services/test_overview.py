"""The overview: local days, burn and days left, shares by source and number."""

import datetime as dt

import pytest
from sqlalchemy import update

from gateway.services import ledger, overview
from gateway.services.accounts import Account
from gateway.services.overview import DayUsage, burn_micros, days_left
from gateway.store.numbers import DidRow
from gateway.uow import UnitsOfWork
from tests.services.history import History, Target

NOON = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)


def _fund(units: UnitsOfWork, account: Account, amount_micros: int) -> None:
    with units.begin() as uow:
        ledger.top_up(
            uow,
            account.scope,
            amount_micros=amount_micros,
            method="manual",
            reason="Payment",
            actor="olga@ringledger.test",
            idempotency_key="fund",
        )


def test_the_overview_adds_up_calls_charges_and_shares(
    units: UnitsOfWork, acme: Account, cobalt: Account
) -> None:
    acmes = History(units, acme)
    _fund(units, acme, 50_000_000)
    front = acmes.number("+14155550100", "Front desk")
    back = acmes.number("+14155550109")
    acmes.call(front, Target(talk=60), source="Google", at=NOON - dt.timedelta(hours=1))
    acmes.call(front, Target(), source="Google", at=NOON - dt.timedelta(days=1))
    acmes.call(back, Target(talk=120), source="Radio", at=NOON - dt.timedelta(days=3))
    with units.read() as uow:
        seen = overview.overview(uow, acme.scope)
        strangers = overview.overview(uow, cobalt.scope)
    assert (seen.calls, seen.answered, seen.missed) == (3, 2, 1)
    assert seen.balance_micros == 50_000_000 - seen.charge_micros
    assert seen.today.day == dt.date(2026, 3, 4) and seen.today.calls == 1
    assert len(seen.days) == 30 and seen.days[-1] == seen.today
    assert {share.name: share.calls for share in seen.by_source} == {"Google": 2, "Radio": 1}
    assert [(share.name, share.number, share.missed) for share in seen.by_number] == [
        ("Front desk", "+14155550100", 1),
        ("+14155550109", "+14155550109", 0),
    ]
    for shares in (seen.by_source, seen.by_number):
        assert sum(share.charge_micros for share in shares) == seen.charge_micros
    assert strangers.calls == 0 and strangers.by_number == ()


def test_a_call_belongs_to_the_local_day_on_which_it_started(
    units: UnitsOfWork, acme: Account
) -> None:
    acmes = History(units, acme)
    late = dt.datetime(2026, 3, 4, 4, 30, tzinfo=dt.UTC)  # half past eleven at night in New York
    acmes.call(acmes.number("+14155550100"), Target(talk=60), at=late)
    with units.read() as uow:
        days = {day.day: day.calls for day in overview.overview(uow, acme.scope).days}
    assert (days[dt.date(2026, 3, 3)], days[dt.date(2026, 3, 4)]) == (1, 0), "S2-06"


def test_rent_shortens_the_days_that_are_left(units: UnitsOfWork, acme: Account) -> None:
    _fund(units, acme, 31_000_000)
    number = History(units, acme).number("+14155550100")
    with units.begin() as uow:
        uow.connection.execute(
            update(DidRow)
            .where(DidRow.tenant_id == acme.tenant_id, DidRow.id == number)
            .values(rental_micros=31_000_000, rent_due_at=NOON + dt.timedelta(days=9))
        )
    with units.read() as uow:
        seen = overview.overview(uow, acme.scope)
    assert (seen.burn_micros, seen.renewals_micros, seen.days_left) == (0, 1_000_000, 31)


def _days(*charges: int) -> list[DayUsage]:
    first = dt.date(2026, 3, 1)
    return [
        DayUsage(first + dt.timedelta(days=n), calls=1 if charge else 0, charge_micros=charge)
        for n, charge in enumerate(charges)
    ]


@pytest.mark.parametrize(
    "charges, burn",
    [
        pytest.param((0, 0, 0, 0, 0, 0, 0), 0, id="no calls burn nothing"),
        pytest.param((7, 7, 7, 7, 7, 7, 7), 7, id="a steady week"),
        pytest.param((0, 0, 0, 0, 0, 6, 2), 4, id="a new account counts from its first call"),
        pytest.param((7, 0, 0, 0, 0, 0, 0), 1, id="quiet days count after the first call"),
        pytest.param((0, 0, 0, 0, 0, 1, 0), 0, id="rounded down"),
    ],
)
def test_burn_is_the_average_day(charges: tuple[int, ...], burn: int) -> None:
    assert burn_micros(_days(*charges)) == burn


@pytest.mark.parametrize(
    "balance, burn, days",
    [
        pytest.param(50_000_000, 5_000_000, 10, id="S2-08 ten days at 5.00 a day"),
        pytest.param(9_999_999, 5_000_000, 1, id="S2-08 whole days only"),
        pytest.param(50_000_000, 0, None, id="S2-08 nothing spent, no forecast"),
        pytest.param(0, 5_000_000, 0, id="S2-08 nothing left"),
        pytest.param(-1, 0, 0, id="S2-08 below zero"),
    ],
)
def test_days_left_at_the_current_burn(balance: int, burn: int, days: int | None) -> None:
    assert days_left(balance, burn) == days
