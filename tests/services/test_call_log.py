"""The call log: found, filtered, paged, exported, and never another account's."""

import csv
import datetime as dt
import io

import pytest

from gateway.services import call_log
from gateway.services.accounts import Account
from gateway.services.call_log import Filter
from gateway.services.errors import Invalid, NotFound
from gateway.services.spreadsheet import csv_lines, safe_cell
from gateway.store import call_log as store
from gateway.uow import UnitsOfWork
from routing.numbering import pretty
from tests.services.history import DESK, MOBILE, START, History, Target


@pytest.fixture
def acmes(units: UnitsOfWork, acme: Account) -> History:
    return History(units, acme)


def _sids(units: UnitsOfWork, history: History, **filter: object) -> list[str]:
    with units.read() as uow:
        page = call_log.list_calls(uow, history.scope, Filter(**filter))  # type: ignore[arg-type]
    return [call.call_sid for call in page.items]


def test_a_forwarded_call_shows_both_legs_with_seconds_rate_and_charge(
    units: UnitsOfWork, acmes: History
) -> None:
    number = acmes.number("+14155550100", "Front desk", "Google")
    call_sid = acmes.call(number, Target(MOBILE, talk=83), Target(DESK), source="Google")
    with units.read() as uow:
        (call,) = call_log.list_calls(uow, acmes.scope).items
    assert (call.call_sid, call.outcome, call.label) == (call_sid, "answered", "Front desk")
    assert [leg.direction for leg in call.legs] == ["inbound", "outbound", "outbound"]
    inbound = call.legs[0]
    assert (inbound.billed_seconds, inbound.rate_micros, inbound.charge_micros) == (
        83,
        50_000,
        69_166,
    )
    assert call.winner is not None and call.winner.to == MOBILE
    loser = next(leg for leg in call.legs if leg.to == DESK)
    assert (loser.charge_micros, loser.won) == (0, False)
    assert call.charge_micros == sum(leg.charge_micros or 0 for leg in call.legs)


def test_a_charge_is_unknown_until_every_leg_is_settled(units: UnitsOfWork, acmes: History) -> None:
    number = acmes.number("+14155550100")
    acmes.call(number, Target(MOBILE, talk=60), settle=False)
    with units.read() as uow:
        (call,) = call_log.list_calls(uow, acmes.scope).items
    assert call.charge_micros is None
    assert call.outcome == "answered", "the legs tell who talked before settlement does"
    acmes.settle()
    with units.read() as uow:
        (call,) = call_log.list_calls(uow, acmes.scope).items
    assert call.charge_micros and call.charge_micros > 0


