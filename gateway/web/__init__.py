"""The business pages: server-rendered, by session cookie; htmx only saves a reload.

Floor 3. May import services, routing and billing for words and figures, `gateway.browser`,
`gateway.figures`, `gateway.limits` and Flask; never another edge, a store query or the carrier.
"""

from gateway.web import (
    accounts,
    alerts,
    banners,
    billing,
    bundles,
    calls,
    cards,
    clients,
    contacts,
    forwarding,
    logins,
    mandates,
    messages,
    numbers,
    overview,
    packages,
    plan,
    rates,
    statements,
    tokens,
)
from gateway.web.blueprint import blueprint

__all__ = [
    "accounts",
    "alerts",
    "banners",
    "billing",
    "blueprint",
    "bundles",
    "calls",
    "cards",
    "clients",
    "contacts",
    "forwarding",
    "logins",
    "mandates",
    "messages",
    "numbers",
    "overview",
    "packages",
    "plan",
    "rates",
    "statements",
    "tokens",
]
