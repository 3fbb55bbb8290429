"""Plans that ship with the product, as documents; their figures are demo figures.

`carrier_cost` has the same form and is not for sale: it is what the carrier charges us.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

CARRIER_COST = "carrier_cost"


def load_catalogue() -> dict[str, Mapping[str, Any]]:
    """Every document by its file name without the ending, `carrier_cost` included."""
    folder = files("billing.catalogue")
    documents = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".json")),
        key=lambda entry: entry.name,
    )
    return {
        entry.name.removesuffix(".json"): json.loads(entry.read_text(encoding="utf-8"))
        for entry in documents
    }
