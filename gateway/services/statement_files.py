"""A statement's files: its paper and its legs, the same whenever they are asked for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial

from billing.statements import LEG_COLUMNS, leg_cells
from gateway.config import Settings
from gateway.papers.seller import Seller, lines
from gateway.services.errors import NotFound
from gateway.store import clients, looks, statement_lines
from gateway.store import statements as store
from gateway.store.base import Scope
from gateway.store.statement_lines import LegPosition, Stretch
from gateway.store.statements import StoredStatement
from gateway.uow import UnitsOfWork

PDF = "application/pdf"
LEGS_PER_PAGE = 2_000

Make = Callable[[StoredStatement], bytes]


def pdf(units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID, settings: Settings) -> bytes:
    return kept(units, scope, statement_id, PDF, partial(draw, settings))


def draw(settings: Settings, stored: StoredStatement) -> bytes:
    # Not at the top: fonts and images cost every process 25 MB and a third of a second.
    from gateway.papers.statement import render

    return render(stored.document, seller_of(settings), stored.issued_at)


def seller_of(settings: Settings) -> Seller:
    return Seller(
        name=settings.seller_name,
        address=lines(settings.seller_address),
        country=settings.seller_country,
        vat_id=settings.seller_vat_id,
        tax_number=settings.seller_tax_number,
        bank=lines(settings.seller_bank),
        iban=settings.seller_iban,
        bic=settings.seller_bic,
        creditor_id=settings.seller_creditor_id,
    )


def kept(units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID, kind: str, make: Make) -> bytes:
    """The same file for ever: made when first asked for, then kept. `kind` is its media type."""
    with units.read() as uow:
        stored = store.find(uow.connection, scope, statement_id)
        if stored is None:
            raise NotFound("statement", statement_id)
        found = store.find_file(uow.connection, scope.tenant_id, statement_id, kind)
    if found is not None:
        return found
    made = make(stored)
    with units.begin() as uow:
        store.keep_file(uow.connection, scope.tenant_id, statement_id, kind, made, uow.now)
    with units.read() as uow:
        return store.find_file(uow.connection, scope.tenant_id, statement_id, kind) or made


def leg_rows(
    units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID
) -> Iterator[tuple[str, ...]]:
    """Header, then every leg of the statement; a short unit of work per page, because a slow
    download must not hold a connection. `gateway.services.spreadsheet` makes the cells safe."""
    with units.read() as uow:
        stored = store.find(uow.connection, scope, statement_id)
        account = looks.find(uow.connection, scope)
        if stored is None or account is None:
            raise NotFound("statement", statement_id)
        members = [
            client.account_id
            for client in clients.shares(
                uow.connection,
                scope,
                after_seq=stored.first_seq - 1,
                last_seq=stored.last_seq,
            )
        ]
    stretch = Stretch(
        stored.starts_at,
        stored.ends_at,
        stored.first_seq,
        stored.last_seq,
        account.draws_minutes or len(members) > 1,
        account.parent_id,
    )
    return _leg_rows(units, scope, stretch, members, stored.currency)


def _leg_rows(
    units: UnitsOfWork, scope: Scope, stretch: Stretch, members: list[uuid.UUID], currency: str
) -> Iterator[tuple[str, ...]]:
    yield tuple(LEG_COLUMNS)
    for member in members:
        after: LegPosition | None = None
        while True:
            with units.read() as uow:
                page = statement_lines.legs(
                    uow.connection,
                    scope,
                    stretch,
                    of_account=member,
                    after=after,
                    limit=LEGS_PER_PAGE,
                )
            for leg in page:
                yield leg_cells(leg, currency)
            if len(page) < LEGS_PER_PAGE:
                break
            after = LegPosition(page[-1].started_at, page[-1].call_sid, page[-1].leg_sid)
