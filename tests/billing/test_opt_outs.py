from collections.abc import Sequence

import pytest

from billing.messages import MessageRefused
from billing.opt_outs import Keyword, keyword_of, opted_out_after, refuse_opted_out


@pytest.mark.parametrize(
    "text, keyword",
    [
        *(
            pytest.param(word, Keyword.STOP, id=f"S5-03 {word} stops")
            for word in (
                *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
                *("stop", " Stop\n"),
            )
        ),
        *(
            pytest.param(word, Keyword.START, id=f"S5-03 {word} starts")
            for word in ("START", "YES", "UNSTOP", "start")
        ),
        *(
            pytest.param(word, Keyword.HELP, id=f"S5-03 {word} asks for help")
            for word in ("HELP", "INFO", "info")
        ),
        pytest.param("STOP PLEASE", None, id="S5-03 only the word alone counts"),
        pytest.param("please don't stop", None, id="S5-03 a sentence is no wish"),
        pytest.param("", None, id="S5-03 an empty text is no wish"),
    ],
)
def test_a_single_known_word_is_a_wish(text: str, keyword: Keyword | None) -> None:
    assert keyword_of(text) == keyword


@pytest.mark.parametrize(
    "texts, toll_free, opted_out",
    [
        pytest.param(["STOP"], False, True, id="S5-03 STOP blocks"),
        pytest.param(["STOP", "hello"], False, True, id="S5-03 a later text changes nothing"),
        pytest.param(["STOP", "HELP"], False, True, id="S5-03 HELP lifts nothing"),
        pytest.param(["STOP", "START"], False, False, id="S5-03 START lifts"),
        pytest.param(["STOP", "YES"], False, False, id="S5-03 YES lifts on a local number"),
        pytest.param(["STOP", "YES"], True, True, id="S5-03 YES lifts nothing on toll-free"),
        pytest.param(["STOP", "UNSTOP"], True, False, id="S5-03 UNSTOP lifts on toll-free"),
        pytest.param(["START", "STOP", "STOP"], False, True, id="S5-03 the last wish holds"),
    ],
)
def test_the_last_wish_of_the_far_end_holds(
    texts: Sequence[str], toll_free: bool, opted_out: bool
) -> None:
    state = False
    for text in texts:
        state = opted_out_after(text, state, toll_free=toll_free)
    assert state is opted_out
    refused = refuse_opted_out("+14155550101", state)
    assert isinstance(refused, MessageRefused) is opted_out
    assert refused is None or "STOP" in refused.words