def test_pages_show_every_call_once_newest_first_also_when_they_start_together(
    units: UnitsOfWork, acmes: History
) -> None:
    number = acmes.number("+14155550100")
    times = [START + dt.timedelta(seconds=second // 3) for second in range(11)]
    made = {acmes.call(number, at=at, settle=False) for at in times}
    seen: list[call_log.CallLine] = []
    after = None
    while True:
        with units.read() as uow:
            page = call_log.list_calls(uow, acmes.scope, None, after, 4)
        assert len(page.items) <= 4
        seen += page.items
        after = page.next
        if after is None:
            break
    assert len(seen) == len(made) and {call.call_sid for call in seen} == made
    assert [call.started_at for call in seen] == sorted(times, reverse=True)


def test_calls_are_found_by_number_source_outcome_caller_and_time(
    units: UnitsOfWork, acmes: History
) -> None:
    front, back = acmes.number("+14155550100"), acmes.number("+14155550109")
    day = dt.timedelta(days=1)
    answered = acmes.call(front, Target(talk=9), source="Google", at=START)
    missed = acmes.call(front, Target(), source="Radio", caller=None, at=START + day)
    voicemail = acmes.call(back, Target(), voicemail=True, talk=20, at=START + 2 * day)
    refused = acmes.call(back, refused="no_balance", at=START + 3 * day)
    live = acmes.call(back, Target(talk=1), ended=False, at=START + 4 * day)
    assert _sids(units, acmes) == [live, refused, voicemail, missed, answered]
    assert _sids(units, acmes, number_id=front) == [missed, answered]
    assert _sids(units, acmes, source="Radio") == [missed]
    for outcome, expected in (
        ("answered", answered),
        ("missed", missed),
        ("voicemail", voicemail),
        ("refused", refused),
        ("live", live),
    ):
        assert _sids(units, acmes, status=outcome) == [expected], outcome
    assert missed not in _sids(units, acmes, caller="5550199")
    assert answered in _sids(units, acmes, caller="5550199")
    assert answered in _sids(units, acmes, caller="(212) 555-01"), "as people write it"
    assert _sids(units, acmes, caller="anon") == [missed]
    assert _sids(units, acmes, since=START + day, until=START + 3 * day) == [voicemail, missed]


def test_a_sparse_filter_searches_in_stretches_and_loses_nothing(
    units: UnitsOfWork, acmes: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SCAN_MAX", 3)
    number = acmes.number("+14155550100")
    wanted = [
        acmes.call(
            number,
            source="Radio" if n in (0, 5, 9) else "Google",
            at=START + dt.timedelta(minutes=n),
            settle=False,
        )
        for n in range(10)
    ]
    found, after, pages = [], None, 0
    while True:
        with units.read() as uow:
            page = call_log.list_calls(uow, acmes.scope, Filter(source="Radio"), after, 5)
        found += [call.call_sid for call in page.items]
        pages += 1
        after = page.next
        if after is None:
            break
    assert found == [wanted[9], wanted[5], wanted[0]]
    assert pages > 1, "the search stops and goes on"


def test_cobalt_sees_nothing_of_acmes_calls(
    units: UnitsOfWork, acmes: History, cobalt: Account
) -> None:
    call_sid = acmes.call(acmes.number("+14155550100"), Target(talk=30))
    recording_sid = acmes.voicemail(call_sid, b"sound")
    with units.read() as uow:
        assert call_log.list_calls(uow, cobalt.scope).items == ()
        with pytest.raises(NotFound):
            call_log.get_call(uow, cobalt.scope, call_sid)
        with pytest.raises(NotFound):
            call_log.get_recording(uow, cobalt.scope, call_sid, recording_sid)


def test_a_call_is_told_from_its_webhooks(units: UnitsOfWork, acmes: History) -> None:
    call_sid = acmes.call(acmes.number("+14155550100"), Target(MOBILE, talk=83), Target(DESK))
    with units.read() as uow:
        detail = call_log.get_call(uow, acmes.scope, call_sid)
    words = [event.words for event in detail.timeline]
    assert words[0] == "(212) 555-0199 called (415) 555-0100"
    assert f"{pretty(MOBILE)} hung up after 83 s" in words
    assert f"{pretty(DESK)} did not answer" in words
    assert [line.amount_micros for line in detail.postings] != []
    assert sum(line.amount_micros for line in detail.postings) == -(detail.call.charge_micros or 0)


def test_a_voicemail_is_played_once_its_sound_is_fetched(
    units: UnitsOfWork, acmes: History
) -> None:
    number = acmes.number("+14155550100")
    waiting = acmes.call(number, voicemail=True, talk=12)
    fetched = acmes.call(number, voicemail=True, talk=12)
    acmes.voicemail(waiting, None)
    recording_sid = acmes.voicemail(fetched, b"ID3")
    with units.read() as uow:
        (recording,) = call_log.get_call(uow, acmes.scope, waiting).recordings
        assert not recording.has_media
        with pytest.raises(NotFound):
            call_log.get_recording(uow, acmes.scope, waiting, recording.recording_sid)
        sound = call_log.get_recording(uow, acmes.scope, fetched, recording_sid)
    assert (sound.media_type, sound.media) == ("audio/mpeg", b"ID3")


@pytest.mark.parametrize("sid", ["", "CA1", "CA" + "g" * 32, "CA\0", "x' or 1=1 --"])
def test_what_is_no_call_sid_is_not_found(units: UnitsOfWork, acmes: History, sid: str) -> None:
    with units.read() as uow, pytest.raises(NotFound):
        call_log.get_call(uow, acmes.scope, sid)


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQpDQQ"])
def test_a_made_up_cursor_is_refused_in_words(
    units: UnitsOfWork, acmes: History, cursor: str
) -> None:
    with units.read() as uow, pytest.raises(Invalid) as refusal:
        call_log.list_calls(uow, acmes.scope, None, cursor)
    assert refusal.value.errors[0].path == "/after"


@pytest.mark.parametrize(
    "text, cell",
    [
        pytest.param("+14155550101", "'+14155550101", id="I3 a phone number is no sum"),
        pytest.param("=1+1", "'=1+1", id="I3 an equals sign"),
        pytest.param("-2", "'-2", id="I3 a minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="I3 an at sign"),
        pytest.param("\t=1", "'\t=1", id="I3 a tab"),
        pytest.param("\r=1", "'\r=1", id="I3 a carriage return"),
        pytest.param("\0=1", "'=1", id="I3 a NUL is dropped"),
        pytest.param("Front desk", "Front desk", id="words stay"),
    ],
)
def test_no_cell_of_a_csv_is_taken_for_a_formula(text: str, cell: str) -> None:
    assert safe_cell(text) == cell


def test_the_csv_holds_every_call_and_opens_safely(units: UnitsOfWork, acmes: History) -> None:
    number = acmes.number("+14155550100", label='=HYPERLINK("http://evil")')
    for n in range(3):
        acmes.call(number, Target(MOBILE, talk=60), at=START + dt.timedelta(minutes=n))
    rows = call_log.export_rows(units, acmes.scope, Filter(), "USD")
    header, *lines = csv.reader(io.StringIO("".join(csv_lines(rows))))
    assert len(lines) == 3
    first = dict(zip(header, lines[0], strict=True))
    assert first["label"] == '\'=HYPERLINK("http://evil")'
    assert first["forwarded_to"] == "'" + MOBILE
    assert first["billed_seconds"] == "120"
    assert first["currency"] == "USD"
