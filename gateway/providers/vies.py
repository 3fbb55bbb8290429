"""VIES, the European Union's register of VAT ids, by its REST API.

It asks the member state's own register and says `valid` or not; where it cannot, it answers
`actionSucceed: false` with errors such as MS_UNAVAILABLE, mostly with status 200. Only a plain
yes or no counts: whatever else comes means that nobody knows.
"""

from __future__ import annotations

from typing import Any, Final

import requests

from gateway.providers.telephony import ProviderError
from gateway.providers.vat_register import RegisterAnswer

URL: Final = "https://ec.europa.eu/taxation_customs/vies/rest-api"
TIMEOUT_SECONDS: Final = 15.0  # some states take nearly that long
OK: Final = 200
TEXT_LENGTH_MAX: Final = 120
ERRORS_TOLD: Final = 3
PREFIX: Final = 2
UNTOLD: Final = "---"  # for a name that the member state keeps to itself
SAYS_SO: Final = (None, "", "VALID", "INVALID")


class Vies:
    """`url` stands for VIES' own. A `requester`, our own VAT id, has VIES give a consultation
    number, which proves the look-up."""

    name = "VIES"

    def __init__(
        self, url: str = "", requester: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._url = f"{url or URL}/check-vat-number"
        self._requester = requester
        self._timeout_seconds = timeout_seconds

    def look_up(self, vat_id: str) -> RegisterAnswer:
        asked = {"countryCode": vat_id[:PREFIX], "vatNumber": vat_id[PREFIX:]}
        if self._requester:
            asked["requesterMemberStateCode"] = self._requester[:PREFIX]
            asked["requesterNumber"] = self._requester[PREFIX:]
        try:
            response = requests.post(
                self._url, json=asked, timeout=self._timeout_seconds, allow_redirects=False
            )
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise _unknown(f"answered {response.status_code} and no JSON") from error
        except requests.RequestException as error:
            raise _unknown(f"could not be reached: {type(error).__name__}") from error
        return _read(response.status_code, answer)


def _read(status: int, answer: Any) -> RegisterAnswer:
    if not isinstance(answer, dict):
        raise _unknown("answered something else than an object")
    if errors := _errors(answer):
        raise _unknown("did not say: " + ", ".join(errors))
    is_valid = answer.get("valid")
    if status != OK or not isinstance(is_valid, bool):
        raise _unknown(f"answered {status} without a yes or no")
    return RegisterAnswer(
        is_valid,
        _text(answer.get("requestDate")),
        _text(answer.get("requestIdentifier")),
        _text(answer.get("name")),
    )


def _errors(answer: dict[str, Any]) -> list[str]:
    wrapped = answer.get("errorWrappers")
    listed = wrapped if isinstance(wrapped, list) else []
    found = [_text(one.get("error")) for one in listed[:ERRORS_TOLD] if isinstance(one, dict)]
    if answer.get("userError") not in SAYS_SO:
        found.append(_text(answer["userError"]))
    if not found and answer.get("actionSucceed") is False:
        found.append("it gave no reason")
    return found


def _text(value: Any) -> str:
    """One line that prints."""
    if not isinstance(value, str) or value == UNTOLD:
        return ""
    plain = "".join(sign if sign.isprintable() else " " for sign in value)
    return " ".join(plain.split())[:TEXT_LENGTH_MAX]


def _unknown(words: str) -> ProviderError:
    return ProviderError(f"VIES {words}.", permanent=False)
