"""What the clock does by itself, each on a thread of its own: it may take longer than a ring.

Publishing plans on their date, the nightly comparison with the carrier's records, and asking a
register about VAT ids.
"""

from __future__ import annotations

import datetime as dt

from gateway.services import publications, reconciling, vat_checks
from gateway.store import publications as due_publications
from gateway.uow import UnitOfWork
from workers.context import Work


def publications_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return due_publications.oldest_due_at(uow.connection, now=uow.now)


def publish(tools: Work) -> int:
    return publications.publish_due(tools.runtime.units)


def comparison_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return None if reconciling.due_day(uow) is None else uow.now


def compare(tools: Work) -> int:
    return reconciling.reconcile_due(tools.runtime.units, tools.runtime.telephony)


def vat_ids_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return vat_checks.oldest_due_at(uow)


def look_up_vat_ids(tools: Work) -> int:
    if tools.vat_register is None:
        return 0
    confirms = tools.runtime.settings.vat_check == "confirm"
    return vat_checks.drain(tools.runtime.units, tools.vat_register, confirms=confirms)
