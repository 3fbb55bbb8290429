"""Wiring: settings, engine, carrier and links become one runtime. The only place with a clock."""

import datetime as dt

from billing.vat_ids import InvalidVatId, is_in_vies, parse_vat_id
from gateway import db, logs
from gateway.config import Settings, load_settings
from gateway.links import PublicLinks
from gateway.providers.payments import PaymentProvider
from gateway.providers.telephony import Telephony
from gateway.providers.vat_register import VatRegister
from gateway.runtime import Runtime
from gateway.services.till import Till
from gateway.uow import UnitsOfWork


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def build_runtime(settings: Settings | None = None) -> Runtime:
    """Opens nothing yet: the first statement connects, the first carrier request loads the SDK."""
    chosen = settings or load_settings()
    logs.configure(chosen.log_level)
    return Runtime(
        settings=chosen,
        units=UnitsOfWork(db.engine_for(chosen.database_url), utc_now),
        links=PublicLinks(chosen.public_url),
        connect_carrier=lambda: _connect_carrier(chosen),
        till=_till(chosen),
    )


def _till(settings: Settings) -> Till | None:
    if not settings.takes_cards:
        return None
    return Till(
        name="sandbox" if settings.sandbox_cards else "stripe",
        seller_country=settings.seller_country,
        public_url=settings.public_url,
        connect=lambda: _connect_cards(settings),
    )


def _connect_cards(settings: Settings) -> PaymentProvider:
    # Not at the top: see Till.
    from gateway.providers.stripe_cards import StripeCards

    if settings.sandbox_cards:
        return StripeCards(
            api_key=settings.sandbox_card_key,
            webhook_secret=settings.sandbox_card_secret,
            api_url=settings.sandbox_url,
            name="sandbox",
        )
    return StripeCards(
        api_key=settings.stripe_api_key, webhook_secret=settings.stripe_webhook_secret
    )


def _connect_carrier(settings: Settings) -> Telephony:
    # Not at the top: see Runtime.
    from gateway.providers.twilio_rest import TwilioTelephony

    return TwilioTelephony(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token,
        api_url=settings.twilio_api_url,
    )


def connect_vat_register(settings: Settings) -> VatRegister | None:
    """None: nobody is asked. The seller's own id, where it is one of the Union's, has the register
    give consultation numbers."""
    if settings.vat_check == "off":
        return None
    # Not at the top: most installations ask nobody.
    from gateway.providers.vies import Vies

    try:
        seller = parse_vat_id(settings.seller_vat_id, settings.seller_country)
    except InvalidVatId:
        seller = ""
    return Vies(settings.vies_url, seller if is_in_vies(seller, settings.seller_country) else "")
