"""Figures as people read them."""

import datetime as dt
from types import SimpleNamespace

import pytest
from flask import Flask, g

from gateway import figures
from gateway.services.overview import DayUsage
from gateway.web import charts


@pytest.mark.parametrize(
    "micros, exact, short",
    [
        pytest.param(49_930_834, "$49.930834", "$49.93", id="S5-02 the contract's example"),
        pytest.param(50_000_000, "$50.00", "$50.00", id="whole dollars have cents"),
        pytest.param(8_500, "$0.0085", "$0.00", id="a fraction of a cent"),
        pytest.param(0, "$0.00", "$0.00", id="nothing"),
        pytest.param(-1, "\u2212$0.000001", "\u2212$0.01", id="S2-12 one micro below zero"),
        pytest.param(1_234_567_890_000, "$1,234,567.89", "$1,234,567.89", id="thousands"),
        pytest.param(None, "\u2013", "\u2013", id="not settled yet"),
    ],
)
def test_money_is_exact_and_its_short_form_never_promises_more(
    micros: int | None, exact: str, short: str
) -> None:
    assert figures.money(micros, "USD") == exact
    assert figures.money_short(micros, "USD") == short


@pytest.mark.parametrize(
    "value, words",
    [
        (0, "0 s"),
        (83, "83 s"),
        (119, "119 s"),
        (125, "2 min 05 s"),
        (3_725, "1 h 02 min"),
        (-8, "\u22128 s"),
        (-3_892, "\u22121 h 04 min"),
    ],
)
def test_seconds_read_like_a_clock(value: int, words: str) -> None:
    assert figures.seconds(value) == words


def test_an_instant_is_local_for_people_and_utc_for_machines() -> None:
    at = dt.datetime(2026, 3, 8, 7, 30, tzinfo=dt.UTC)  # half an hour into New York's summer time
    shown = figures.instant(at, "America/New_York")
    assert 'datetime="2026-03-08T07:30:00Z"' in shown
    assert "Mar 8, 3:30" in shown


def test_an_explanation_tells_its_webhooks_time_by_the_accounts_clock() -> None:
    words = "0 s × $0.05/min <b>, caused by webhook completed at 2026-03-08T07:30:00+00:00"
    with Flask(__name__).app_context():
        g.account = SimpleNamespace(time_zone="America/New_York")
        shown = figures.told(words)
    assert shown.startswith("0 s × $0.05/min &lt;b&gt;, caused by webhook completed at <time ")
    assert ">Mar 8, 2026, 3:30:00 AM EDT</time>" in shown


@pytest.mark.parametrize(
    "words, name",
    [
        (figures.country("CA"), "Canada"),
        (figures.country("ZZ"), "ZZ"),
        (figures.city("America/Argentina/Buenos_Aires"), "Buenos Aires"),
        (figures.city("UTC"), "UTC"),
        (figures.in_words("plan.not_moved"), "Plan: not moved"),
    ],
)
def test_what_only_programs_would_know_has_a_name(words: str, name: str) -> None:
    assert words == name


@pytest.mark.parametrize("caller", [None, ""])
def test_a_withheld_number_says_so(caller: str | None) -> None:
    assert figures.phone(caller) == "Withheld"


@pytest.mark.parametrize(
    "highest, top", [(0, 4), (3, 4), (5, 8), (11, 20), (41, 80), (81, 200), (999, 2000)]
)
def test_the_scale_ends_at_a_round_number_above_the_highest_day(highest: int, top: int) -> None:
    assert charts.scale_top(highest) == top


def test_a_bars_parts_stand_on_each_other_and_fit_under_the_top() -> None:
    day = DayUsage(dt.date(2026, 3, 4), calls=8, answered=6)
    bar = charts.calls_per_day([day]).bars[0]
    answered, missed = bar.parts
    assert missed.y + missed.height == pytest.approx(answered.y)
    assert missed.y >= charts.TOP
    assert bar.values == (6, 2)
