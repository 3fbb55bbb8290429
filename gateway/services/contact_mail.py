"""The mail with the link that confirms a billing address."""

from __future__ import annotations

from gateway.config import Settings
from gateway.providers.mail import Mailer
from gateway.services import contacts, notices
from gateway.services.accounts import Account
from gateway.services.deeds import Handler
from gateway.services.notices import Payload
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork

PATH = "/confirm-email"


def handlers(units: UnitsOfWork, mailer: Mailer, settings: Settings) -> dict[str, Handler]:
    """The token is made here, from the deed's nonce and the operator's key, so that no queue and
    no copy of a delivered mail holds it."""

    def mail(deed: DueDeed) -> None:
        to, nonce = deed.payload["to"], deed.payload["nonce"]
        token = contacts.token_of(settings.secret_key, deed.account_id, to, nonce)

        def compose(account: Account, payload: Payload, url: str) -> tuple[str, str]:
            return (
                f"{account.name}: confirm this address",
                f"Hello,\n\nbills and warnings of {account.name} are to come to {payload['to']}."
                f" If that is right, open this link within three days:\n\n"
                f"{url}{PATH}?token={token}\n\n"
                "If you know nothing of it, do nothing.\n",
            )

        notices.send(units, mailer, settings.public_url, deed, compose, secret=token)

    return {contacts.MAIL: mail}
