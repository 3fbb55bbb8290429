"""Refusals of the REST API, and faults of a document, by Twilio's own numbers."""

from dataclasses import dataclass


class CarrierError(Exception):
    """Answered as `{code, message, more_info, status}`."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def document(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


class TwimlError(Exception):
    """A document that cannot be fetched or executed: ask the fallback URL, or end the call."""

    def __init__(self, code: int, message: str, url: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.url = code, message, url


@dataclass(frozen=True, slots=True)
class Notification:
    """An entry of the carrier's debugger: what a customer reads when a call went wrong."""

    at: str
    call_sid: str
    code: int
    message: str
    url: str = ""


def not_found(path: str) -> CarrierError:
    return CarrierError(404, 20404, f"The requested resource {path} was not found")


def authentication_failed() -> CarrierError:
    return CarrierError(401, 20003, "Authenticate")


def too_many_requests() -> CarrierError:
    return CarrierError(429, 20429, "Too Many Requests")
