"""Numbers are searched with their price, bought once, and asked to be released."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from gateway import db
from gateway.config import Settings
from gateway.links import PublicLinks
from gateway.providers.telephony import OfferedNumber, OutcomeUnknown, ProviderError
from gateway.services import accounts, audit, numbers, plans
from gateway.services.accounts import Account
from gateway.services.errors import (
    BalanceTooLow,
    CarrierRefused,
    CarrierUnreachable,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from gateway.services.numbers import Number
from gateway.store.ledger import PostingRow
from gateway.store.numbers import owner_of
from gateway.uow import UnitsOfWork

NUMBER = "+14155550123"
Buy = Callable[..., Number]


@pytest.fixture
def buy(units: UnitsOfWork, carrier: Any, links: PublicLinks) -> Buy:
    def order(account: Account, e164: str = NUMBER, key: str = "k1", **words: str) -> Number:
        return numbers.order_number(
            units,
            carrier,
            links,
            account.scope,
            e164=e164,
            actor="ann@acme.test",
            idempotency_key=key,
            **words,
        )

    return order


def rents(units: UnitsOfWork, account: Account) -> list[tuple[str, int, int]]:
    row = PostingRow
    with units.read() as uow:
        found = uow.connection.execute(
            select(row.key, row.amount_micros, row.balance_after_micros)
            .where(row.tenant_id == account.tenant_id, row.kind == "rental")
            .order_by(row.seq)
        )
        return [tuple(line) for line in found]  # type: ignore[misc]


def test_a_search_shows_the_price_before_the_purchase(
    units: UnitsOfWork, acme: Account, carrier: Any
) -> None:
    carrier.offers = (OfferedNumber(NUMBER, "San Francisco", "CA", "US", "local"),)
    with units.read() as uow:
        plan = plans.get_plan(uow, "payg").plan
    (found,) = numbers.search_available(carrier, plan, area_code="415")
    assert (found.e164, found.locality, found.inbound_per_minute_micros) == (
        NUMBER,
        "San Francisco",
        50_000,
    )
    assert found.rental_micros == plan.tariff.rental_per_month_micros("US", "local")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        pytest.param({"country": "JP"}, "/type", id="a country without a price"),
        pytest.param({"number_type": "mobile"}, "/type", id="a type without a price"),
        pytest.param({"area_code": "41"}, "/area_code", id="an area code of two digits"),
        pytest.param({"area_code": "٤١٥"}, "/area_code", id="Arabic digits"),
        pytest.param({"contains": "a;b"}, "/contains", id="a pattern with odd characters"),
    ],
)
def test_a_search_that_cannot_find_anything_is_refused(
    units: UnitsOfWork, acme: Account, carrier: Any, wanted: dict[str, str], path: str
) -> None:
    with units.read() as uow:
        plan = plans.get_plan(uow, "payg").plan
    with pytest.raises(Invalid) as refusal:
        numbers.search_available(carrier, plan, **wanted)
    assert path in [error.path for error in refusal.value.errors]


def test_a_purchase_posts_the_first_month_and_points_the_number_at_us(
    units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    number = buy(acme, "(415) 555-0123", label="Front desk", source="Google Ads")
    assert (number.e164, number.country, number.number_type) == (NUMBER, "US", "local")
    assert (number.status, number.label, number.source) == ("active", "Front desk", "Google Ads")
    rent = number.rental_micros
    assert rents(units, acme) == [(f"rent:{number.id}:1", rent, 50_000_000 - rent)]
    at_carrier = carrier.bought[number.carrier_sid]
    assert at_carrier.urls.voice_url == "https://calls.test/webhooks/twilio/voice"
    assert at_carrier.urls.voice_fallback_url == "https://calls.test/webhooks/twilio/fallback"
    assert at_carrier.urls.status_callback == (
        f"https://calls.test/webhooks/twilio/status/{acme.tenant_id.hex}#rc=5&rp=5xx,ct,rt"
    )
    with units.read() as uow:
        owner = owner_of(uow.connection, NUMBER)
        assert owner is not None and owner.did_id == number.id
        assert "number.bought" in [line.action for line in audit.trail(uow, acme.scope)]


def test_the_same_key_again_answers_the_same_number(
    units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    assert buy(acme) == buy(acme)
    assert carrier.purchases == 1 and len(rents(units, acme)) == 1


def test_the_same_key_for_another_number_is_a_conflict(acme: Account, fund: Any, buy: Buy) -> None:
    fund(acme, "50.00")
    buy(acme)
    with pytest.raises(Conflict):
        buy(acme, "+14155550199")


def test_an_empty_balance_buys_nothing_and_the_carrier_is_not_asked(
    bolt: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    with pytest.raises(BalanceTooLow) as refusal:
        buy(bolt)
    assert refusal.value.balance_micros == 0 < refusal.value.needed_micros
    assert carrier.purchases == 0
    fund(bolt, "50.00")
    assert buy(bolt).e164 == NUMBER, "the same key may be used again after a top-up"


def test_two_purchases_at_once_cannot_spend_the_same_balance(
    settings: Settings, units: UnitsOfWork, bolt: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    with units.read() as uow:
        rent = plans.get_plan(uow, "payg").plan.tariff.rental_per_month_micros("US", "local")
    assert rent is not None
    fund(bolt, f"{rent * 3 // 2 / 1e6:.6f}")
    outcomes: list[str] = []

    def one(index: int) -> None:
        try:
            buy(bolt, f"+141555501{index:02}", key=f"k{index}")
            outcomes.append("bought")
        except BalanceTooLow:
            outcomes.append("refused")

    threads = [threading.Thread(target=one, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["bought", "refused", "refused", "refused"]
    with units.read() as uow:
        assert accounts.get_account(uow, bolt.scope).balance_micros == rent * 3 // 2 - rent
    db.dispose()


def test_a_lost_answer_is_resolved_by_asking_not_by_buying_again(
    units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    carrier.next_failure, carrier.takes_effect = OutcomeUnknown("lost"), True
    number = buy(acme)
    assert carrier.purchases == 1
    assert carrier.bought[number.carrier_sid].e164 == NUMBER
    assert len(rents(units, acme)) == 1


def test_an_unknown_outcome_charges_nothing_until_the_sweep_knows(
    settings: Settings, units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    carrier.next_failure, carrier.takes_effect = OutcomeUnknown("lost"), True
    carrier.reachable = False
    with pytest.raises(CarrierUnreachable):
        buy(acme)
    assert rents(units, acme) == []
    carrier.reachable = True
    assert numbers.resolve_orders(units, carrier) == 0, "too early to ask"
    later = UnitsOfWork(units.engine, lambda: units.clock() + dt.timedelta(minutes=5))
    assert numbers.resolve_orders(later, carrier) == 1
    assert numbers.resolve_orders(later, carrier) == 0
    assert len(rents(units, acme)) == 1 and carrier.purchases == 1
    assert buy(acme).e164 == NUMBER, "the first request, sent again, gets its number"


def test_an_order_that_never_arrived_fails_in_the_end_and_frees_the_balance(
    units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    carrier.next_failure = OutcomeUnknown("lost")
    with pytest.raises(CarrierUnreachable):
        buy(acme)
    later = UnitsOfWork(units.engine, lambda: units.clock() + dt.timedelta(minutes=11))
    assert numbers.resolve_orders(later, carrier) == 1
    with pytest.raises(CarrierRefused, match="never received"):
        buy(acme)
    assert carrier.bought == {} and rents(units, acme) == []


def test_a_number_that_somebody_else_took_is_refused_in_the_carriers_words(
    units: UnitsOfWork, acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    carrier.next_failure = ProviderError("Just taken.", permanent=True, code=21422)
    with pytest.raises(CarrierRefused, match="Just taken") as refusal:
        buy(acme)
    assert refusal.value.carrier_code == 21422
    assert rents(units, acme) == []


def test_a_carrier_that_is_away_may_be_asked_again_with_the_same_key(
    acme: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    carrier.next_failure = ProviderError("away", permanent=False)
    with pytest.raises(CarrierUnreachable):
        buy(acme)
    assert buy(acme).e164 == NUMBER


def test_a_number_that_is_ours_already_is_not_bought(
    acme: Account, cobalt: Account, carrier: Any, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    fund(cobalt, "50.00")
    buy(acme)
    with pytest.raises(Conflict):
        buy(cobalt)
    assert carrier.purchases == 1


def test_a_suspended_account_buys_nothing(
    units: UnitsOfWork, acme: Account, fund: Any, buy: Buy
) -> None:
    from gateway.services import ledger

    fund(acme, "50.00")
    with units.begin() as uow:
        ledger.adjust(
            uow,
            acme.scope,
            amount_micros=-60_000_000,
            reason="test",
            actor="olga",
            idempotency_key="a1",
        )
    with pytest.raises(Forbidden):
        buy(acme)


@pytest.mark.parametrize("typed", ["", "12", "+1900555012x", "+19005550123", "+81312345678"])
def test_what_is_not_for_sale_is_refused_at_its_field(
    acme: Account, fund: Any, buy: Buy, typed: str
) -> None:
    fund(acme, "50.00")
    with pytest.raises(Invalid) as refusal:
        buy(acme, typed)
    assert refusal.value.errors[0].path == "/phone_number"


def test_labels_change_and_release_is_asked_for_once(
    units: UnitsOfWork, acme: Account, carrier: Any, links: PublicLinks, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    number = buy(acme)
    with units.begin() as uow:
        changed = numbers.update_number(
            uow, acme.scope, number.id, label="Desk", source=" Bing ", actor="ann"
        )
        assert (changed.label, changed.source) == ("Desk", "Bing")
        with pytest.raises(Invalid):
            numbers.update_number(uow, acme.scope, number.id, label="x" * 81, actor="ann")
        first = numbers.request_release(uow, acme.scope, number.id, "ann")
        again = numbers.request_release(uow, acme.scope, number.id, "ann")
        actions = [line.action for line in audit.trail(uow, acme.scope)]
    assert first.status == "releasing" and first == again
    assert actions.count("number.release_requested") == 1
    numbers.configure_on_carrier(carrier, links, number)
    assert carrier.configured == [(number.carrier_sid, links.number(acme.tenant_id))]


def test_cobalt_sees_and_changes_nothing_of_acmes(
    units: UnitsOfWork, acme: Account, cobalt: Account, fund: Any, buy: Buy
) -> None:
    fund(acme, "50.00")
    number = buy(acme)
    with units.begin() as uow:
        assert numbers.every_number(uow, cobalt.scope) == ()
        assert numbers.every_number(uow, acme.scope) == (number,)
        for deed in (
            lambda: numbers.get_number(uow, cobalt.scope, number.id),
            lambda: numbers.update_number(uow, cobalt.scope, number.id, label="x", actor="c"),
            lambda: numbers.request_release(uow, cobalt.scope, number.id, "c"),
        ):
            with pytest.raises(NotFound):
                deed()
