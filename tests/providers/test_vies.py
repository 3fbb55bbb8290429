"""VIES: only a plain yes or no counts; whatever else it says means that nobody knows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from register import DATE, StandIn, no, stand_in, unable, yes

from gateway.bootstrap import connect_vat_register
from gateway.config import Settings
from gateway.providers.telephony import ProviderError
from gateway.providers.vat_register import RegisterAnswer
from gateway.providers.vies import Vies

ID = "DE136695976"


@pytest.fixture
def vies() -> Iterator[StandIn]:
    with stand_in() as opened:
        yield opened


@pytest.mark.parametrize(
    "told, answer",
    [
        (yes("ACME GMBH", "WAPIAAAA"), RegisterAnswer(True, DATE, "WAPIAAAA", "ACME GMBH")),
        (yes("---"), RegisterAnswer(True, DATE)),
        (yes("ACME\n\0 GMBH"), RegisterAnswer(True, DATE, "", "ACME GMBH")),
        (no(), RegisterAnswer(False, DATE)),
    ],
)
def test_s5_19_a_plain_yes_or_no_is_read(
    vies: StandIn, told: tuple[int, bytes], answer: RegisterAnswer
) -> None:
    vies.says(told)
    assert Vies(vies.url).look_up(ID) == answer
    assert vies.asked == [{"countryCode": "DE", "vatNumber": "136695976"}]


@pytest.mark.parametrize(
    "told, words",
    [
        (unable("MS_UNAVAILABLE"), "MS_UNAVAILABLE"),
        (unable("GLOBAL_MAX_CONCURRENT_REQ"), "GLOBAL_MAX_CONCURRENT_REQ"),
        (unable("INVALID_INPUT", 400), "INVALID_INPUT"),
        ((500, no()[1]), "answered 500"),
        ((200, b'{"actionSucceed": false}'), "no reason"),
        ((200, json.dumps({"valid": False, "userError": "TIMEOUT"}).encode()), "TIMEOUT"),
        ((200, b'{"valid": "false"}'), "without a yes or no"),
        ((200, b"{}"), "without a yes or no"),
        ((200, b"[false]"), "something else"),
        ((200, b"<html>Maintenance</html>"), "no JSON"),
        ((200, b"\xff\xfe\x00"), "no JSON"),
        ((302, b""), "no JSON"),
    ],
)
def test_s5_19_whatever_else_comes_is_never_a_no(
    vies: StandIn, told: tuple[int, bytes], words: str
) -> None:
    vies.says(told)
    with pytest.raises(ProviderError, match=words) as silence:
        Vies(vies.url).look_up(ID)
    assert not silence.value.permanent


def test_s5_19_one_that_is_slow_or_away_is_never_a_no(vies: StandIn) -> None:
    vies.says(no())
    vies.is_slow = True
    with pytest.raises(ProviderError, match="could not be reached"):
        Vies(vies.url, timeout_seconds=0.05).look_up(ID)
    with pytest.raises(ProviderError, match="could not be reached"):
        Vies("http://127.0.0.1:9").look_up(ID)


@pytest.mark.parametrize(
    "country, seller, requester",
    [
        (
            "DE",
            "de 129 273 398",
            {"requesterMemberStateCode": "DE", "requesterNumber": "129273398"},
        ),
        ("GR", "EL 094259216", {"requesterMemberStateCode": "EL", "requesterNumber": "094259216"}),
        ("GB", "GB980780684", {}),
        ("US", "", {}),
        ("DE", "", {}),
    ],
)
def test_a_seller_of_the_union_asks_in_its_own_name(
    vies: StandIn, settings: Settings, country: str, seller: str, requester: Any
) -> None:
    vies.says(yes())
    chosen = settings.model_copy(
        update={
            "vat_check": "ask",
            "vies_url": vies.url,
            "seller_country": country,
            "seller_vat_id": seller,
        }
    )
    register = connect_vat_register(chosen)
    assert register is not None and register.look_up("EL094259216").is_valid
    assert vies.asked == [{"countryCode": "EL", "vatNumber": "094259216"} | requester]


def test_nobody_is_asked_unless_the_operator_says_so(settings: Settings) -> None:
    assert settings.vat_check == "off" and connect_vat_register(settings) is None
