"""What apps and core tell each other.

Facts are named in the past tense (`TextReceived`), requests in the imperative
(`StopSpeaking`). On the wire an event is one message: a line of JSON, then the
raw payload if it has one (mono 16-bit PCM, little-endian). Everything is bounded,
because everything comes from outside.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter

from voxelle.events.common import (
    MAX_PAYLOAD,
    EventBase,
    Member,
    Name,
    Role,
    Seconds,
    Source,
    State,
    Text,
    TurnNumber,
)
from voxelle.events.notices import (
    AudioEnded,
    AudioSpoken,
    CaptionSpoken,
    ConnectionEstablished,
    ErrorReported,
    ExpressionChanged,
    LatencyMeasured,
    Notice,
    PhonemesSpoken,
    RoomJoined,
    SpeechEnded,
    SpeechStarted,
    StateChanged,
    TextShown,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
    VoiceDucked,
    VoiceStopped,
    Word,
)
from voxelle.events.requests import (
    AudioReceived,
    Direct,
    DropContext,
    JoinRoom,
    MemberJoined,
    MemberLeft,
    PlaybackReported,
    Release,
    Request,
    Say,
    SetContext,
    Silence,
    StopSpeaking,
    StreamEventReceived,
    Subscribe,
    TextReceived,
    UtteranceEnded,
)

__all__ = [
    "MAX_PAYLOAD",
    "AudioEnded",
    "AudioReceived",
    "AudioSpoken",
    "CaptionSpoken",
    "ConnectionEstablished",
    "Direct",
    "DropContext",
    "ErrorReported",
    "ExpressionChanged",
    "JoinRoom",
    "LatencyMeasured",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Name",
    "Notice",
    "PhonemesSpoken",
    "PlaybackReported",
    "Release",
    "Request",
    "Role",
    "RoomJoined",
    "Say",
    "Seconds",
    "SetContext",
    "Silence",
    "Source",
    "SpeechEnded",
    "SpeechStarted",
    "State",
    "StateChanged",
    "StopSpeaking",
    "StreamEventReceived",
    "Subscribe",
    "Text",
    "TextReceived",
    "TextShown",
    "TranscriptUpdated",
    "TurnEnded",
    "TurnNumber",
    "TurnStarted",
    "UtteranceEnded",
    "VoiceDucked",
    "VoiceStopped",
    "Word",
    "decode_notice",
    "decode_request",
    "encode",
]

E = TypeVar("E", bound=EventBase)

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_NOTICE: TypeAdapter[Notice] = TypeAdapter(Notice)


def encode(event: Request | Notice) -> bytes:
    """Write one event as one message: a line of JSON, and the payload after it if there is one."""
    header = event.__pydantic_serializer__.to_json(event)
    return header + b"\n" + event.payload if event.payload else header


def decode_request(message: bytes) -> Request:
    """Read what an app sent; raise `ValueError` (pydantic's) if it is no known request."""
    header, _, payload = message.partition(b"\n")
    return _with_payload(_REQUEST.validate_json(header), payload)


def decode_notice(message: bytes) -> Notice:
    """Read what the core sent; raise `ValueError` (pydantic's) if it is no known notice."""
    header, _, payload = message.partition(b"\n")
    return _with_payload(_NOTICE.validate_json(header), payload)


def _with_payload(event: E, payload: bytes) -> E:
    if "payload" in event.__pydantic_fields_set__:
        raise ValueError("the payload follows the line of JSON and must not stand in it")
    if payload:
        # `model_copy` would take twice as long as all the rest, and nobody has seen this event yet.
        object.__setattr__(event, "payload", payload)
    return event
