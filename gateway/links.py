"""Every URL that the carrier is told, from PUBLIC_URL: strings in, strings out.

The signature covers the URL as the carrier calls it, so these are the only place that spells one.
"""

from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

# Connection overrides of a callback that means money: five more tries, also on 5xx and on
# timeouts. A fragment is never sent and never signed: twilio.com/docs/usage/webhooks/
# webhooks-connection-overrides (rc: retry count, rp: retry policy, ct/rt: connect/read timeout).
RETRIED = "#rc=5&rp=5xx,ct,rt"


@dataclass(frozen=True, slots=True)
class NumberUrls:
    """What is set on a number at the carrier; every one is called with POST."""

    voice_url: str
    voice_fallback_url: str
    status_callback: str
    sms_url: str


@dataclass(frozen=True, slots=True)
class CallLinks:
    """The URLs of one call. They carry tenant and CallSid, so that no callback needs a lookup.

    A cursor is a place in the routing plan; it may hold `/`, `!` and `~`, all percent-encoded,
    because the signature is computed over exactly these characters.
    """

    base: str

    def action(self, cursor: str) -> str:
        """Asked when a Dial has ended: what is next?"""
        return f"{self.base}/dial?at={quote(cursor, safe='')}"

    def leg(self, position: str, index: int) -> str:
        return f"{self.base}/leg?at={quote(position, safe='')}&n={index}{RETRIED}"

    def whisper(self, position: str, index: int) -> str:
        return f"{self.base}/whisper?at={quote(position, safe='')}&n={index}"

    def confirm(self, position: str, index: int) -> str:
        return f"{self.base}/confirm?at={quote(position, safe='')}&n={index}"

    def voicemail_done(self) -> str:
        return f"{self.base}/voicemail"

    def recording(self) -> str:
        return f"{self.base}/recording{RETRIED}"


@dataclass(frozen=True, slots=True)
class PublicLinks:
    """`public_url` has no slash at its end (gateway.config)."""

    public_url: str

    def number(self, tenant_id: UUID) -> NumberUrls:
        hooks = f"{self.public_url}/webhooks/twilio"
        return NumberUrls(
            voice_url=f"{hooks}/voice",
            voice_fallback_url=f"{hooks}/fallback",
            status_callback=f"{hooks}/status/{tenant_id.hex}{RETRIED}",
            sms_url=f"{hooks}/sms{RETRIED}",
        )

    def message_status(self, tenant_id: UUID, message_id: UUID) -> str:
        """Told what becomes of a text of ours; names it by our id, so that a text whose answer
        was lost is recognised by its first callback."""
        hooks = f"{self.public_url}/webhooks/twilio"
        return f"{hooks}/messages/{tenant_id.hex}/{message_id.hex}/status{RETRIED}"

    def call(self, tenant_id: UUID, call_sid: str) -> CallLinks:
        return CallLinks(f"{self.public_url}/webhooks/twilio/calls/{tenant_id.hex}/{call_sid}")
