"""Overview, calls, statement and settings: what they say, to whom, and in which zone."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.services import ledger

STATIC = Path(__file__).parents[2] / "gateway" / "static"


def test_the_balance_stands_on_every_page(acme: Any) -> None:
    """S2-08: 50.00, less one month's rent and 83 s on both legs at 0.05 a minute."""
    for path in ("/", "/numbers", "/calls", "/billing", "/settings", "/numbers/search"):
        page = acme.page(path)
        wallet = page.split('id="wallet"')[1].split("</a>")[0]
        assert "$47.86" in wallet, path


def test_the_overview_counts_the_call_and_says_how_long_the_money_lasts(acme: Any) -> None:
    page = acme.page("/")
    assert "1 answered, 0 missed" in page
    assert "Google Ads" in page
    assert "235 days" in page  # 47.86 at 0.138332 a day for calls and 0.064516 for rent


def test_the_chart_has_a_table_with_the_same_figures(acme: Any) -> None:
    page = acme.page("/")
    assert 'role="img"' in page
    assert "The same as a table" in page
    assert '<th scope="row">Mar 4</th>' in page


def test_a_new_account_is_told_what_to_do_next(cobalt: Any) -> None:
    assert "Go to your numbers" in cobalt.page("/")
    assert "it appears here while it still rings" in cobalt.page("/calls")


def test_the_call_log_is_in_the_accounts_own_zone(acme: Any) -> None:
    page = acme.page("/calls")
    assert 'datetime="2026-03-04T17:00:00Z"' in page
    assert "Mar 4, 12:00" in page
    assert "(212) 555-0187" in page


@pytest.mark.parametrize(
    "query, found",
    [
        ("status=answered", True),
        ("status=missed", False),
        ("status=nonsense", True),
        ("caller=0187", True),
        ("caller=9999", False),
        ("source=Google+Ads", True),
        ("source=Bing", False),
        ("since=2026-03-04&until=2026-03-04", True),
        ("until=2026-03-03", False),
        ("since=2026-03-05", False),
        ("since=9999-12-31", False),
        ("until=9999-12-31", True),
        ("number=not-a-number", True),
    ],
)
def test_the_call_log_is_filtered(acme: Any, query: str, found: bool) -> None:
    assert ("(212) 555-0187" in acme.page(f"/calls?{query}")) is found


def test_the_first_page_of_calls_refreshes_itself_and_older_ones_hold_still(acme: Any) -> None:
    assert 'hx-trigger="every 3s"' in acme.page("/calls")


