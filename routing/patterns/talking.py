"""Nobody rings: something is said, a message is taken, or the call is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from routing.acts import Reject as RejectAct
from routing.acts import RejectReason, Say, Voicemail
from routing.facts import Situation
from routing.reading import SAY_LENGTH_MAX, Reader
from routing.steps import Branch, Document, Finish, Label, Speak, Step

REJECT_REASONS = ("busy", "rejected")
SHOWN_TEXT_LENGTH = 60


@dataclass(frozen=True, slots=True)
class SayStep(Step):
    text: str
    then: Step | None = None

    pattern: ClassVar[str] = "say"

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "text", "then"))
        text = reader.text(raw, "text", path, SAY_LENGTH_MAX)
        return cls(text, reader.branch(raw, "then", path))

    @classmethod
    def schema(cls) -> Document:
        return {
            "properties": {
                "text": {"type": "string", "minLength": 1, "maxLength": SAY_LENGTH_MAX},
                "then": {"$ref": "#/$defs/branch"},
            },
            "required": ["text"],
        }

    def to_document(self) -> Document:
        document: Document = {"pattern": self.pattern, "text": self.text}
        if self.then is not None:
            document["then"] = self.then.to_document()
        return document

    def move(self, situation: Situation, position: str) -> Speak:
        return Speak(Say(self.text))

    def words(self, label: Label) -> str:
        return f"says {quoted(self.text)}"

    def branches(self) -> tuple[Branch, ...]:
        return (Branch("/then", "Then", self.then),) if self.then is not None else ()


@dataclass(frozen=True, slots=True)
class VoicemailStep(Step):
    say: str

    pattern: ClassVar[str] = "voicemail"

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "say"))
        return cls(reader.text(raw, "say", path, SAY_LENGTH_MAX))

    @classmethod
    def schema(cls) -> Document:
        return {
            "properties": {"say": {"type": "string", "minLength": 1, "maxLength": SAY_LENGTH_MAX}},
            "required": ["say"],
        }

    def to_document(self) -> Document:
        return {"pattern": self.pattern, "say": self.say}

    def move(self, situation: Situation, position: str) -> Finish:
        return Finish(Voicemail(self.say, position))

    def words(self, label: Label) -> str:
        return "voicemail"


@dataclass(frozen=True, slots=True)
class RejectStep(Step):
    reason: RejectReason = "rejected"

    pattern: ClassVar[str] = "reject"

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "reason"))
        reason = raw.get("reason", "rejected")
        if reason not in REJECT_REASONS:
            reader.error(f"{path}/reason", "unknown_reason", "“reason” is busy or rejected.")
            return None
        return cls(cast(RejectReason, reason))

    @classmethod
    def schema(cls) -> Document:
        return {"properties": {"reason": {"enum": list(REJECT_REASONS)}}, "required": []}

    def to_document(self) -> Document:
        return {"pattern": self.pattern, "reason": self.reason}

    def move(self, situation: Situation, position: str) -> Finish:
        return Finish(RejectAct(self.reason))

    def words(self, label: Label) -> str:
        return "sends a busy tone" if self.reason == "busy" else "refuses the call"


def quoted(text: str) -> str:
    short = text if len(text) <= SHOWN_TEXT_LENGTH else text[: SHOWN_TEXT_LENGTH - 1] + "…"
    return f"“{short}”"
