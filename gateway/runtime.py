"""What a running process works with, as the edges see it. Made by `gateway.bootstrap`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from flask import current_app

from gateway.config import Settings
from gateway.links import PublicLinks
from gateway.providers.telephony import Telephony
from gateway.services.till import CardsNotTaken, Till
from gateway.uow import UnitsOfWork

EXTENSION = "ringledger"


@dataclass(frozen=True)
class Runtime:
    """No slots: `telephony` is made on first use, because loading Twilio's SDK costs 0.2 s and
    20 MB, which a web process that never buys a number does not pay."""

    settings: Settings
    units: UnitsOfWork
    links: PublicLinks
    connect_carrier: Callable[[], Telephony]
    till: Till | None = None

    @cached_property
    def telephony(self) -> Telephony:
        return self.connect_carrier()

    def cards(self) -> Till:
        """Raises `CardsNotTaken` where there is no payment provider."""
        if self.till is None:
            raise CardsNotTaken
        return self.till


def current() -> Runtime:
    """The runtime of the application that handles this request."""
    return cast(Runtime, current_app.extensions[EXTENSION])
