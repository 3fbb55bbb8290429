"""The staff console: accounts, money by hand, plans, deeds, mail."""

import datetime as dt
import re
from dataclasses import replace
from html import unescape

import pytest
import redis
from register import StandIn, no, stand_in, unable, yes
from sqlalchemy import text

from billing.catalogue import load_catalogue
from gateway.providers.vies import Vies
from gateway.runtime import EXTENSION
from gateway.services import accounts, audit, operations, plans, statement, vat_checks
from gateway.services.accounts import Account
from gateway.store import mail, outbox
from tests.web.conftest import OLGA, Browser, World

PAGES = (
    "/ops/",
    "/ops/accounts",
    "/ops/accounts?query=acme",
    "/ops/accounts/{acme}",
    "/ops/accounts/{bolt}",
    "/ops/accounts/{acme}/ledger",
    "/ops/accounts/{acme}/ledger?kind=usage",
    "/ops/accounts/{acme}/ledger/{posting}",
    "/ops/accounts/{acme}/calls",
    "/ops/accounts/{acme}/calls/{call}",
    "/ops/accounts/{acme}/audit",
    "/ops/audit",
    "/ops/plans",
    "/ops/plans/payg",
    "/ops/deeds",
    "/ops/mails",
    "/ops/debits",
    "/ops/accounts/{acme}/mandates",
)


def _fill(world: World, path: str) -> str:
    return path.format(
        acme=world.acme.id, bolt=world.bolt.id, posting=world.posting_id, call=world.call_sid
    )


