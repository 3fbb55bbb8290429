"""Who has asked for no more texts: the words that ask, and what they do (S5-03).

A wish holds between one number of ours and one far end. The carrier keeps a list of its own;
ours is asked first, so that a refused send costs nothing and says why.
"""

from enum import StrEnum

from billing.messages import MessageRefused


class Keyword(StrEnum):
    """What a text that is a single known word asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


# The standard English words: twilio.com/docs/messaging/tutorials/advanced-opt-out and
# help.twilio.com article 223134027. Only a text that is nothing but the word counts.
_WORDS = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
        Keyword.STOP,
    ),
    **dict.fromkeys(("START", "YES", "UNSTOP"), Keyword.START),
    **dict.fromkeys(("HELP", "INFO"), Keyword.HELP),
}
# On a toll-free number the network keeps the list, and YES does not lift it: help.twilio.com
# article 360058144374.
_NO_START_ON_TOLL_FREE = "YES"


def keyword_of(text: str, *, toll_free: bool = False) -> Keyword | None:
    """The wish a text expresses; case and surrounding space do not matter, more words do."""
    word = text.strip().upper()
    if toll_free and word == _NO_START_ON_TOLL_FREE:
        return None
    return _WORDS.get(word)


def opted_out_after(text: str, opted_out: bool, *, toll_free: bool = False) -> bool:
    """Whether the far end has opted out once this text of theirs has arrived."""
    match keyword_of(text, toll_free=toll_free):
        case Keyword.STOP:
            return True
        case Keyword.START:
            return False
    return opted_out


def refuse_opted_out(to: str, opted_out: bool) -> MessageRefused | None:
    """Why no text may go there; None where the wish allows it."""
    if not opted_out:
        return None
    return MessageRefused(f"{to} has replied STOP: texts may go there again after a START.")
