"""C15 over the API: who pays for a client, planned, seen before, cancelled."""

from collections.abc import Callable

import pytest

from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program

NEW = {"name": "Dental", "plan": "payg", "billing_email": "pay@dental.test"}
JUNE = {"billing": "agency_shared", "first_on": "2100-06-01", "last_on": "2100-06-30"}


@pytest.fixture
def dental(olga: Program, acme: Account) -> str:
    """A client of Acme's, paying by itself."""
    opened = olga.post("/accounts", NEW | {"parent": str(acme.id)}).json
    assert opened is not None
    return str(opened["id"])


def soon(dates: dict[str, str], units: UnitsOfWork) -> dict[str, str]:
    year = units.clock().year + 1
    return {name: text.replace("2100", str(year)) for name, text in dates.items()}


def test_c15_an_agency_plans_sees_and_cancels_who_pays(
    units: UnitsOfWork, acmes: Program, dental: str
) -> None:
    path = f"/clients/{dental}/billing"
    june = soon(JUNE, units)
    seen = acmes.post(f"{path}/preview", june).json
    assert seen is not None and seen["billing"] == "own" and len(seen["changes"]) == 2
    before = acmes.get(path).json
    assert before == {"billing": "own", "time_zone": "America/New_York", "upcoming": []}
    planned = acmes.post(path, june)
    assert planned.status_code == 201 and planned.json is not None
    assert planned.json["upcoming"] == seen["changes"], "what was shown is what is planned"
    year = june["first_on"][:4]
    assert [(c["from_at"][:16], c["billing"]) for c in seen["changes"]] == [
        (f"{year}-06-01T04:00", "agency_shared"),
        (f"{year}-07-01T04:00", "own"),
    ]
    assert acmes.post(path, june).status_code == 409
    assert acmes.delete(path).status_code == 204
    assert acmes.get(path).json == before
    assert acmes.delete(path).status_code == 409


def test_c15_at_once_is_staffs(
    acmes: Program, olga_for: Callable[[Account], Program], acme: Account, dental: str
) -> None:
    path = f"/clients/{dental}/billing"
    assert acmes.post(path, {"billing": "agency_shared"}).status_code == 403
    moved = olga_for(acme).post(path, {"billing": "agency_shared"}).json
    assert moved is not None and moved["billing"] == "agency_shared"


def test_nobody_plans_for_anothers_client(units: UnitsOfWork, bolts: Program, dental: str) -> None:
    path = f"/clients/{dental}/billing"
    june = soon(JUNE, units)
    for answer in (
        bolts.get(path),
        bolts.post(f"{path}/preview", june),
        bolts.post(path, june),
        bolts.delete(path),
    ):
        assert answer.status_code == 404
