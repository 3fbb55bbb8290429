"""Recordings: the entry, and a sound to play for it."""

import io
import math
import struct
import wave
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

SAMPLES_PER_SECOND = 8_000  # telephone quality, as Twilio's own WAV files
MEDIA_SECONDS_MAX = 120
# One silent MPEG-1 layer III frame: 32 kbit/s, 44.1 kHz, mono; 1152 samples in 104 bytes.
MP3_FRAME = bytes.fromhex("fffb10c0") + bytes(100)
MP3_FRAMES_PER_SECOND = 44_100 / 1_152


@dataclass(slots=True)
class Recording:
    sid: str
    call_sid: str
    account_sid: str
    source: str  # DialVerb | RecordVerb
    channels: int
    started_at: datetime
    status: str = "in-progress"
    duration_seconds: int = 0


def recording_from_document(document: dict[str, Any]) -> Recording:
    known = {item.name for item in fields(Recording)}
    values = {name: value for name, value in document.items() if name in known}
    values["started_at"] = datetime.fromisoformat(values["started_at"])
    return Recording(**values)


@lru_cache(maxsize=16)
def wav(seconds: int, channels: int = 1) -> bytes:
    """A soft tone that rises and falls once a second, so that a listener hears it is playing."""
    length = max(1, min(seconds, MEDIA_SECONDS_MAX)) * SAMPLES_PER_SECOND
    samples = bytearray()
    for index in range(length):
        t = index / SAMPLES_PER_SECOND
        loud = 0.5 - 0.5 * math.cos(2 * math.pi * t)
        value = int(6_000 * loud * math.sin(2 * math.pi * 440 * t))
        samples += struct.pack("<h", value) * channels
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(SAMPLES_PER_SECOND)
        file.writeframes(bytes(samples))
    return buffer.getvalue()


def mp3(seconds: int) -> bytes:
    """Silence of the right length: the standard library writes no MP3."""
    length = max(1, min(seconds, MEDIA_SECONDS_MAX))
    return MP3_FRAME * math.ceil(length * MP3_FRAMES_PER_SECOND)
