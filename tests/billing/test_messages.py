import pytest

from billing.messages import (
    MessagePrices,
    MessageRate,
    MessageRefused,
    MessageStatus,
    MessageUnit,
    MessageUsage,
    RatedMessage,
    may_send,
    rate_message,
)

OUTBOUND = {
    "1": MessageRate(15_000, "United States & Canada", "1"),
    "44": MessageRate(40_000, "United Kingdom", "44"),
    "447": MessageRate(45_000, "United Kingdom - Mobile", "447"),
}


def prices(
    unit: MessageUnit = "segment", charge_failed: bool = False, undelivered: bool = False
) -> MessagePrices:
    return MessagePrices(
        10_000, OUTBOUND, unit, charge_failed, charge_undelivered=charge_failed or undelivered
    )


def outbound(
    segments: int, to: str = "+14155550101", status: MessageStatus = MessageStatus.DELIVERED
) -> MessageUsage:
    return MessageUsage("outbound", status, segments, to)


@pytest.mark.parametrize("segments", [1, 2, 10])
def test_s5_04_an_inbound_message_always_costs_one_cent(segments: int) -> None:
    usage = MessageUsage("inbound", MessageStatus.RECEIVED, segments)
    assert rate_message(usage, prices()) == RatedMessage(1, 10_000, 10_000, "message")


@pytest.mark.parametrize(
    "usage, under, charge_micros",
    [
        pytest.param(outbound(1), prices(), 15_000, id="S5-05 one segment to the US"),
        pytest.param(outbound(3), prices(), 45_000, id="S5-07 three segments"),
        pytest.param(outbound(3), prices("message"), 15_000, id="C19 three segments, one message"),
        pytest.param(outbound(2, "+442079460000"), prices(), 80_000, id="S5-05 London"),
        pytest.param(outbound(2, "+447700900000"), prices(), 90_000, id="S5-05 longest prefix"),
        pytest.param(
            outbound(2, status=MessageStatus.FAILED), prices(), 0, id="S5-03 failed: not charged"
        ),
        pytest.param(
            outbound(2, status=MessageStatus.UNDELIVERED), prices(), 0, id="S5-03 undelivered: free"
        ),
        pytest.param(
            outbound(2, status=MessageStatus.FAILED),
            prices(charge_failed=True),
            30_000,
            id="S5-03 failed: charged where the plan says so",
        ),
        pytest.param(
            outbound(2, status=MessageStatus.UNDELIVERED),
            prices(undelivered=True),
            30_000,
            id="S5-03 undelivered: charged, as the carrier does",
        ),
        pytest.param(
            outbound(2, status=MessageStatus.FAILED),
            prices(undelivered=True),
            0,
            id="S5-03 failed: free beside it",
        ),
    ],
)
def test_an_outbound_message_costs_units_times_the_price_of_its_country(
    usage: MessageUsage, under: MessagePrices, charge_micros: int
) -> None:
    rated = rate_message(usage, under)
    assert isinstance(rated, RatedMessage)
    assert rated.charge_micros == rated.units * rated.price_micros == charge_micros


def test_s5_05_a_message_without_a_price_is_refused_never_free() -> None:
    for refused in (may_send("+33612345678", prices()), may_send("+14155550101", None)):
        assert isinstance(refused, MessageRefused) and refused.words
    assert isinstance(rate_message(outbound(1, "+33612345678"), prices()), MessageRefused)
