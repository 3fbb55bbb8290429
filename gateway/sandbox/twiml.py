"""TwiML as the carrier reads it: one document into verbs, each fault under Twilio's number."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.sandbox.errors import TwimlError
from gateway.sandbox.poster import Reply

# twilio.com/docs/voice/twiml: the verbs that this carrier plays, and their documented attributes.
CALLBACK = "statusCallback statusCallbackEvent statusCallbackMethod"
RECORDING = "recordingStatusCallback recordingStatusCallbackEvent recordingStatusCallbackMethod"
ATTRIBUTES = {
    "Dial": "action answerOnBridge callReason callerId hangupOnStar method record recordingTrack "
    f"recordingConfigurationId {RECORDING} referMethod referUrl ringTone sequential timeLimit "
    "timeout trim",
    "Number": "byoc method phoneNumberSid sendDigits url machineDetection amdStatusCallback "
    f"{CALLBACK}",
    "Sip": f"method password url username machineDetection amdStatusCallback {CALLBACK}",
    "Client": f"method url {CALLBACK}",
    "Gather": "action actionOnEmptyResult bargeIn debug dtmfDetection enhanced finishOnKey hints "
    "input language maxSpeechTime method numDigits partialResultCallback "
    "partialResultCallbackMethod profanityFilter speechModel speechTimeout timeout",
    "Say": "language loop voice",
    "Play": "digits loop",
    "Pause": "length",
    "Record": f"action finishOnKey maxLength method playBeep {RECORDING} timeout transcribe "
    "transcribeCallback trim recordingTrack recordingConfigurationId",
    "Enqueue": "action maxQueueSize method waitUrl waitUrlMethod workflowSid",
    "Leave": "",
    "Redirect": "method",
    "Reject": "reason",
    "Hangup": "",
}
NOUNS = {"Dial": ("Number", "Sip", "Client"), "Gather": ("Say", "Play", "Pause")}
WORDS_PER_SECOND = 2.5  # how fast the carrier's voice reads, so that a greeting takes its time


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: tuple["Verb", ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def flag(self, name: str) -> bool:
        return self.get(name) == "true"


Warn = Callable[[int, str], None]


def read(reply: Reply, warn: Warn) -> tuple[Verb, ...]:
    """What to do with an answer to a TwiML request, whatever its type. Raises TwimlError where the
    call cannot go on; smaller faults go to `warn`."""
    if reply.error_code:
        raise TwimlError(reply.error_code, f"answered {reply.status or 'nothing'}")
    mime = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not reply.body.strip():
        return ()
    if mime in ("text/xml", "application/xml", "text/html"):
        return parse(reply.body, warn)
    if mime == "text/plain":  # executed if it is TwiML, otherwise read aloud
        if reply.body.lstrip().startswith(b"<"):
            return parse(reply.body, warn)
        return (Verb("Say", text=reply.body.decode("utf-8", "replace")),)
    if mime.startswith("audio/"):
        return (Verb("Play"),)
    raise TwimlError(12300, f"invalid Content-Type {mime or '(none)'}")


def parse(body: bytes, warn: Warn) -> tuple[Verb, ...]:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise TwimlError(12100, "a document type is not TwiML")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise TwimlError(12100, f"document parse failure: {error}") from error
    if root.tag != "Response":
        raise TwimlError(12100, f"the root element is <{root.tag}>, not <Response>")
    verbs = tuple(_verb(element, warn) for element in root if _playable(element, (), warn))
    return verbs


def _playable(element: "ElementTree.Element", allowed: tuple[str, ...], warn: Warn) -> bool:
    nouns = {"Number", "Sip", "Client"}
    known = element.tag in (allowed or ATTRIBUTES.keys() - nouns)
    if not known:
        warn(12200, f"<{element.tag}> is not played here (names are case-sensitive)")
    return known


def _verb(element: "ElementTree.Element", warn: Warn) -> Verb:
    documented = ATTRIBUTES[element.tag].split()
    for name in element.attrib:
        if name not in documented:
            warn(12200, f"<{element.tag}> has no attribute {name}")
    allowed = NOUNS.get(element.tag, ("",))
    children = tuple(_verb(child, warn) for child in element if _playable(child, allowed, warn))
    return Verb(element.tag, dict(element.attrib), (element.text or "").strip(), children)


def integer(
    verb: Verb, name: str, warn: Warn, *, low: int, high: int, default: int, code: int
) -> int:
    """A value that is no number or out of its range is noted, and the default stands."""
    text = verb.get(name)
    if not text:
        return default
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    warn(code, f"{name}={text!r} on <{verb.name}> is not a number from {low} to {high}")
    return default


def seconds_to_play(verb: Verb) -> float:
    """How long a prompt keeps the line: speech by its words, a Play as three seconds."""
    if verb.name == "Pause":
        text = verb.get("length", "1")
        return float(text) if text.isascii() and text.isdigit() else 1.0
    once = max(1.0, len(verb.text.split()) / WORDS_PER_SECOND) if verb.name == "Say" else 3.0
    loop = verb.get("loop", "1")
    times = int(loop) if loop.isascii() and loop.isdigit() else 1
    return once * (min(times, 1000) or 1000)
