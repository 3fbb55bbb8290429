"""Wiring: settings, engine, carrier and links become one runtime. The only place with a clock."""

import datetime as dt

from gateway import db, logs
from gateway.config import Settings, load_settings
from gateway.links import PublicLinks
from gateway.providers.telephony import Telephony
from gateway.runtime import Runtime
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
    )


def _connect_carrier(settings: Settings) -> Telephony:
    # Not at the top: see Runtime.
    from gateway.providers.twilio_rest import TwilioTelephony

    return TwilioTelephony(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token,
        api_url=settings.twilio_api_url,
    )