def test_the_csv_holds_the_call_and_no_formula(acme: Any) -> None:
    answer = acme.get("/calls.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len(rows) == 2
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_each_charge_of_a_call_is_explained_in_words_and_sums(world: Any, acme: Any) -> None:
    page = acme.page(f"/calls/{world.call_sid}")
    assert "83 s × $0.0500/min, inbound leg, per second, plan PAYG v1" in page
    assert "forwarded leg" in page
    assert "floor(50000 × 83 / 60)" in page
    assert "69,166" in page
    assert "hung up after 83 s" in page


def test_a_statement_line_leads_to_its_reason_and_to_its_call(world: Any, acme: Any) -> None:
    statement = acme.page("/billing")
    assert f"/billing/{world.posting_id}" in statement
    assert "\u2212$0.069166" in statement
    assert "+$50.000000" in statement
    line = acme.page(f"/billing/{world.posting_id}")
    assert f"/calls/{world.call_sid}" in line
    assert "Caused by webhook" in line


@pytest.mark.parametrize(
    "kind, words, other",
    [
        ("usage", "Inbound leg", "Rent of"),
        ("rental", "Rent of", "Inbound leg"),
        ("topup", "test money", "Inbound leg"),
    ],
)
def test_the_statement_shows_one_kind_of_line(acme: Any, kind: str, words: str, other: str) -> None:
    page = acme.page(f"/billing?kind={kind}")
    assert words in page
    assert other not in page


def test_at_zero_every_page_says_that_callers_are_refused(world: Any, visit: Any) -> None:
    """S2-12: below zero is suspended; the page says what to do."""
    with world.units.begin() as uow:
        ledger.adjust(
            uow,
            world.bolt.scope,
            amount_micros=-1,
            reason="one micro below",
            actor="olga",
            idempotency_key="below",
        )
    page = visit("owner@bolt.test").page("/")
    assert "new calls are refused" in page
    assert "How to top up" in page


def test_settings_are_saved_and_the_clock_follows(world: Any, acme: Any) -> None:
    form = {
        "name": "Acme West",
        "billing_email": "bills@acme.test",
        "time_zone": "America/Los_Angeles",
        "at_zero": "say",
        "suspended_notice": "Back soon.",
        "low_balance": "5.00",
    }
    assert acme.post("/settings", form).status_code == 302
    page = acme.page("/settings")
    for words in ("Acme West", "Back soon.", 'value="5.00"'):
        assert words in page
    assert "Mar 4, 9:00" in acme.page("/calls")


@pytest.mark.parametrize(
    "field, typed, shown_at",
    [
        ("name", "", "fname-error"),
        ("billing_email", "nobody", "fbilling_email-error"),
        ("time_zone", "Mars/Olympus", "ftime_zone-error"),
        ("low_balance", "five", "flow_balance-error"),
        ("suspended_notice", "", "fsuspended_notice-error"),
    ],
)
def test_a_wrong_setting_is_refused_at_its_field(
    acme: Any, field: str, typed: str, shown_at: str
) -> None:
    form = {
        "name": "Acme",
        "billing_email": "bills@acme.test",
        "time_zone": "UTC",
        "at_zero": "say",
        "suspended_notice": "Back soon.",
        "low_balance": "",
        field: typed,
    }
    answer = acme.post("/settings", form)
    assert answer.status_code == 422
    assert f'id="{shown_at}"' in answer.text


def test_a_token_is_shown_once_and_works_until_it_is_revoked(world: Any, acme: Any) -> None:
    issued = acme.post("/settings/tokens", {"token_name": "CRM"}).text
    token = issued.split('id="new-token" tabindex="0">')[1].split("<")[0]
    call = {"headers": {"Authorization": f"Bearer {token}"}}
    api = world.app.test_client()
    assert api.get("/api/v1/balance", **call).status_code == 200
    page = acme.page("/settings")
    assert token not in page
    token_id = page.split("/settings/tokens/")[1].split("/revoke")[0]
    acme.post(f"/settings/tokens/{token_id}/revoke")
    assert "Revoked" in acme.page("/settings")
    assert api.get("/api/v1/balance", **call).status_code == 401


def test_cobalt_cannot_revoke_acmes_token(acme: Any, cobalt: Any) -> None:
    acme.post("/settings/tokens", {"token_name": "CRM"})
    token_id = acme.page("/settings").split("/settings/tokens/")[1].split("/revoke")[0]
    assert cobalt.post(f"/settings/tokens/{token_id}/revoke").status_code == 404
    assert "Revoked" not in acme.page("/settings")


def test_a_refused_call_tells_the_business_why(world: Any, acme: Any) -> None:
    with world.units.begin() as uow:
        ledger.adjust(
            uow,
            world.acme.scope,
            amount_micros=-60_000_000,
            reason="used up",
            actor="olga",
            idempotency_key="used up",
        )
    call_sid = world.take_call("b1")
    page = acme.page(f"/calls/{call_sid}")
    assert "This call was turned away: the number was suspended." in page
    assert "Refused" in acme.page("/calls")


def test_no_page_needs_an_inline_script_or_style(world: Any, acme: Any) -> None:
    for path in (
        "/",
        f"/numbers/{world.number.id}/forwarding",
        f"/calls/{world.call_sid}",
        "/calls",
        "/settings",
    ):
        answer = acme.get(path)
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert "<script>" not in answer.text


def test_vendored_files_are_those_of_the_manifest() -> None:
    import hashlib

    manifest = json.loads((STATIC / "vendor" / "MANIFEST.json").read_text())
    assert {entry["file"] for entry in manifest} == {"htmx.min.js", "pico.min.css"}
    for entry in manifest:
        found = hashlib.sha256((STATIC / "vendor" / entry["file"]).read_bytes()).hexdigest()
        assert found == entry["sha256"], entry["file"]
        assert entry["licence"] in ("MIT", "0BSD")