def _balance(world: World, account: Account) -> int:
    with world.units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def _send(olga: Browser, path: str, fields: dict[str, str]):  # type: ignore[no-untyped-def]
    """Posts with the token of the console itself."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    return olga.client.post(path, data={**fields, "csrf_token": token.group(1)})


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_and_says_where_it_is(world: World, olga: Browser, path: str) -> None:
    page = olga.page(_fill(world, path))
    assert page.count("<h1>") == 1 and page.count("<main") == 1
    assert 'aria-current="page"' in page, "the section is marked"
    assert "style=" not in page and "onclick" not in page, "the policy allows no inline styles"


def test_accounts_are_found_by_name_and_show_balance_and_days_left(
    world: World, olga: Browser
) -> None:
    page = olga.page("/ops/accounts?query=bolt")
    assert "Bolt" in page and "Acme" not in page
    assert "used up" in page
    assert "No account found" in olga.page("/ops/accounts?query=nobody%25")


def test_a_top_up_is_shown_before_it_is_posted_and_posted_once(world: World, olga: Browser) -> None:
    path = f"/ops/accounts/{world.bolt.id}"
    asked = _send(olga, f"{path}/top-up", {"amount": "25.00", "reason": "Invoice 9 <b>"})
    assert asked.status_code == 200
    text = unescape(asked.text)
    assert "$0.00" in text and "$25.00" in text, "balance before and after"
    assert "Invoice 9 &lt;b&gt;" in asked.text, "I2 escaped"
    assert _balance(world, world.bolt) == 0, "nothing is posted yet"
    fields = {
        name: unescape(value)
        for name, value in re.findall(
            r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', asked.text
        )
    }
    for _ in range(2):
        posted = olga.client.post(f"{path}/money", data=fields)
        assert posted.status_code == 302 and posted.location == path
    assert _balance(world, world.bolt) == 25_000_000, "a second click posts nothing"
    with world.units.read() as uow:
        (line,) = statement.list_postings(uow, world.bolt.scope).items
        done = audit.trail(uow, world.bolt.scope)[0]
    assert (line.kind, line.reason, line.actor) == ("topup", "Invoice 9 <b>", done.actor)
    assert done.action == "account.topped_up" and OLGA in done.actor
    assert "Posted. The balance of Bolt is 25.00 USD." in olga.page(path)


def test_an_adjustment_takes_below_zero_only_with_a_reason(world: World, olga: Browser) -> None:
    path = f"/ops/accounts/{world.bolt.id}"
    refused = _send(olga, f"{path}/adjustment", {"amount": "-1.00", "reason": " "})
    assert refused.status_code == 422 and 'value="-1.00"' in refused.text
    assert 'aria-describedby="adjustment-reason-error"' in refused.text
    asked = _send(olga, f"{path}/adjustment", {"amount": "-1.00", "reason": "Chargeback"})
    assert asked.status_code == 200
    posted = _send(
        olga,
        f"{path}/money",
        {"deed": "adjustment", "amount": "-1.00", "reason": "Chargeback", "key": "k"},
    )
    assert posted.status_code == 302
    assert _balance(world, world.bolt) == -1_000_000
    with world.units.read() as uow:
        assert accounts.get_account(uow, world.bolt.scope).status == "suspended"


def test_c6_a_top_up_that_the_plan_refuses_is_not_offered_and_a_correction_is(
    world: World, olga: Browser
) -> None:
    document = load_catalogue()["payg"] | {"topup": {"manual": False}}
    with world.units.begin() as uow:
        plans.publish_plan(uow, "no_hands", document, OLGA)
        accounts.update_account(uow, world.bolt.scope, {"plan_code": "no_hands"}, OLGA)
    path = f"/ops/accounts/{world.bolt.id}"
    page = olga.page(path)
    assert f'action="{path}/top-up"' not in page and f'action="{path}/adjustment"' in page
    money = {"amount": "5.00", "reason": "goodwill", "key": "k"}
    for where, deed in (("top-up", "top-up"), ("money", "top-up")):
        assert _send(olga, f"{path}/{where}", money | {"deed": deed}).location == path
        assert "post an adjustment with its reason" in unescape(olga.page(path))
    assert _balance(world, world.bolt) == 0
    assert _send(olga, f"{path}/money", money | {"deed": "adjustment"}).location == path
    assert _balance(world, world.bolt) == 5_000_000


def test_s5_19_a_vat_id_is_looked_up_and_confirmed_with_its_evidence(
    world: World, olga: Browser
) -> None:
    with world.units.begin() as uow:
        changes = {"country": "DE", "vat_id": "DE136695976"}
        accounts.update_account(uow, world.bolt.scope, changes, "bolt")
    listed = olga.page("/ops/accounts?flag=vat_id")
    assert ">Bolt<" in listed and ">Acme<" not in listed
    path = f"/ops/accounts/{world.bolt.id}"
    assert "VAT id to look up" in olga.page(path)
    _send(olga, f"{path}/vat-id", {"evidence": " "})
    assert "what the register answered" in olga.page(path)
    assert _send(olga, f"{path}/vat-id", {"evidence": "VIES WAPI1"}).location == path
    page = olga.page(path)
    assert "DE136695976, looked up" in page and "VAT id to look up" not in page
    assert ">Bolt<" not in olga.page("/ops/accounts?flag=vat_id")


def _asked(world: World, vies: StandIn, vat_id: str) -> None:
    with world.units.begin() as uow:
        changes = {"country": "DE", "vat_id": vat_id}
        accounts.update_account(uow, world.bolt.scope, changes, "bolt")
    assert vat_checks.drain(world.units, Vies(vies.url), confirms=False) == 1


def test_s5_19_what_the_register_says_stands_beside_the_button(world: World, olga: Browser) -> None:
    path = f"/ops/accounts/{world.bolt.id}"
    with stand_in() as vies:
        vies.says(unable(), no(), yes("<b>BOLT GMBH", "WAPIAAAA"))
        _asked(world, vies, "DE136695976")
        page = olga.page(path)
        assert "Nobody knows yet: VIES did not say: MS_UNAVAILABLE" in page
        assert "VIES is not asked again by itself" in page, "VAT_CHECK is off"
        _asked(world, vies, "DE129273398")
        assert "VIES does not have it" in olga.page(path)
        _asked(world, vies, "DE136695976")
    page = olga.page(path)
    assert "VIES has it, as &lt;b&gt;BOLT GMBH" in page
    (typed,) = re.findall(r'value="(VIES [^"]*WAPIAAAA[^"]*)"', page)
    assert _send(olga, f"{path}/vat-id", {"evidence": unescape(typed)}).location == path
    page = olga.page(path)
    assert "in VIES as &lt;b&gt;BOLT GMBH" in page and "VAT id to look up" not in page


def test_s5_19_a_confirmation_is_withdrawn_with_its_reason(world: World, olga: Browser) -> None:
    path = f"/ops/accounts/{world.bolt.id}"
    with world.units.begin() as uow:
        changes = {"country": "DE", "vat_id": "DE136695976"}
        accounts.update_account(uow, world.bolt.scope, changes, "bolt")
        accounts.confirm_vat_id(uow, world.bolt.scope, "VIES", "VIES")
    _send(olga, f"{path}/vat-id/withdrawal", {"reason": ""})
    assert "say why" in olga.page(path)
    assert _send(olga, f"{path}/vat-id/withdrawal", {"reason": "not theirs"}).location == path
    assert "VAT id to look up" in olga.page(path)
    page = olga.page(path)
    assert "withdrew the confirmation:" in page and "not theirs" in page
    _send(olga, f"{path}/vat-id/withdrawal", {"reason": "not theirs"})
    assert "No VAT id of this account is confirmed" in olga.page(path)


def test_s5_19_staff_asks_the_register_again_where_one_is_asked(
    world: World, olga: Browser
) -> None:
    path = f"/ops/accounts/{world.bolt.id}"
    with world.units.begin() as uow:
        changes = {"country": "DE", "vat_id": "DE136695976"}
        accounts.update_account(uow, world.bolt.scope, changes, "bolt")
    assert "Ask VIES" not in olga.page(path)
    _send(olga, f"{path}/vat-id/question", {})
    assert "set VAT_CHECK" in olga.page(path)
    asking = world.runtime.settings.model_copy(update={"vat_check": "ask"})
    world.app.extensions[EXTENSION] = replace(world.runtime, settings=asking)
    with stand_in() as vies:
        vies.says(unable(), no())
        vat_checks.drain(world.units, Vies(vies.url), confirms=False)
        page = olga.page(path)
        assert "VIES is asked next:" in page and "Ask VIES again now" in page
        assert _send(olga, f"{path}/vat-id/question", {}).location == path
        assert "VIES is asked: load this page again" in olga.page(path)
        vat_checks.drain(world.units, Vies(vies.url), confirms=False)
    assert "VIES does not have it" in olga.page(path)
    with world.units.begin() as uow:
        accounts.confirm_vat_id(uow, world.bolt.scope, "a paper", "olga")
    page = olga.page(path)
    assert "VIES does not have it" not in page and "Ask VIES again now" in page


@pytest.mark.parametrize("deed", ["top-up", "adjustment"])
@pytest.mark.parametrize("amount", ["", "0", "abc", "1,000", "0.0000001", "9" * 20, "\0"])
def test_an_amount_that_is_none_is_refused_at_its_field(
    world: World, olga: Browser, deed: str, amount: str
) -> None:
    path = f"/ops/accounts/{world.acme.id}/{deed}"
    refused = _send(olga, path, {"amount": amount, "reason": "x"})
    assert refused.status_code == 422
    assert f'id="{deed}-amount-error"' in refused.text


def test_each_charge_is_explained_with_cost_and_margin(world: World, olga: Browser) -> None:
    page = unescape(olga.page(_fill(world, "/ops/accounts/{acme}/calls/{call}")))
    assert "83 s × $0.0500/min" in page
    assert "Carrier cost" in page and "Margin" in page
    assert "not answered" in page, "the leg that nobody answered is explained too"
    line = unescape(olga.page(_fill(world, "/ops/accounts/{acme}/ledger/{posting}")))
    assert "caused by webhook" in line


def test_an_account_moves_to_another_plan_after_the_difference_was_shown(
    world: World, olga: Browser
) -> None:
    path = f"/ops/accounts/{world.acme.id}"
    asked = _send(olga, f"{path}/plan", {"plan": "payg_cut"})
    assert asked.status_code == 200
    assert "let_finish" in asked.text and "cut" in asked.text
    confirmed = re.search(r'name="confirmed" value="([0-9a-f]+)"', asked.text)
    assert confirmed is not None
    moved = _send(olga, f"{path}/plan", {"plan": "payg_cut", "confirmed": confirmed.group(1)})
    assert moved.status_code == 302
    with world.units.read() as uow:
        assert accounts.get_account(uow, world.acme.scope).plan_code == "payg_cut"
        assert audit.trail(uow, world.acme.scope)[0].action == "account.changed"
    again = _send(olga, f"{path}/plan", {"plan": "payg_cut"})
    assert "is on this version already" in again.text
    assert _send(olga, f"{path}/plan", {"plan": "nope"}).status_code == 404


def test_a_confirmation_of_an_older_version_is_asked_again(world: World, olga: Browser) -> None:
    """Somebody published meanwhile: what is confirmed is what was shown."""
    path = f"/ops/accounts/{world.acme.id}/plan"
    asked = _send(olga, path, {"plan": "payg_cut"})
    shown = re.search(r'name="confirmed" value="([0-9a-f]+)"', asked.text)
    assert shown is not None
    with world.units.begin() as uow:
        document = dict(plans.get_plan(uow, "payg_cut").document) | {"name": "Dearer"}
        plans.publish_plan(uow, "payg_cut", document, OLGA)
    answer = _send(olga, path, {"plan": "payg_cut", "confirmed": shown.group(1)})
    assert answer.status_code == 200 and "Dearer" in answer.text
    with world.units.read() as uow:
        assert accounts.get_account(uow, world.acme.scope).plan_code == "payg"


def test_two_versions_of_a_plan_are_compared_line_by_line(world: World, olga: Browser) -> None:
    with world.units.begin() as uow:
        document = dict(plans.get_plan(uow, "payg").document) | {"name": "PAYG 2027"}
        plans.publish_plan(uow, "payg", document, OLGA)
    page = unescape(olga.page("/ops/plans/payg?version=2&with=1"))
    assert 'class="added"' in page and '"name": "PAYG 2027"' in page
    assert 'class="removed"' in page
    assert olga.get("/ops/plans/payg?version=9").status_code == 404
    assert olga.get("/ops/plans/nope").status_code == 404


def test_a_dead_deed_is_mended_with_a_reason(world: World, olga: Browser) -> None:
    with world.units.begin() as uow:
        for key in ("low:1", "low:2"):
            outbox.add(
                uow.connection,
                world.acme.scope,
                queue="notify",
                kind="balance.low",
                key=key,
                payload={},
                now=uow.now,
            )
        claimed = outbox.claim(
            uow.connection, "notify", now=uow.now, lease=dt.timedelta(minutes=1), limit=2
        )
        for deed in claimed:
            outbox.give_up(uow.connection, deed.id, error="<mailbox> full", now=uow.now)
    assert "needs somebody" in olga.page("/ops/")
    page = olga.page("/ops/deeds")
    assert "&lt;mailbox&gt; full" in page
    first, second = claimed
    assert _send(olga, f"/ops/deeds/{first.id}", {"deed": "revive", "reason": " "}).status_code
    assert "say why" in olga.page("/ops/deeds")
    _send(olga, f"/ops/deeds/{first.id}", {"deed": "revive", "reason": "mailbox emptied"})
    _send(olga, f"/ops/deeds/{second.id}", {"deed": "discard", "reason": "customer left"})
    with world.units.read() as uow:
        assert operations.dead_deeds(uow).items == ()
        waiting = {deed.id for deed in operations.waiting_deeds(uow)}
        assert first.id in waiting and second.id not in waiting
        actions = [line.action for line in audit.trail(uow, world.acme.scope)]
    assert {"deed.revived", "deed.discarded"} <= set(actions)
    again = _send(olga, f"/ops/deeds/{second.id}", {"deed": "revive", "reason": "no, wait"})
    assert again.status_code == 302
    assert "not given up any more" in olga.page("/ops/deeds")


def test_the_mailbox_shows_a_mail_as_it_was_sent(world: World, olga: Browser) -> None:
    with world.units.begin() as uow:
        mail.keep(
            uow.connection,
            world.acme.scope,
            key="low:1",
            to_address="billing@acme.test",
            subject="Low balance <script>",
            body="Top up\nsoon.",
            transport="sandbox",
            now=uow.now,
        )
    listed = olga.page("/ops/mails")
    assert "Low balance &lt;script&gt;" in listed and "goes here and nowhere else" in listed
    link = re.search(r'href="(/ops/mails/[0-9a-f-]+)"', listed)
    assert link is not None
    assert "Top up\nsoon." in olga.page(link.group(1))


def test_with_redis_away_the_console_says_so_and_goes_on(
    olga: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object, **_more: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.connection.AbstractConnection, "connect", gone)
    assert "Redis is away" in olga.page("/ops/")


def test_a_stopped_clock_is_shown(olga: Browser) -> None:
    assert "never ran" in olga.page("/ops/")


def test_s5_19_a_top_up_by_hand_shows_what_the_customer_paid_and_posts_its_tax(
    world: World, olga: Browser
) -> None:
    with world.units.begin() as uow:
        accounts.update_account(uow, world.bolt.scope, {"country": "DE"}, OLGA)
    path = f"/ops/accounts/{world.bolt.id}"
    fields = {"amount": "50.00", "reason": "cash"}
    asked = unescape(_send(olga, f"{path}/top-up", fields).text)
    assert "$59.50" in asked and "$9.50 of it is tax. VAT 19 % (DE)." in asked
    _send(olga, f"{path}/money", fields | {"deed": "top-up", "key": "k"})
    assert _balance(world, world.bolt) == 50_000_000
    with world.units.read() as uow:
        taken = uow.connection.scalar(
            text("select sum(amount_micros) from posting where kind = 'vat' and account_id = :id"),
            {"id": world.bolt.id},
        )
    assert taken == 9_500_000
