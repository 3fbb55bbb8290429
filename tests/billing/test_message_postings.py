"""The lines and the explanation of a text."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.explain import ReceiptRef
from billing.explain_message import explain_message
from billing.message_postings import (
    message_cost_posting,
    message_key,
    message_posting,
    message_sid_of,
)
from billing.messages import (
    MessagePrices,
    MessageRate,
    MessageStatus,
    MessageUnit,
    MessageUsage,
    RatedMessage,
    is_final,
    message_rank,
    rate_message,
)

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
ACME, PLAN = UUID(int=7), UUID(int=9)
SID = "SM" + "0" * 32


def prices(unit: MessageUnit = "segment", **more: bool | MessageUnit) -> MessagePrices:
    usa = {"1": MessageRate(15_000, "United States & Canada", "1")}
    return MessagePrices(10_000, usa, unit, **({"charge_failed": False} | more))  # type: ignore[arg-type]


def rated(usage: MessageUsage, under: MessagePrices) -> RatedMessage:
    found = rate_message(usage, under)
    assert isinstance(found, RatedMessage)
    return found


def sent(segments: int, status: MessageStatus = MessageStatus.DELIVERED) -> MessageUsage:
    return MessageUsage("outbound", status, segments, "+14155550101")


RECEIVED = MessageUsage("inbound", MessageStatus.RECEIVED, 4)


def test_a_text_takes_from_the_wallet_and_names_itself_by_its_key() -> None:
    line = message_posting(
        sent(3),
        rated(sent(3), prices()),
        amount=45_000,
        unit="USD",
        at=NOW,
        account_id=ACME,
        balance_before=50_000_000,
        message_sid=SID,
        plan_version_id=PLAN,
        receipt_id=None,
    )
    assert (line.key, line.kind, line.amount) == (f"sms:{SID}:0", "sms", 45_000)
    assert (line.debit, line.credit) == (f"wallet:{ACME.hex}", "revenue")
    assert (line.balance_after, line.rate_micros) == (49_955_000, 15_000)
    assert message_sid_of(line.key) == SID and line.key == message_key(SID)
    assert message_sid_of(f"usage:{SID}:0") is None


def test_the_carriers_cost_moves_no_customers_money() -> None:
    line = message_cost_posting(
        rated(RECEIVED, prices(inbound_unit="segment")),
        unit="USD",
        at=NOW,
        account_id=ACME,
        message_sid=SID,
        plan_version_id=PLAN,
        receipt_id=None,
    )
    assert (line.key, line.amount, line.balance_after) == (f"cost:{SID}:0", 40_000, None)


@pytest.mark.parametrize(
    "usage, under, words",
    [
        pytest.param(
            sent(3),
            prices(),
            "3 segments to United States & Canada × $0.015",
            id="S5-07 three segments",
        ),
        pytest.param(
            sent(3), prices("message"), "1 message to United States & Canada", id="C19 per message"
        ),
        pytest.param(RECEIVED, prices(), "1 message × $0.01", id="S5-04 flat, four segments"),
        pytest.param(
            sent(2, MessageStatus.UNDELIVERED), prices(), "not charged", id="S5-03 undelivered"
        ),
        pytest.param(sent(2, MessageStatus.CANCELED), prices(), "not sent", id="never left"),
    ],
)
def test_an_explanation_of_a_text_can_be_recomputed_from_its_own_words(
    usage: MessageUsage, under: MessagePrices, words: str
) -> None:
    cost = rated(usage, under)
    told = explain_message(
        usage,
        cost,
        under,
        currency="USD",
        plan_name="PAYG",
        plan_version=2,
        receipts=(ReceiptRef("delivered", NOW),),
    )
    assert words in told.words and "plan PAYG v2" in told.words
    assert told.recompute() == told.amount_micros == cost.charge_micros


def test_what_an_overrun_forgave_is_part_of_the_sum() -> None:
    told = explain_message(
        sent(3),
        rated(sent(3), prices()),
        prices(),
        currency="USD",
        plan_name="PAYG",
        plan_version=2,
        forgiven_micros=5_000,
    )
    assert told.recompute() == told.amount_micros == 40_000


def test_a_status_only_rises_from_draft_over_sent_to_delivered_and_read() -> None:
    way = ["draft", "lost", "queued", "sending", "sent", "undelivered", "delivered", "read"]
    ranks = [message_rank(MessageStatus(word)) for word in way]
    assert ranks == sorted(set(ranks))
    final = {status for status in MessageStatus if is_final(status)}
    assert final == {
        "canceled", "failed", "undelivered", "partially_delivered", "delivered", "read", "received",
    }  # fmt: skip
