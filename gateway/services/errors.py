"""What a service refuses, named after the fact; edges map `status`, `code` and `words` once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """`path` is a JSON pointer into what was sent; `message` says what to do."""

    path: str
    message: str
    code: str = "invalid"


class ServiceError(Exception):
    """A deed that was not done. `words` are for the person who asked for it."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)


class NotFound(ServiceError):
    """Also what another tenant's id is answered with: whether it exists is not told."""

    code = "not_found"
    status = 404

    def __init__(self, noun: str, id: object) -> None:
        self.noun, self.id = noun, str(id)
        super().__init__(f"There is no {noun} {self.id!a} here.")


class Conflict(ServiceError):
    code = "conflict"
    status = 409


class Forbidden(ServiceError):
    code = "forbidden"
    status = 403


class NotForSale(ServiceError):
    """The account's plan sells no such thing; what it is and what else there is stands at `see`."""

    code = "not_for_sale"
    status = 403
    see: ClassVar[str] = "/billing/plan"


class Invalid(ServiceError):
    """Carries every complaint, so that one more try is enough."""

    code = "invalid"
    status = 422

    def __init__(self, errors: Iterable[FieldError], words: str = "") -> None:
        self.errors = tuple(errors)
        super().__init__(words or "; ".join(f"{e.path or '/'}: {e.message}" for e in self.errors))

    @classmethod
    def at(cls, path: str, message: str) -> "Invalid":
        return cls((FieldError(path, message),))


class SellerIncomplete(ServiceError):
    """What banks and tax offices want to know of the seller is not set."""

    code = "seller_incomplete"
    status = 409

    def __init__(self, deed: str, settings: tuple[str, ...]) -> None:
        self.settings = settings
        super().__init__(f"{deed} need settings of the operator's: {', '.join(settings)}.")


class BalanceTooLow(ServiceError):
    """The purchase costs more than the wallet holds; both in micros of the account's currency."""

    code = "balance_too_low"
    status = 402

    def __init__(self, words: str, *, needed_micros: int, balance_micros: int) -> None:
        self.needed_micros, self.balance_micros = needed_micros, balance_micros
        super().__init__(words)


class CarrierRefused(ServiceError):
    """The carrier answered no; `carrier_code` is its own number for why (21422: taken)."""

    code = "carrier_refused"
    status = 409

    def __init__(self, words: str, carrier_code: int | None = None) -> None:
        self.carrier_code = carrier_code
        super().__init__(words)


class CarrierUnreachable(ServiceError):
    """Nothing was bought or changed that we know of; the same request may be sent again."""

    code = "carrier_unreachable"
    status = 503
