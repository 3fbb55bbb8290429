"""What every table shares: metadata, naming, column types, ids."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, MetaData, SmallInteger, String, Text, bindparam
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, mapped_column
from uuid_utils import compat

from gateway.db import UtcDateTime


class Base(DeclarativeBase):
    """Tables are declared as classes for their types, and used with Core statements only."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dt.datetime: UtcDateTime,
        int: BigInteger,  # never 2^31: RELIABILITY D10
        uuid.UUID: UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        str: Text,
    }


TenantId = Annotated[uuid.UUID, mapped_column(UUID(as_uuid=True), primary_key=True)]
Key = Annotated[uuid.UUID, mapped_column(UUID(as_uuid=True), primary_key=True)]
Micros = Annotated[int, mapped_column(BigInteger)]  # 1_000_000 = one unit of currency
Seconds = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger)]
Currency = Annotated[str, mapped_column(String(3))]
E164 = Annotated[str, mapped_column(String(16))]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows a statement may touch. `tenant_id` is the root account of `account_id`."""

    tenant_id: uuid.UUID
    account_id: uuid.UUID


def of_scope(table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The rows of a scope, for a statement that is built once and given `scope_values` each time:
    what the calendar asks about every account every day costs half of what it does anew."""
    return (
        table.tenant_id == bindparam("tenant_id"),
        table.account_id == bindparam("account_id"),
    )


def scope_values(scope: Scope) -> dict[str, Any]:
    return {"tenant_id": scope.tenant_id, "account_id": scope.account_id}


def new_id() -> uuid.UUID:
    """A UUIDv7: sorts by time of creation, needs no coordination between machines."""
    return compat.uuid7()
