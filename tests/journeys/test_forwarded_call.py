"""A call comes in, the right phones ring, both legs are metered, the balance pays."""

from world import FRONT_DESK, MOBILE, World

from gateway.store.calls import CallRow
from gateway.store.legs import LegRow


def test_s5_11_a_forwarded_call_costs_two_charges_and_the_loser_costs_nothing(stage: World) -> None:
    acme = stage.join("Acme")
    stage.person(FRONT_DESK, talks=83)
    stage.nobody(MOBILE)

    call_sid = stage.call(acme.e164)
    assert stage.settle() == 3

    legs = {leg.to_address: leg for leg in stage.rows(LegRow, acme.scope)}
    assert legs[acme.e164].charge_micros == 69_166  # 83 s × $0.05/min, rounded down
    assert legs[FRONT_DESK].talk_seconds == 83
    assert legs[MOBILE].charge_micros == 0
    (call,) = stage.rows(CallRow, acme.scope)
    assert (call.call_sid, call.status) == (call_sid, "completed")
    assert call.won_leg_sid == legs[FRONT_DESK].leg_sid
    spent = legs[acme.e164].charge_micros + legs[FRONT_DESK].charge_micros
    assert stage.balance(acme.scope) == 50_000_000 - spent
    stage.prove_ledger()
