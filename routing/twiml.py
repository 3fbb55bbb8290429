"""Decisions as TwiML, the one place that knows its verbs.

Only documented elements, attributes and values: the SDK checks none of them, and a typo reaches
the caller as "an application error has occurred". Sources: twilio.com/docs/voice/twiml and below.
"""

from typing import Final, Protocol

from twilio.twiml.voice_response import Dial as DialVerb
from twilio.twiml.voice_response import Gather, VoiceResponse

from routing.acts import Dial, Hangup, Reject, Say, Voicemail
from routing.decisions import Decision
from routing.speech import clean

LEG_EVENTS: Final = "initiated ringing answered completed"
MESSAGE_SECONDS_MAX: Final = 300
SILENCE_SECONDS: Final = 5  # ends a message; the carrier's default, spelled out
CONFIRM_SECONDS: Final = 8
CONFIRM_DIGIT: Final = "1"
CONFIRM_PROMPT: Final = "Press 1 to take this call."


class Links(Protocol):
    """Absolute URLs of the webhooks of one call."""

    def action(self, cursor: str) -> str:
        """Asked when a dial is over."""

    def leg(self, position: str, index: int) -> str:
        """Told how one phone's call goes."""

    def whisper(self, position: str, index: int) -> str:
        """Asked what whoever answers hears first."""

    def recording(self) -> str:
        """Told when a message can be fetched."""

    def voicemail_done(self) -> str:
        """Asked when the caller has left a message."""


def render(decision: Decision, links: Links) -> str:
    response = VoiceResponse()
    for act in decision.acts:
        match act:
            case Dial():
                _dial(response, act, links)
            case Say():
                response.say(clean(act.text))
            case Voicemail():
                _voicemail(response, act, links)
            case Reject():
                response.reject(reason=act.reason)
            case Hangup():
                response.hangup()
    return str(response)


def whisper_document(text: str, confirm: bool, confirm_action_url: str = "") -> str:
    """What a phone that answered hears before the caller is connected.

    With `confirm`, silence or any key but 1 hangs this phone up: a mailbox cannot press 1.
    Only Say, Play, Gather and Hangup are allowed here (a Dial is error 13201).
    """
    response = VoiceResponse()
    if confirm:
        gather = Gather(
            input="dtmf",
            num_digits=1,
            timeout=CONFIRM_SECONDS,
            action=confirm_action_url,
            method="POST",
        )
        gather.say(clean(f"{text} {CONFIRM_PROMPT}".strip()))
        response.append(gather)
        response.hangup()
    elif text:
        response.say(clean(text))
    return str(response)


def confirmed() -> str:
    """The phone takes the call: an empty document connects it."""
    return empty()


def declined() -> str:
    """The phone does not take the call; the others ring on."""
    return hangup()


def is_confirmation(digits: str) -> bool:
    return digits == CONFIRM_DIGIT


def hangup() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def rejection(reason: str = "rejected") -> str:
    """Refuse without answering, the only unbilled answer."""
    response = VoiceResponse()
    response.reject(reason="busy" if reason == "busy" else "rejected")
    return str(response)


def static_apology(text: str) -> str:
    response = VoiceResponse()
    response.say(clean(text))
    response.hangup()
    return str(response)


def announcement(text: str) -> str:
    """Spoken twice to whoever answers: the first words are often missed."""
    response = VoiceResponse()
    response.say(clean(text), loop=2)
    response.hangup()
    return str(response)


def empty() -> str:
    return str(VoiceResponse())


def _dial(response: VoiceResponse, act: Dial, links: Links) -> None:
    # Spelled out even where they are defaults: a changed default would cost money.
    # answerOnBridge keeps the caller ringing, and so unbilled, until somebody answers; it acts
    # only where Dial is the first verb, and is harmless elsewhere. The carrier rings up to 5 s
    # longer than `timeout` (twilio.com/docs/voice/twiml/dial).
    options = {
        "action": links.action(act.cursor),
        "method": "POST",
        "timeout": act.ring_seconds,
        "time_limit": act.time_limit_seconds,
        "answer_on_bridge": True,
    }
    if act.caller_id:
        options["caller_id"] = clean(act.caller_id)
    dial = DialVerb(**options)
    for index, target in zip(act.indexes, act.targets, strict=True):
        noun = {
            "status_callback": links.leg(act.position, index),
            "status_callback_event": LEG_EVENTS,
            "status_callback_method": "POST",
        }
        if target.whisper or target.confirm:
            noun["url"] = links.whisper(act.position, index)
            noun["method"] = "POST"
        address = clean(target.address)
        match target.type:
            case "number":
                dial.number(address, **noun)
            case "sip":
                dial.sip(address, **noun)
            case "client":
                dial.client(address, **noun)
    response.append(dial)


def _voicemail(response: VoiceResponse, act: Voicemail, links: Links) -> None:
    response.say(clean(act.say))
    # Without an action the carrier would ask for this document again, in a circle.
    response.record(
        action=links.voicemail_done(),
        method="POST",
        max_length=MESSAGE_SECONDS_MAX,
        timeout=SILENCE_SECONDS,
        play_beep=True,
        trim="trim-silence",
        recording_status_callback=links.recording(),
        recording_status_callback_event="completed absent",
        recording_status_callback_method="POST",
    )
