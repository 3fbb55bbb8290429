"""Floor 3: the JSON API, v1, for programs.

May import services, `gateway.runtime`, `gateway.limits`, Flask, APIFlask and pydantic; never
another edge, a provider, sqlalchemy or the roof. Every route names who may call it by its outermost
decorator: `for_account`, `for_ops` or `for_anyone`.
"""

from gateway.api import (  # noqa: F401  the nouns add their routes
    accounts,
    adjustments,
    alerts,
    audit,
    balance,
    bundles,
    calls,
    charges,
    clients,
    corrections,
    debits,
    forwarding,
    ledger,
    mandates,
    messages,
    numbers,
    openapi,
    operations,
    packages,
    payment_methods,
    plan_changes,
    plans,
    publications,
    rates,
    recharge,
    reconciliations,
    statements,
    tokens,
    topups,
    vat_ids,
    what_if,
)
from gateway.api.routes import blueprint

__all__ = ["blueprint"]
