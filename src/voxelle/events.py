"""What apps and core tell each other.

Facts are named in the past tense (`TextReceived`), requests in the imperative
(`StopSpeaking`). On the wire an event is one message: a line of JSON, then the
raw payload if it has one (mono 16-bit PCM, little-endian). Everything is bounded,
because everything comes from outside.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
"""An id or a display name."""

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=4_000)]
"""Something somebody wrote."""

Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TurnNumber: TypeAlias = Annotated[int, Field(ge=0)]
"""Counts the turns of a room up from 1; a higher one always makes a lower one stale."""

Role: TypeAlias = Literal["owner", "moderator", "vip", "subscriber", "member", "bot"]
Source: TypeAlias = Literal["voice", "chat", "event", "direction", "idle"]
"""Where something that may deserve an answer came from."""

State: TypeAlias = Literal["idle", "listening", "thinking", "speaking", "silenced"]
"""What she is doing."""

MAX_PAYLOAD = 64_000
"""Bytes of sound in one message: two seconds of ear audio, far above the usual 20 ms."""


class Member(BaseModel):
    """Somebody in a room; who they are is told by platform and id, never by the name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Name
    id: Name
    name: Name
    """Display name, as the character says it."""

    roles: frozenset[Role] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        """The identity: platform and id."""
        return self.platform, self.id


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    payload: bytes = Field(default=b"", exclude=True, repr=False)


class _Notice(_Event):
    # A newer core may tell more than this reader knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


# --- what an app tells the core ------------------------------------------------


class JoinRoom(_Event):
    """A request to take part in a room; the first message on a voice socket."""

    type: Literal["join_room"] = "join_room"
    room: Name = "main"
    platform: Name
    wants_audio: bool = True
    """Whether this app plays her voice. An app that does must report its playback."""

    rate: Annotated[int, Field(ge=8_000, le=48_000)] = 24_000
    """Hertz in which it wants the voice."""


class MemberJoined(_Event):
    """Somebody is here now, or has a new name or new roles."""

    type: Literal["member_joined"] = "member_joined"
    member: Member


class MemberLeft(_Event):
    """Somebody is gone."""

    type: Literal["member_left"] = "member_left"
    member: Name
    """Their id on this app's platform."""


class AudioReceived(_Event):
    """Somebody said something; the payload is 16 kHz PCM16, normally 20 ms."""

    type: Literal["audio_received"] = "audio_received"
    member: Name
    """Their id on this app's platform."""

    start: Seconds | None = None
    """Seconds on the app's own clock; a jump of over 0.1 s is silence that was not sent.

    One that goes back is ignored.
    """


class UtteranceEnded(_Event):
    """Somebody let go of the talk key: what they said is complete, do not wait for silence."""

    type: Literal["utterance_ended"] = "utterance_ended"
    member: Name


class TextReceived(_Event):
    """Somebody wrote a message."""

    type: Literal["text_received"] = "text_received"
    member: Member
    text: Text


class StreamEventReceived(_Event):
    """Something happened on the stream that she may thank for or comment on."""

    type: Literal["stream_event_received"] = "stream_event_received"
    event: Literal["raid", "follow", "subscription", "gift", "bits", "redemption", "other"]
    member: Member | None = None
    amount: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Viewers of a raid, months of a subscription, number of gifts, bits."""

    text: Annotated[str, Field(max_length=4_000)] = ""
    """What they wrote with it, or what an `other` event is about."""


class PlaybackReported(_Event):
    """How far a sink has played a turn; sent every 0.25 s, and when it ends."""

    type: Literal["playback_reported"] = "playback_reported"
    turn: TurnNumber
    position: Seconds
    """Seconds of the turn's sound that were really heard."""

    is_done: bool = False
    """Whether nothing more of this turn will be played: finished, or stopped."""


class StopSpeaking(_Event):
    """Somebody wants her to end this reply now."""

    type: Literal["stop_speaking"] = "stop_speaking"


class Silence(_Event):
    """Panic: nothing is spoken any more until `Release`; she still hears."""

    type: Literal["silence"] = "silence"


class Release(_Event):
    """The end of a panic."""

    type: Literal["release"] = "release"


class Say(_Event):
    """Her exact words, given by the operator."""

    type: Literal["say"] = "say"
    text: Text


class Direct(_Event):
    """A stage direction by the operator: the model finds the words."""

    type: Literal["direct"] = "direct"
    text: Text


class SetContext(_Event):
    """Something she should know besides what is said: the score of a game, a note for today."""

    type: Literal["set_context"] = "set_context"
    id: Name
    """Setting the same id again replaces it."""

    name: Name
    """The heading under which the language model sees it."""

    description: Annotated[str, Field(max_length=500)] = ""
    """What it is for, told to people; the model does not see it."""

    text: Text
    scope: Literal["request", "conversation"] = "conversation"
    """Known for the next answer only, or until it is dropped."""


class DropContext(_Event):
    """She need not know this any more."""

    type: Literal["drop_context"] = "drop_context"
    id: Name


class Subscribe(_Event):
    """Which kinds of event a reader of `/ws/events` wants to see."""

    type: Literal["subscribe"] = "subscribe"
    room: Name = "main"
    topics: frozenset[Literal["conversation", "state", "metrics", "commands"]]


# --- what the core tells apps ---------------------------------------------------


class ConnectionEstablished(_Notice):
    """The first message on every socket."""

    type: Literal["connection_established"] = "connection_established"
    session_id: Name
    protocol: int = 1


