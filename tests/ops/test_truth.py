"""The console asks why, what if, and whether it is true: every answer before anything is done."""

import datetime as dt
import json
import re
from html import unescape
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import (
    accounts,
    audit,
    plan_changes,
    plans,
    publications,
    reconciling,
    settlement,
    statement,
)
from gateway.services.accounts import Account, NewAccount
from gateway.store import reconciliations
from gateway.store.reconciliations import Drift
from gateway.uow import UnitsOfWork
from tests.services.history import History, Target
from tests.web.conftest import NOON, OLGA, Browser, World, take_call

TODAY = NOON.date().isoformat()


def send(olga: Browser, path: str, fields: Any = ()) -> Any:
    """Posts with the token of the console itself."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    data = dict(fields) if isinstance(fields, dict) else {}
    return olga.client.post(path, data=data | {"csrf_token": token.group(1)})


def balance(world: World, account: Account) -> int:
    with world.units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def dearer(per_minute: str = "0.50") -> dict[str, Any]:
    payg = dict(load_catalogue()["payg"])
    inbound = [row | {"per_minute": per_minute} for row in payg["tariff"]["inbound"]]
    return payg | {"tariff": payg["tariff"] | {"inbound": inbound}}


@pytest.mark.parametrize(
    "path",
    [
        "/ops/plan-draft",
        "/ops/plan-draft?code=payg",
        "/ops/re-rating",
        "/ops/drift",
        "/ops/drift?kind=rounding",
        "/ops/margins",
        "/ops/accounts/{acme}/what-if",
        "/ops/accounts/{acme}/losing-legs",
    ],
)
def test_every_page_opens_and_says_where_it_is(world: World, olga: Browser, path: str) -> None:
    page = olga.page(path.format(acme=world.acme.id))
    assert page.count("<h1>") == 1 and page.count("<main") == 1
    assert 'aria-current="page"' in page, "the section is marked"
    assert "style=" not in page and "onclick" not in page, "the policy allows no inline styles"


# The catalogue.


def test_a_plan_is_checked_shown_and_published(world: World, olga: Browser) -> None:
    document = json.dumps(load_catalogue()["payg"] | {"suspend_when": "lte_zero"})
    checked = send(olga, "/ops/plan-draft", {"code": "payg", "document": document})
    assert checked.status_code == 200
    assert "/suspend_when: lt_zero → lte_zero" in unescape(checked.text)
    with world.units.read() as uow:
        assert plans.get_plan(uow, "payg").version == 1, "nothing is published yet"
    hidden = re.search(r'name="document" value="([^"]*)"', checked.text)
    assert hidden is not None
    published = send(
        olga, "/ops/plan-publication", {"code": "payg", "document": unescape(hidden.group(1))}
    )
    assert published.status_code == 302 and published.location.endswith("version=2")
    with world.units.read() as uow:
        assert plans.get_plan(uow, "payg").plan.suspend_when == "lte_zero"
        assert accounts.get_account(uow, world.acme.scope).plan_version == 1, "accounts stay"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param("{", "this is not JSON: Expecting property name", id="half a document"),
        pytest.param("[]", "write one object", id="a list"),
        pytest.param('{"name": "X"}', "/tariff", id="a plan without a tariff"),
        pytest.param('{"name": "<script>"}', "/currency", id="I2 a name with markup"),
    ],
)
def test_an_error_is_told_at_its_field_and_what_was_typed_is_kept(
    world: World, olga: Browser, document: str, says: str
) -> None:
    refused = send(olga, "/ops/plan-draft", {"code": "gold", "document": document})
    assert refused.status_code == 422
    assert says in unescape(refused.text)
    assert document in unescape(refused.text)
    assert "<script>" not in refused.text


def test_s1_02_a_warning_is_shown_before_publishing(world: World, olga: Browser) -> None:
    offer = {"code": "dear", "number_type": "local", "minutes": 10_000, "price": "900.00"}
    document = load_catalogue()["payg"] | {"packages": [offer | {"leg_scope": ["inbound"]}]}
    checked = send(olga, "/ops/plan-draft", {"code": "payg", "document": json.dumps(document)})
    assert "/packages/0/price" in checked.text and "not cheaper" in checked.text


def test_a_publication_on_a_date_waits_and_can_be_called_off(world: World, olga: Browser) -> None:
    fields = {"code": "payg", "document": json.dumps(dearer()), "from": "2026-12-31"}
    ordered = send(olga, "/ops/plan-publication", fields)
    assert ordered.status_code == 302
    listed = olga.page("/ops/plans")
    assert "Waiting for their day" in listed
    with world.units.read() as uow:
        (waits,) = publications.waiting(uow)
        assert plans.get_plan(uow, "payg").version == 1
    assert send(olga, f"/ops/plan-publication/{waits.id}/cancel").status_code == 302
    assert "Waiting for their day" not in olga.page("/ops/plans")


# What if.


def test_m02_the_page_shows_zero_as_it_was_billed_and_a_difference_otherwise(
    world: World, olga: Browser
) -> None:
    path = f"/ops/accounts/{world.acme.id}/what-if?first={TODAY}&last={TODAY}"
    assert "exactly zero" in olga.page(f"{path}&plan=")
    assert "exactly zero" in olga.page(f"{path}&plan=payg/1")
    page = olga.page(f"{path}&plan=started_minute/1")
    assert "dearer" in page and "The legs that differ most" in page
    refused = olga.get(f"/ops/accounts/{world.acme.id}/what-if?plan=gold&first=x&last={TODAY}")
    assert refused.status_code == 422 and "write a day" in refused.text


def test_m02_c15_an_agency_is_asked_with_the_clients_on_its_bill(
    world: World, olga: Browser
) -> None:
    with world.units.begin() as uow:
        pooled = load_catalogue()["payg"] | {
            "pool": {"minutes": 100, "scope": "agency_shared"},
            "exhaustion": "charge_plan_rate",
        }
        plans.publish_plan(uow, "pooled", pooled, OLGA)
        new = NewAccount(
            name="Dental",
            billing_email="dental@acme.test",
            plan_code="payg",
            parent_id=world.acme.id,
            billing="agency_shared",
        )
        dental = History(world.units, accounts.create_account(uow, new, OLGA))
    later = UnitsOfWork(world.units.engine, lambda: NOON + dt.timedelta(hours=1))
    did = dental.number("+12125550177")
    dental.call(did, Target(talk=83), at=NOON + dt.timedelta(minutes=1), settle=False)
    settlement.drain(later)
    path = f"/ops/accounts/{world.acme.id}/what-if?first={TODAY}&last={TODAY}"
    assert "exactly zero" in olga.page(f"{path}&plan=")
    page = olga.page(f"{path}&plan=pooled/1")
    row = re.search(r"<tr><th scope=\"row\">Calls and texts of clients.*?</tr>", page, re.DOTALL)
    assert row is not None
    for words in ("2 min 46 s drawn", "$0.000000", "\N{MINUS SIGN}$0.138332"):
        assert words in row[0]
    assert "(212) 555-0177<small>Dental</small>" in page
    assert f"/ops/accounts/{dental.account.id}/calls/CA" in page, "a leg opens its client's call"
    alone = f"/ops/accounts/{dental.account.id}/what-if?first={TODAY}&last={TODAY}&plan="
    assert "of clients</th>" not in olga.page(alone)


# Undoing.


def test_m14_a_line_is_undone_from_its_page_with_its_like(world: World, olga: Browser) -> None:
    for n in range(3):
        take_call(
            world.units,
            world.number,
            sid=f"b{n}",
            at=NOON + dt.timedelta(minutes=n),
            answered_by="+14155550101",
        )
    settlement.drain(world.units)
    with world.units.read() as uow:
        lines = statement.list_postings(uow, world.acme.scope, None, 50, ("usage",)).items
    forwarded = [line for line in lines if line.leg_sid != line.call_sid]
    page = olga.page(f"/ops/accounts/{world.acme.id}/ledger/{forwarded[0].id}")
    also = re.findall(r'name="also" value="([^"]+)"', page)
    assert set(also) == {line.id for line in forwarded[1:]}
    before = balance(world, world.acme)
    path = f"/ops/accounts/{world.acme.id}/ledger/{forwarded[0].id}/reversal"
    nothing = send(olga, path, {"reason": " "})
    assert nothing.status_code == 302 and balance(world, world.acme) == before
    done = send(olga, path, {"reason": "Wrong campaign", "also": also})
    assert done.status_code == 302
    assert balance(world, world.acme) == before - sum(line.amount_micros for line in forwarded)
    after = olga.page(f"/ops/accounts/{world.acme.id}/ledger/{forwarded[0].id}")
    assert "Undone on" in after and "Undo this line" not in after
    with world.units.read() as uow:
        noted = audit.trail(uow, world.acme.scope)[0]
    assert noted.action == "posting.reversed" and OLGA in noted.actor


# Pricing anew.


def test_a_period_is_looked_at_before_it_is_priced_anew(world: World, olga: Browser) -> None:
    with world.units.begin() as uow:
        plans.publish_plan(uow, "payg", dearer("0.01"), OLGA)
    query = f"wrong=payg/1&right=payg/2&first={TODAY}&last={TODAY}"
    before = balance(world, world.acme)
    page = olga.page(f"/ops/re-rating?{query}")
    assert "Acme" in page and "Correct Acme" in page
    assert balance(world, world.acme) == before, "a look changes nothing"
    fields = {"wrong": "payg/1", "right": "payg/2", "first": TODAY, "last": TODAY}
    path = f"/ops/accounts/{world.acme.id}/re-rating"
    send(olga, path, fields | {"reason": ""})
    assert balance(world, world.acme) == before, "without a reason nothing is done"
    done = send(olga, path, fields | {"reason": "Typed wrongly"})
    assert done.status_code == 302
    assert balance(world, world.acme) > before
    assert "No account is affected" not in page
    refused = olga.get("/ops/re-rating?wrong=payg/9&right=payg/2&first=x&last=y")
    assert refused.status_code == 422


# Drift and margins.


def test_m05_differences_are_listed_by_kind_with_both_books(world: World, olga: Browser) -> None:
    assert "both books agree" in olga.page("/ops/drift")
    with world.units.begin() as uow:
        reconciliations.keep_drifts(
            uow.connection,
            [
                Drift(
                    world.acme.tenant_id,
                    world.call_sid,
                    kind,
                    world.acme.id,
                    NOON.date(),
                    {"ours": 83_000, "theirs": 99_000, "call_sid": world.call_sid},
                    healed,
                    NOON,
                )
                for kind, healed in (("price", False), ("missing_leg", True), ("rounding", False))
            ],
        )
    page = olga.page("/ops/drift")
    assert page.count(world.call_sid) >= 2 and "$0.083" in page and "$0.099" in page
    assert "1 healed" in page
    assert olga.page("/ops/drift?kind=rounding").count("<tr>") < page.count("<tr>") + 1


def test_m05_staff_may_have_a_day_compared(world: World, olga: Browser) -> None:
    assert send(olga, "/ops/drift", {"day": "2026-03-03"}).status_code == 302
    with world.units.read() as uow:
        assert reconciling.due_day(uow) == dt.date(2026, 3, 3)
    send(olga, "/ops/drift", {"day": "2030-01-01"})
    send(olga, "/ops/drift", {"day": "never"})
    with world.units.read() as uow:
        assert len(reconciling.overview(uow).runs) == 1, "days that are not over are refused"


def test_margins_show_who_loses_money_and_on_which_legs(world: World, olga: Browser) -> None:
    assert "Acme" in olga.page("/ops/margins")
    assert "No leg loses money" in olga.page(f"/ops/accounts/{world.acme.id}/losing-legs")
    take_call(world.units, world.number, sid="c1", seconds=5)
    settlement.drain(world.units)
    page = olga.page(f"/ops/accounts/{world.acme.id}/losing-legs")
    assert "$0.014" in page, "five seconds cost a started minute"


def test_s3_03_staff_moves_an_account_from_a_day_on(world: World, olga: Browser) -> None:
    path = f"/ops/accounts/{world.acme.id}/plan"
    with world.units.read() as uow:
        wanted = plans.get_plan(uow, "prepaid_minute")
    fields = {"plan": "prepaid_minute", "confirmed": wanted.id.hex, "on": "2026-04-01"}
    assert send(olga, path, fields).status_code == 302
    with world.units.read() as uow:
        change = plan_changes.open_change(uow, world.acme.scope)
        assert accounts.get_account(uow, world.acme.scope).plan_code == "payg", "not before"
    assert change is not None and change.plan_version_id == wanted.id
    assert (change.state, change.effective_at) == (
        "scheduled",
        dt.datetime(2026, 4, 1, tzinfo=dt.UTC),
    )
    send(olga, path, fields | {"on": "soon"})
    assert "write a day" in olga.page(f"/ops/accounts/{world.acme.id}")
