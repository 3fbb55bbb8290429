"""A run of debits as the file that the bank takes: pain.008, SEPA direct debit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sepaxml import SepaDD

from billing.mandates import CURRENCY, Mandate
from billing.minor_units import to_minor
from gateway.papers.seller import Seller

SCHEMA = "pain.008.001.08"  # of the EPC's rulebooks since March 2024


@dataclass(frozen=True, slots=True)
class Order:
    """One debit: how much, on which day, by which mandate, for what."""

    mandate: Mandate
    end_to_end_id: str
    amount_micros: int
    collect_on: dt.date
    words: str


def settings_missing(seller: Seller) -> tuple[str, ...]:
    """Names of the settings without which no bank takes the file."""
    needed = {"iban": "SELLER_IBAN", "creditor_id": "SELLER_CREDITOR_ID"}
    return tuple(setting for field, setting in needed.items() if not getattr(seller, field))


def pain008(orders: Sequence[Order], seller: Seller) -> bytes:
    """Valid by its schema; every debit is booked by itself, so that the bank tells of each."""
    assert orders, "a file of no debits is none"
    config = {
        "name": seller.name,
        "IBAN": seller.iban,
        "batch": False,
        "creditor_id": seller.creditor_id,
        "currency": CURRENCY,
    }
    if seller.bic:
        config["BIC"] = seller.bic
    file = SepaDD(config, schema=SCHEMA, clean=True)
    for order in orders:
        file.add_payment(
            {
                "name": order.mandate.holder,
                "IBAN": order.mandate.iban,
                "amount": to_minor(order.amount_micros, CURRENCY),
                "type": "RCUR",  # also for the first one, since November 2016
                "collection_date": order.collect_on,
                "mandate_id": order.mandate.reference,
                "mandate_date": order.mandate.signed_on,
                "description": order.words,
                "endtoend_id": order.end_to_end_id,
            }
        )
    made: bytes = file.export(validate=True)
    return made
