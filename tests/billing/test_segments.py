import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.segments import Segments, segments
from tests.billing import segment_peer

SMILE = "\U0001f600"


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("", Segments("GSM-7", 0, 1, 160), id="S5-07 an empty text is one segment"),
        pytest.param("a" * 160, Segments("GSM-7", 160, 1, 160), id="S5-07 160 fit alone"),
        pytest.param("a" * 161, Segments("GSM-7", 161, 2, 153), id="S5-07 161 are two"),
        pytest.param("a" * 306, Segments("GSM-7", 306, 2, 153), id="S5-07 306 are two"),
        pytest.param("a" * 307, Segments("GSM-7", 307, 3, 153), id="S5-07 307 are three"),
        pytest.param("€" * 80, Segments("GSM-7", 160, 1, 160), id="S5-07 a euro counts two"),
        pytest.param(
            "a" * 152 + "€" + "a" * 152,
            Segments("GSM-7", 306, 3, 153),
            id="S5-07 an escape stays with its character",
        ),
        pytest.param("ç" * 70, Segments("UCS-2", 70, 1, 70), id="S5-07 ç is not in the set"),
        pytest.param("ж" * 71, Segments("UCS-2", 71, 2, 67), id="S5-07 71 are two"),
        pytest.param(SMILE, Segments("UCS-2", 2, 1, 70), id="S5-07 an emoji is two units"),
        pytest.param(
            "a" * 159 + SMILE, Segments("UCS-2", 161, 3, 67), id="S5-07 one emoji flips a text"
        ),
        pytest.param(
            "ж" * 66 + SMILE + "ж" * 66,
            Segments("UCS-2", 134, 3, 67),
            id="S5-07 a surrogate pair stays whole",
        ),
    ],
)
def test_a_text_is_cut_into_segments_by_its_alphabet(text: str, expected: Segments) -> None:
    assert segments(text) == expected


@pytest.mark.parametrize(
    "text, count, per_segment",
    [
        pytest.param("a" * 160, 1, 160, id="S5-07 toll-free: 160 fit alone"),
        pytest.param("a" * 304, 2, 152, id="S5-07 toll-free: 152 a part"),
        pytest.param("a" * 305, 3, 152, id="S5-07 toll-free: 305 are three"),
        pytest.param("ж" * 132, 2, 66, id="S5-07 toll-free: 66 a part"),
        pytest.param("ж" * 133, 3, 66, id="S5-07 toll-free: 133 are three"),
    ],
)
def test_a_toll_free_part_holds_one_unit_less(text: str, count: int, per_segment: int) -> None:
    found = segments(text, toll_free_us=True)
    assert (found.count, found.per_segment) == (count, per_segment)


def test_s5_07_the_committed_answers_of_the_carriers_calculator_hold() -> None:
    vectors = json.loads(segment_peer.VECTORS.read_text(encoding="utf-8"))["vectors"]
    assert len(vectors) == 120
    for text, encoding, count in vectors:
        found = segments(text)
        assert (found.encoding, found.count) == (encoding, count), ascii(text)


@pytest.mark.skipif(segment_peer.why_absent() is not None, reason=str(segment_peer.why_absent()))
def test_s5_07_the_count_equals_the_carriers_calculator_on_thousands_of_texts() -> None:
    texts = segment_peer.random_texts(seed=7, count=3_000)
    for text, answer in zip(texts, segment_peer.counted(texts), strict=True):
        found = segments(text)
        assert (found.encoding, found.count) == answer, ascii(text)


@given(st.text(max_size=400), st.text(max_size=5), st.booleans())
def test_a_longer_text_never_takes_fewer_segments(text: str, more: str, toll_free: bool) -> None:
    shorter, longer = segments(text, toll_free_us=toll_free), segments(text + more)
    assert longer.units >= len(text)
    assert segments(text + more, toll_free_us=toll_free).count >= shorter.count
    assert longer.count <= segments(text + more, toll_free_us=True).count
