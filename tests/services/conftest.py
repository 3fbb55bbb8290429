"""The cast, on a real database: Acme is funded, Bolt is empty, Cobalt is a stranger, Olga staff."""

import datetime as dt
from collections.abc import Callable

import pytest
from shelf import put_on_sale

from billing.money import parse_amount
from gateway import db
from gateway.config import Settings
from gateway.links import NumberUrls, PublicLinks
from gateway.providers.telephony import CarrierNumber, OfferedNumber, ProviderError
from gateway.services import accounts, ledger, numbers
from gateway.services.accounts import Account, NewAccount
from gateway.services.numbers import Number
from gateway.store.base import new_id
from gateway.uow import UnitsOfWork

NOON = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)  # noon in New York, a Wednesday
OLGA = "olga@ringledger.test"


@pytest.fixture
def units(settings: Settings) -> UnitsOfWork:
    return UnitsOfWork(db.engine_for(settings.database_url), lambda: NOON)


@pytest.fixture
def on_sale(units: UnitsOfWork) -> None:
    """The catalogue and the carrier's tariff are published."""
    put_on_sale(units, OLGA)


def _open(units: UnitsOfWork, name: str) -> Account:
    with units.begin() as uow:
        return accounts.create_account(
            uow,
            NewAccount(
                name=name,
                billing_email=f"billing@{name.lower()}.test",
                plan_code="payg",
                email_is_confirmed=True,
            ),
            OLGA,
        )


@pytest.fixture
def acme(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Acme")


@pytest.fixture
def bolt(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Bolt")


@pytest.fixture
def cobalt(units: UnitsOfWork, on_sale: None) -> Account:
    return _open(units, "Cobalt")


class FakeCarrier:
    """A shop with every number that it is asked for; `next_failure` happens to the next purchase,
    before or after it took effect."""

    def __init__(self) -> None:
        self.bought: dict[str, CarrierNumber] = {}
        self.purchases = 0
        self.configured: list[tuple[str, NumberUrls]] = []
        self.next_failure: ProviderError | None = None
        self.takes_effect = False
        self.reachable = True
        self.offers: tuple[OfferedNumber, ...] = ()

    def search_numbers(self, **wanted: object) -> tuple[OfferedNumber, ...]:
        return self.offers

    def buy_number(self, e164: str, *, friendly_name: str, urls: NumberUrls) -> CarrierNumber:
        self.purchases += 1
        failure, self.next_failure = self.next_failure, None
        if failure is not None and not self.takes_effect:
            raise failure
        if any(number.e164 == e164 for number in self.bought.values()):
            raise ProviderError("taken", permanent=True, code=21422)
        sid = f"PN{len(self.bought):032x}"
        self.bought[sid] = CarrierNumber(sid, e164, friendly_name, urls)
        if failure is not None:
            raise failure
        return self.bought[sid]

    def find_number(self, *, friendly_name: str = "", e164: str = "") -> CarrierNumber | None:
        if not self.reachable:
            raise ProviderError("away", permanent=False)
        for number in self.bought.values():
            if friendly_name in ("", number.friendly_name) and e164 in ("", number.e164):
                return number
        return None

    def update_number(self, sid: str, urls: NumberUrls) -> CarrierNumber:
        self.configured.append((sid, urls))
        return self.bought[sid]


@pytest.fixture
def carrier() -> FakeCarrier:
    return FakeCarrier()


@pytest.fixture
def links() -> PublicLinks:
    return PublicLinks("https://calls.test")


@pytest.fixture
def fund(units: UnitsOfWork) -> Callable[..., None]:
    """Top an account up by hand: `fund(acme, "50.00")`."""

    def pay(account: Account, amount: str) -> None:
        with units.begin() as uow:
            ledger.top_up(
                uow,
                account.scope,
                amount_micros=parse_amount(amount),
                method="manual",
                reason="test money",
                actor=OLGA,
                idempotency_key=str(new_id()),
            )

    return pay


@pytest.fixture
def desk(
    units: UnitsOfWork,
    carrier: FakeCarrier,
    links: PublicLinks,
    acme: Account,
    fund: Callable[..., None],
) -> Number:
    """Acme's tracking number, Acme having 50.00 less the first month's rent."""
    fund(acme, "50.00")
    return numbers.order_number(
        units,
        carrier,  # type: ignore[arg-type]
        links,
        acme.scope,
        e164="+14155550100",
        label="Front desk",
        source="Google Ads",
        actor="ann@acme.test",
        idempotency_key="desk",
    )
