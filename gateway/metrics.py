"""What is counted while the gateway works, for Prometheus; every process adds to the same files.

`PROMETHEUS_MULTIPROC_DIR` (set by the launcher and the Procfile) must be in the environment before
this module is imported. Ages are not kept here: `/metrics` asks the database when it is scraped.
"""

from prometheus_client import Counter, Histogram

WEBHOOK_SECONDS = Histogram(
    "ringledger_webhook_seconds",
    "Time to answer the carrier, by webhook.",
    ["endpoint"],
    # Twilio gives up after 15 s; a caller hears silence from about one second on.
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
CALLBACKS = Counter(
    "ringledger_callbacks_total",
    "Webhooks of the carrier by kind and outcome (counted, repeated, unknown, forged, refused).",
    ["kind", "outcome"],
)
REQUEST_SECONDS = Histogram(
    "ringledger_request_seconds",
    "Time to answer people and programs, by part of the house and status class.",
    ["part", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LEGS_SETTLED = Counter("ringledger_legs_settled_total", "Legs rated and posted.")
BALANCE_CROSSINGS = Counter(
    "ringledger_balance_crossings_total",
    "Balances that crossed a threshold (low, suspended, restored).",
    ["threshold"],
)
CARRIER_REQUESTS = Counter(
    "ringledger_carrier_requests_total", "REST calls to the carrier.", ["deed", "outcome"]
)
CHARGES = Counter(
    "ringledger_charges_total",
    "Charges of cards by purpose and how they ended.",
    ["purpose", "end"],
)
