"""A bill shared out so that the shares sum to it, to the micro (M13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key")


def share_out(total_micros: int, weights: Mapping[Key, int]) -> dict[Key, int]:
    """Each weight's share by the largest remainder: rounded towards zero, then the micros that
    are left go to those who lost most, the earlier first where they lost the same.

    Where every weight is zero, all share alike. A negative total (a credit) is shared as its
    positive would be.
    """
    assert weights, "somebody has to bear the total"
    assert all(weight >= 0 for weight in weights.values()), "a weight is no debt"
    if total_micros < 0:
        return {key: -share for key, share in share_out(-total_micros, weights).items()}
    whole = sum(weights.values())
    if whole == 0:
        return share_out(total_micros, dict.fromkeys(weights, 1))
    divided = {key: divmod(total_micros * weight, whole) for key, weight in weights.items()}
    shares = {key: quotient for key, (quotient, _) in divided.items()}
    left = total_micros - sum(shares.values())
    for key in sorted(divided, key=lambda key: divided[key][1], reverse=True)[:left]:
        shares[key] += 1
    return shares


@dataclass(frozen=True, slots=True)
class ClientShare:
    """What one client of an agency bears: its own charges, and its part of what is shared."""

    own_micros: int
    shared_micros: int
    used_seconds: int

    @property
    def total_micros(self) -> int:
        return self.own_micros + self.shared_micros


def client_shares(
    shared_micros: int, own_micros: Mapping[Key, int], used_seconds: Mapping[Key, int]
) -> dict[Key, ClientShare]:
    """An agency's bill by client: the shared part (pool, packages, access) by seconds drawn.

    The totals sum to the shared part and all own charges together.
    """
    clients = list(dict.fromkeys((*own_micros, *used_seconds)))
    shared = share_out(shared_micros, {client: used_seconds.get(client, 0) for client in clients})
    return {
        client: ClientShare(own_micros.get(client, 0), shared[client], used_seconds.get(client, 0))
        for client in clients
    }
