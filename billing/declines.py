"""Why a card was declined, in words for its owner: the reason, and what helps."""

from billing.charges import NOT_FOUND, is_hard

CANCELED = "canceled"
"""The code of a charge that its owner did not confirm in time, or gave up."""

NOT_THE_CARD = frozenset({CANCELED, NOT_FOUND})
"""Ends that say nothing about a card: they bar it from no further try."""

# Of lost, stolen and suspicious cards only the bank may say more than that it declined:
# docs.stripe.com/declines/codes tells to show those as any other decline.
_WORDS = {
    "authentication_required": "Your bank wants you to confirm payments yourself.",
    "payment_intent_authentication_failure": "The payment was not confirmed with your bank.",
    "card_velocity_exceeded": "The card has reached its limit.",
    CANCELED: "The payment was not confirmed with your bank in time.",
    "currency_not_supported": "The card cannot pay in this currency.",
    "card_not_supported": "The card cannot make this kind of payment.",
    "expired_card": "The card has expired.",
    "insufficient_funds": "There is not enough money on the card.",
    "incorrect_cvc": "The security code of the card is wrong.",
    "invalid_cvc": "The security code of the card is wrong.",
    "processing_error": "The bank could not process the payment.",
    "try_again_later": "The bank could not process the payment.",
    "withdrawal_count_limit_exceeded": "The card has reached its limit.",
    NOT_FOUND: "The payment never reached the card network. Nothing was taken.",
}
_OTHERWISE = "The bank declined the card without saying why."


def reason(code: str) -> str:
    return _WORDS.get(code, _OTHERWISE)


def cure(code: str) -> str:
    if code in NOT_THE_CARD:
        return "Pay again if you still want to."
    if is_hard(code):
        return "This card is not tried again: add another one."
    return "Ask your bank, or add another card."