class RoomJoined(_Notice):
    """The answer to `JoinRoom`."""

    type: Literal["room_joined"] = "room_joined"
    room: Name
    character: Name
    rate: int
    """Hertz in which her voice will be sent."""


class StateChanged(_Notice):
    """What she is doing now."""

    type: Literal["state_changed"] = "state_changed"
    state: State
    turn: TurnNumber = 0
    detail: str = ""
    """In words, for a person; such as which provider is a demo."""


class SpeechStarted(_Notice):
    """Somebody has begun to speak."""

    type: Literal["speech_started"] = "speech_started"
    member: Member


class SpeechEnded(_Notice):
    """Somebody has finished speaking."""

    type: Literal["speech_ended"] = "speech_ended"
    member: Member
    seconds: Seconds


class TranscriptUpdated(_Notice):
    """What somebody is saying, so far or for good."""

    type: Literal["transcript_updated"] = "transcript_updated"
    member: Member
    text: str
    is_final: bool


class TextShown(_Notice):
    """Somebody wrote a message that is now part of the conversation."""

    type: Literal["text_shown"] = "text_shown"
    member: Member
    text: str


class TurnStarted(_Notice):
    """She has decided to say something."""

    type: Literal["turn_started"] = "turn_started"
    turn: TurnNumber
    source: Source
    to: str = ""
    """Display name of whom she answers, if it is one person."""


class Word(BaseModel):
    """One word of a caption and when it is spoken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    start: Seconds
    """Seconds from the beginning of the turn's sound."""


class CaptionSpoken(_Notice):
    """The next words of a reply; sent a little before their sound is due."""

    type: Literal["caption_spoken"] = "caption_spoken"
    turn: TurnNumber
    line: int
    """Counts the lines of the turn from 0."""

    words: tuple[Word, ...]


class PhonemesSpoken(_Notice):
    """The next phonemes of a reply in IPA, for a mouth; only from voices that know them."""

    type: Literal["phonemes_spoken"] = "phonemes_spoken"
    turn: TurnNumber
    phonemes: tuple[Word, ...]


class ExpressionChanged(_Notice):
    """A tag in her reply: show this expression from this moment on."""

    type: Literal["expression_changed"] = "expression_changed"
    turn: TurnNumber
    expression: Name
    start: Seconds
    """Seconds from the beginning of the turn's sound."""


class AudioSpoken(_Notice):
    """The next sound of a turn, paced in real time a bounded lead ahead; the payload is PCM16."""

    type: Literal["audio_spoken"] = "audio_spoken"
    turn: TurnNumber
    rate: int
    start: Seconds
    """Seconds from the beginning of the turn's sound."""


class AudioEnded(_Notice):
    """No more sound will come for this turn; report `is_done` when it was all played."""

    type: Literal["audio_ended"] = "audio_ended"
    turn: TurnNumber
    seconds: Seconds


class VoiceDucked(_Notice):
    """Play her softer (somebody may be interrupting), or with 0 dB as before."""

    type: Literal["voice_ducked"] = "voice_ducked"
    turn: TurnNumber
    gain_db: float
    fade_s: Seconds


class VoiceStopped(_Notice):
    """Be silent now: drop everything of this turn and of all before it, and report the position."""

    type: Literal["voice_stopped"] = "voice_stopped"
    turn: TurnNumber


class TurnEnded(_Notice):
    """She has fallen silent."""

    type: Literal["turn_ended"] = "turn_ended"
    turn: TurnNumber
    reason: Literal["finished", "interrupted", "failed", "silenced"]
    heard: str
    """What the audience heard of the reply, to the last whole word."""

    unheard: str = ""
    """What she would have said after it, as far as it was known."""

    detail: str = ""
    """Why it failed, in words for a person."""


class LatencyMeasured(_Notice):
    """How long each stage of an answer took; told with the first sound."""

    type: Literal["latency_measured"] = "latency_measured"
    turn: TurnNumber
    stages: dict[str, float]
    """Seconds since the decision (negative: before it): speech_end, transcript, first_token,
    first_clause, first_audio, as far as they apply."""


class ErrorReported(_Notice):
    """Something went wrong that this app or its user should know."""

    type: Literal["error_reported"] = "error_reported"
    code: Name
    message: str
    """What, where, and how to mend it."""

    reference: str = ""
    """Finds the details in the log."""


Request: TypeAlias = Annotated[
    JoinRoom
    | MemberJoined
    | MemberLeft
    | AudioReceived
    | UtteranceEnded
    | TextReceived
    | StreamEventReceived
    | PlaybackReported
    | StopSpeaking
    | Silence
    | Release
    | Say
    | Direct
    | SetContext
    | DropContext
    | Subscribe,
    Field(discriminator="type"),
]
"""Everything an app may send."""

Notice: TypeAlias = Annotated[
    ConnectionEstablished
    | RoomJoined
    | StateChanged
    | SpeechStarted
    | SpeechEnded
    | TranscriptUpdated
    | TextShown
    | TurnStarted
    | CaptionSpoken
    | PhonemesSpoken
    | ExpressionChanged
    | AudioSpoken
    | AudioEnded
    | VoiceDucked
    | VoiceStopped
    | TurnEnded
    | LatencyMeasured
    | ErrorReported,
    Field(discriminator="type"),
]
"""Everything the core may send."""

E = TypeVar("E", bound=_Event)

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
