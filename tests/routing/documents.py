"""Random valid plans, for the laws that hold for every plan."""

from hypothesis import strategies as st

from routing.hours import DAYS

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=30
).filter(lambda text: text.strip())
_numbers = st.integers(0, 98).map(lambda n: f"+141555501{n:02}")
_addresses = st.one_of(
    st.tuples(st.just("number"), _numbers),
    st.tuples(st.just("sip"), st.sampled_from(["sip:desk@pbx.example.com", "sips:a.b@10.0.0.1"])),
    st.tuples(st.just("client"), st.from_regex(r"[a-z_]{1,8}", fullmatch=True)),
)
targets = st.builds(
    lambda address, extra: {"type": address[0], "address": address[1], **extra},
    _addresses,
    st.fixed_dictionaries(
        {},
        optional={
            "ring_seconds": st.integers(5, 45),
            "whisper": texts,
            "confirm": st.booleans(),
            "weight": st.integers(1, 9),
        },
    ),
)
_last = st.one_of(
    st.builds(lambda text: {"pattern": "voicemail", "say": text}, texts),
    st.builds(lambda text: {"pattern": "say", "text": text}, texts),
    st.builds(
        lambda why: {"pattern": "reject", "reason": why}, st.sampled_from(["busy", "rejected"])
    ),
)
_clock = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.integers(0, 59))
_spans = st.fixed_dictionaries(
    {
        "days": st.lists(st.sampled_from(DAYS), min_size=1, max_size=7),
        "from": _clock,
        "to": _clock | st.just("24:00"),
    }
).filter(lambda span: span["from"] != span["to"])
_places = {
    "countries": st.sampled_from(["US", "CA", "GB"]),
    "states": st.sampled_from(["CA", "NV", "NY", "ON"]),
    "area_codes": st.sampled_from(["415", "212", "702", "416"]),
    "postal_codes": st.sampled_from(["9", "941", "94105", "M5V"]),
}
_rule_places = st.fixed_dictionaries(
    {},
    optional={name: st.lists(place, min_size=1, max_size=3) for name, place in _places.items()},
).filter(bool)


def _nesting(step):
    def with_otherwise(required):
        return st.fixed_dictionaries(required, optional={"otherwise": step})

    rules = st.builds(lambda places, then: {**places, "then": then}, _rule_places, step)
    offices = st.fixed_dictionaries(
        {"then": step, "postal_code": st.sampled_from(["94105", "10001", "60601"])},
        optional={"country": st.just("US")},
    )
    return st.one_of(
        with_otherwise(
            {
                "pattern": st.sampled_from(["simultaneous", "sequential"]),
                "targets": st.lists(targets, min_size=1, max_size=4),
            }
        ),
        with_otherwise(
            {"pattern": st.just("geographic"), "rules": st.lists(rules, min_size=1, max_size=3)}
        ),
        with_otherwise(
            {"pattern": st.just("nearest"), "offices": st.lists(offices, min_size=1, max_size=3)}
        ),
        st.fixed_dictionaries(
            {
                "pattern": st.just("hours"),
                "time_zone": st.sampled_from(["America/New_York", "UTC", "Asia/Kolkata"]),
                "open": st.lists(_spans, min_size=1, max_size=3),
                "then": step,
            },
            optional={"otherwise": step, "holidays": st.sampled_from(["US", "US-NY", "CA-ON"])},
        ),
        st.fixed_dictionaries({"pattern": st.just("say"), "text": texts}, optional={"then": step}),
    )


documents = st.recursive(_last, _nesting, max_leaves=8)
