"""The store: tables beside their queries, one file per noun.

May import sqlalchemy, `gateway.db` and floor 0. Every tenant table has `tenant_id` first in its
primary key and in every unique constraint; foreign keys inside a tenant are composite; ids are
UUIDv7 made in the app. Directory tables (`did_directory`, `account_directory`, `login`,
`api_token`) are small, global, and have no foreign key into a tenant.
"""

from gateway.store import (  # noqa: F401  the tables register themselves
    accounts,
    alerts,
    audit,
    buckets,
    calls,
    charges,
    clock,
    conversations,
    credit_receipts,
    debits,
    dunning,
    forwarding,
    idempotency,
    included_credit,
    ledger,
    legs,
    logins,
    mail,
    mandates,
    memberships,
    messages,
    numbers,
    outbox,
    packages,
    payment_methods,
    plan_changes,
    plans,
    receipts,
    recharge,
    reconciliations,
    recordings,
    refunds,
    rollups,
    settling,
    statements,
    subscriptions,
    tokens,
    topups,
    transfers,
    vat_checks,
)
from gateway.store.base import Base

metadata = Base.metadata
