"""Statements as e-invoices (EN 16931): the data alone, or inside the paper (Factur-X).

Made from the document that was frozen when the statement was issued, and kept as first made, like
the paper. Needs the extra `einvoice`; where that is absent, or a setting is, words say so.
"""

from __future__ import annotations

import uuid
from functools import partial
from importlib.util import find_spec

from gateway.config import Settings
from gateway.services import statement_files
from gateway.services.errors import Conflict, SellerIncomplete, ServiceError
from gateway.services.statements import StatementView
from gateway.store.base import Scope
from gateway.store.statements import StoredStatement
from gateway.uow import UnitsOfWork

XML = "application/xml"
FACTUR_X = "application/pdf; profile=factur-x"
LIBRARIES = ("pycheval", "facturx")


class NotInstalled(ServiceError):
    code = "einvoice_not_installed"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "E-invoices are not installed here: the operator adds them with"
            " pip install -c constraints.txt -e '.[einvoice]'."
        )


def are_installed() -> bool:
    """Asks without importing: a process that makes none does not pay for their libraries."""
    return all(find_spec(name) is not None for name in LIBRARIES)


def are_offered(view: StatementView) -> bool:
    return view.document["invoice"] is not None and are_installed()


def xml(units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID, settings: Settings) -> bytes:
    return statement_files.kept(units, scope, statement_id, XML, partial(_write, settings))


def factur_x(
    units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID, settings: Settings
) -> bytes:
    def make(stored: StoredStatement) -> bytes:
        data = xml(units, scope, stored.id, settings)
        # Not at the top: see `are_installed`.
        from gateway.papers.einvoice import embed
        from gateway.papers.words import title

        paper = statement_files.draw(settings, stored)
        words = f"{title(stored.document)} {stored.label}"
        return embed(paper, data, words, statement_files.seller_of(settings))

    return statement_files.kept(units, scope, statement_id, FACTUR_X, make)


def best_pdf(
    units: UnitsOfWork, scope: Scope, statement_id: uuid.UUID, settings: Settings
) -> bytes:
    """With the e-invoice inside where one can be made, else the paper alone."""
    try:
        return factur_x(units, scope, statement_id, settings)
    except (Conflict, NotInstalled, SellerIncomplete):
        return statement_files.pdf(units, scope, statement_id, settings)


def _write(settings: Settings, stored: StoredStatement) -> bytes:
    if stored.document["invoice"] is None:
        raise Conflict("Nothing was charged in this period: its statement is no invoice.")
    if not are_installed():
        raise NotInstalled
    # Not at the top: see `are_installed`.
    from gateway.papers.einvoice import settings_missing, xml_of

    seller = statement_files.seller_of(settings)
    missing = settings_missing(stored.document, seller)
    if missing:
        raise SellerIncomplete("E-invoices", missing)
    return xml_of(stored.document, seller)
