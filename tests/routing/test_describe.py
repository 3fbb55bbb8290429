import pytest
from hypothesis import given, settings

from routing.describe import describe, outline
from tests.routing.cast import BUSY, FRONT_DESK, MOBILE, VOICEMAIL, phone, plan, ring, say
from tests.routing.documents import documents

NAMES = {FRONT_DESK: "the front desk", MOBILE: "the mobile"}


@pytest.mark.parametrize(
    "document, sentence",
    [
        pytest.param(
            ring(phone(), phone(MOBILE), otherwise=VOICEMAIL),
            "Rings the front desk and the mobile together for 20 s, then voicemail.",
            id="S3-14 together, then voicemail",
        ),
        pytest.param(
            ring(phone(ring_seconds=10), phone(MOBILE), pattern="sequential", otherwise=VOICEMAIL),
            "Rings the front desk for 10 s, then the mobile for 20 s, then voicemail.",
            id="S3-15 one after the other",
        ),
        pytest.param(
            ring(phone(confirm=True)),
            "Rings the front desk (who must press 1) for 20 s, then an apology, and the call ends.",
            id="S3-14 press 1, and no ending",
        ),
        pytest.param(
            {"pattern": "say", "text": "Welcome.", "then": BUSY},
            "Says “Welcome.”, then sends a busy tone.",
            id="a text and a busy tone",
        ),
        pytest.param(
            {
                "pattern": "hours",
                "time_zone": "America/New_York",
                "open": [
                    {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"},
                    {"days": ["sat"], "from": "10:00", "to": "24:00"},
                ],
                "holidays": "US-NY",
                "then": ring(otherwise=VOICEMAIL),
                "otherwise": say("Closed."),
            },
            "Goes by the clock. Monday to Friday 09:00-17:00 and Saturday 10:00-24:00, New York"
            " time except on holidays (US-NY): rings the front desk for 20 s, then voicemail."
            " At other times: says “Closed.”.",
            id="opening hours",
        ),
        pytest.param(
            {
                "pattern": "geographic",
                "rules": [
                    {"states": ["CA", "NV"], "area_codes": ["212"], "then": ring(otherwise=BUSY)}
                ],
            },
            "Goes by where the caller is. Callers from area code 212, California or Nevada: rings"
            " the front desk for 20 s, then sends a busy tone. Everyone else: an apology, and the"
            " call ends.",
            id="S3-16 by place",
        ),
        pytest.param(
            {
                "pattern": "geographic",
                "rules": [{"countries": ["CA", "GB"], "then": ring(otherwise=BUSY)}],
                "otherwise": BUSY,
            },
            "Goes by where the caller is. Callers from Canada or United Kingdom: rings the front"
            " desk for 20 s, then sends a busy tone. Everyone else: sends a busy tone.",
            id="S3-16 by country, in its name",
        ),
    ],
)
def test_a_plan_reads_as_a_sentence(document, sentence):
    assert describe(plan(document), NAMES) == sentence


def test_phones_without_a_name_are_called_by_their_number():
    read = plan(
        ring(
            phone(),
            {"type": "client", "address": "alice"},
            {"type": "sip", "address": "sip:desk@pbx.example.com"},
        )
    )
    assert describe(read).startswith(
        "Rings (415) 555-0101, softphone alice and desk@pbx.example.com together for 20 s"
    )


def test_nested_branches_read_as_an_outline():
    nearest = {
        "pattern": "nearest",
        "offices": [
            {"postal_code": "94105", "then": ring(otherwise=VOICEMAIL)},
            {"postal_code": "10001", "then": ring(phone(MOBILE))},
        ],
        "otherwise": say("Please write to us."),
    }
    assert outline(plan(nearest), NAMES) == (
        (0, "Goes to the office nearest to the caller"),
        (1, "Nearest to 94105:"),
        (2, "Rings the front desk for 20 s"),
        (2, "Then voicemail"),
        (1, "Nearest to 10001:"),
        (2, "Rings the mobile for 20 s"),
        (2, "Then an apology, and the call ends"),
        (1, "Everyone else:"),
        (2, "Says “Please write to us.”"),
    )


def test_a_long_list_of_places_is_cut_short():
    codes = ["201", "202", "203", "205", "206", "207", "208", "209"]
    read = plan({"pattern": "geographic", "rules": [{"area_codes": codes, "then": BUSY}]})
    assert "area code 206 or 3 more: sends" in describe(read)


@settings(max_examples=60, deadline=None)
@given(documents)
def test_every_plan_can_be_told(document):
    read = plan(document)
    told = describe(read)
    assert told.endswith(".") and told[0] == told[0].upper()
    assert outline(read)[0][0] == 0
    assert all(words.strip() for _, words in outline(read))
