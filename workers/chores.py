"""What the clock does by itself, each on a thread of its own: it may take longer than a ring.

Publishing plans on their date, and the nightly comparison with the carrier's records.
"""

from __future__ import annotations

import datetime as dt

from gateway.services import publications, reconciling
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
