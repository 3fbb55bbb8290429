"""The patterns of forwarding, one class each. A new pattern is a class and one line here.

May import the rest of routing except plans, decisions, describe and twiml, which import this.
Nobody else ever asks which pattern a step has: it moves (routing.steps.Move), it has branches,
targets and words.
"""

from typing import Final

from routing.patterns.geographic import GeographicStep
from routing.patterns.hours import HoursStep
from routing.patterns.nearest import NearestStep
from routing.patterns.ringing import SequentialStep, SimultaneousStep
from routing.patterns.talking import RejectStep, SayStep, VoicemailStep
from routing.steps import Step

PATTERNS: Final[dict[str, type[Step]]] = {
    kind.pattern: kind
    for kind in (
        SimultaneousStep,
        SequentialStep,
        GeographicStep,
        NearestStep,
        HoursStep,
        SayStep,
        VoicemailStep,
        RejectStep,
    )
}

__all__ = [
    "PATTERNS",
    "GeographicStep",
    "HoursStep",
    "NearestStep",
    "RejectStep",
    "SayStep",
    "SequentialStep",
    "SimultaneousStep",
    "VoicemailStep",
]
