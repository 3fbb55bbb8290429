"""Numbers: searched with their price, bought once, labelled, given back."""

import html
import re
from typing import Any
from urllib.parse import quote

import pytest


def test_the_list_says_what_each_number_does(acme: Any) -> None:
    page = acme.page("/numbers")
    assert "(415) 234-5678" in page
    assert "Rings (415) 555-0101 and (415) 555-0102 together for 20 s, then voicemail." in page


def test_many_numbers_come_in_pages_and_are_found_by_label_source_or_digits(
    world: Any, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, (label, source) in enumerate([("Radio", "KQED"), ("100% off", "Posters")]):
        form = {"e164": f"+162823456{n:02}", "label": label, "source": source, "key": f"form-{n}"}
        assert acme.post("/numbers/order", form).status_code == 302
    assert 'role="search"' not in acme.page("/numbers"), "three are seen at a glance"
    with monkeypatch.context() as patch:
        patch.setattr("gateway.services.pages.LIMIT_MAX", 2)
        first = acme.page("/numbers")
        assert "Radio" in first and "100% off" in first and "(415) 234-5678" not in first
        (further,) = re.findall(r'href="([^"]+)" rel="next"', first)
        rest = acme.page(html.unescape(further))
        assert "(415) 234-5678" in rest and "Radio" not in rest and "Back to the newest" in rest
    for words, found in (
        ("radio", "Radio"),
        ("post", "100% off"),
        ("0% o", "100% off"),
        ("(628) 234-5600", "Radio"),
    ):
        page = acme.page(f"/numbers?q={quote(words)}")
        others = {"Radio", "100% off"} - {found}
        assert found in page and not any(f">{other}</a>" in page for other in others), words
    assert "No number like that" in acme.page("/numbers?q=nowhere")
    assert acme.get("/numbers?after=nonsense").status_code == 422


def test_a_new_account_is_told_what_to_do_first(cobalt: Any) -> None:
    assert "Search for a number" in cobalt.page("/numbers")


def test_a_search_by_area_code_shows_the_price_before_anything_is_bought(acme: Any) -> None:
    page = acme.page("/numbers/search?search=1&country=US&type=local&area_code=628")
    assert "(628) 234-5600" in page
    assert "$0.0500" in page


def test_the_carrier_is_not_asked_before_somebody_searches(acme: Any) -> None:
    assert "Nothing is bought until you confirm the price." in acme.page("/numbers/search")


@pytest.mark.parametrize(
    "query, words",
    [
        ("area_code=99", "three digits"),
        ("contains=%21%21", "2 to 16 digits"),
        ("type=mobile", "your plan sells"),
    ],
)
def test_a_search_that_makes_no_sense_is_answered_in_words(
    acme: Any, query: str, words: str
) -> None:
    assert words in acme.page(f"/numbers/search?search=1&country=US&{query}")


def test_buying_twice_with_one_form_buys_one_number(world: Any, acme: Any) -> None:
    page = acme.page("/numbers/order?e164=%2B16282345601")
    assert "Taken now, for the first month" in page
    form = {"e164": "+16282345601", "label": "Radio", "source": "KQED", "key": "one-form"}
    first, second = acme.post("/numbers/order", form), acme.post("/numbers/order", form)
    assert first.status_code == second.status_code == 302
    assert first.location == second.location
    assert acme.page("/numbers").count(">Radio</a>") == 1


def test_an_empty_balance_buys_nothing_and_is_told_why(visit: Any) -> None:
    bolt = visit("owner@bolt.test")
    form = {"e164": "+16282345601", "key": "k"}
    refused = bolt.post("/numbers/order", form)
    assert refused.status_code == 402
    assert "top up first" in refused.text
    assert "(628)" not in bolt.page("/numbers")


@pytest.mark.parametrize("e164", ["", "12", "nonsense", "+9", "%2B882162345678"])
def test_the_order_page_of_no_number_is_a_404(acme: Any, e164: str) -> None:
    assert acme.get(f"/numbers/order?e164={e164}").status_code == 404


def test_a_label_and_a_source_are_changed(world: Any, acme: Any) -> None:
    path = f"/numbers/{world.number.id}"
    acme.post(path, {"label": "Van", "source": "Side of the van"})
    page = acme.page(path)
    assert 'value="Van"' in page
    assert 'value="Side of the van"' in page


def test_a_label_that_is_too_long_is_refused_at_its_field(world: Any, acme: Any) -> None:
    answer = acme.post(f"/numbers/{world.number.id}", {"label": "x" * 90, "source": ""})
    assert answer.status_code == 422
    assert 'id="flabel-error"' in answer.text
    assert "x" * 90 in answer.text


def test_a_number_asked_to_be_released_says_so(world: Any, acme: Any) -> None:
    acme.post(f"/numbers/{world.number.id}/release")
    page = acme.page(f"/numbers/{world.number.id}")
    assert "Being released" in page
    assert "Give this number back" not in page
