"""What the driver is handed directly fails like everything else: in words that are understood."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.store.direct import execute, statement
from gateway.uow import UnitOfWork, UnitsOfWork

WHO = statement("select pg_backend_pid() where :one = 1")


def test_a_connection_that_died_while_idle_is_replaced_and_the_deed_done_again(
    units: UnitsOfWork,
) -> None:
    tried: list[int] = []

    def deed(uow: UnitOfWork) -> int:
        pid = uow.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        tried.append(pid)
        if len(tried) == 1:
            with units.engine.connect() as other:
                other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        row = execute(uow.connection, WHO, {"one": 1}).fetchone()
        assert row is not None
        found: int = row[0]
        return found

    assert units.retrying(deed, single=True) == tried[-1]
    assert len(tried) == 2 and tried[0] != tried[1]


def test_a_second_row_of_one_key_is_an_integrity_error(units: UnitsOfWork) -> None:
    with units.single() as uow:
        uow.connection.execute(text("create temporary table once (id int primary key)"))
        insert = statement("insert into once values (:id)")
        execute(uow.connection, insert, {"id": 1})
        with pytest.raises(IntegrityError) as refused:
            execute(uow.connection, insert, {"id": 1})
    assert refused.value.orig.sqlstate == "23505"  # type: ignore[union-attr]


def test_the_form_of_a_webhook_is_not_kept_in_the_error(units: UnitsOfWork) -> None:
    with units.single() as uow, pytest.raises(DBAPIError) as failed:
        execute(uow.connection, statement("select :secret::int"), {"secret": "rl_hidden"})
    assert "select" in str(failed.value) and failed.value.params is None


def test_percent_signs_and_casts_survive_the_driver_notation(units: UnitsOfWork) -> None:
    with units.single() as uow:
        row = execute(
            uow.connection, statement("select 'a%' like '%', :n::int + 7 % 4"), {"n": 1}
        ).fetchone()
    assert row == (True, 4)
