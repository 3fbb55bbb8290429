"""Floor 3: the staff console, by session cookie; every deed with a reason and an audit line.

May import services, `gateway.browser`, `gateway.figures`, `gateway.runtime`, `gateway.queues` (to
count failed jobs) and Flask; never another edge, a store query or the carrier.
"""

from gateway.ops import (  # noqa: F401  the pages add their routes
    accounts,
    arrears,
    calls,
    charges,
    debits,
    deeds,
    drift,
    home,
    ledger,
    mails,
    mandates,
    money,
    payers,
    plan_changes,
    plans,
    publications,
    refunds,
    rerating,
    reversals,
    transfers,
    what_if,
)
from gateway.ops.pages import blueprint

__all__ = ["blueprint"]
