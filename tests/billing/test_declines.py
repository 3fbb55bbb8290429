import pytest

from billing.charges import HARD_DECLINES, NOT_FOUND
from billing.declines import CANCELED, NOT_THE_CARD, cure, reason


@pytest.mark.parametrize("code", sorted(HARD_DECLINES))
def test_s2_13_a_card_that_is_not_tried_again_asks_for_another_one(code: str) -> None:
    assert reason(code).endswith(".")
    assert "another" in cure(code)


def test_s2_13_what_only_the_bank_may_say_reads_like_any_other_decline() -> None:
    plain = reason("generic_decline")
    assert {reason(code) for code in ("lost_card", "stolen_card", "fraudulent")} == {plain}
    assert reason("insufficient_funds") != plain
    assert cure("insufficient_funds") != cure("lost_card")


@pytest.mark.parametrize("code", [NOT_FOUND, CANCELED])
def test_a_payment_that_was_never_made_blames_no_card(code: str) -> None:
    assert code in NOT_THE_CARD
    assert "card" not in cure(code)
