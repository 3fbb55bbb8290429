"""Where a number is from, as far as its area code tells; the carrier's own table.

`places.csv`: one town for each area code, the town with most ZIP codes in it (from the `zipcodes`
package for the US; provinces' largest towns for Canada). Good enough for FromCity and FromZip.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOLL_FREE_CODES = ("800", "833", "844", "855", "866", "877", "888")
CALLING_CODES = (  # longest first where one is the beginning of another
    ("44", "GB"), ("49", "DE"), ("33", "FR"), ("34", "ES"), ("353", "IE"), ("52", "MX"),
    ("61", "AU"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    country: str
    region: str = ""
    city: str = ""
    postal_code: str = ""
    latitude: str = ""
    longitude: str = ""


NOWHERE = Place(country="")


@cache
def area_codes() -> dict[str, Place]:
    text = Path(__file__).with_name("places.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        row["area_code"]: Place(**{k: v for k, v in row.items() if k != "area_code"})
        for row in rows
    }


def place_of(address: str) -> Place:
    """Best effort, often empty, as on the real wire."""
    if address.startswith("+1") and len(address) == 12:
        code = address[2:5]
        return Place(country="US") if code in TOLL_FREE_CODES else area_codes().get(code, NOWHERE)
    for prefix, country in CALLING_CODES:
        if address.startswith("+" + prefix):
            return Place(country=country)
    return NOWHERE


def is_toll_free(address: str) -> bool:
    return address.startswith("+1") and address[2:5] in TOLL_FREE_CODES


def national_format(address: str) -> str:
    """(415) 555-0100 for North America, the address itself for everybody else."""
    if address.startswith("+1") and len(address) == 12:
        return f"({address[2:5]}) {address[5:8]}-{address[8:]}"
    return address
