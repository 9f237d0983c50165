"""What the core tells apps."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from voxelle.events.common import Member, Name, NoticeBase, Seconds, Source, State, TurnNumber


class ConnectionEstablished(NoticeBase):
    """The first message on every socket."""

    type: Literal["connection_established"] = "connection_established"
    session_id: Name
    protocol: int = 1


class RoomJoined(NoticeBase):
    """The answer to `JoinRoom`."""

    type: Literal["room_joined"] = "room_joined"
    room: Name
    character: Name
    rate: int
    """Hertz in which her voice will be sent."""


class StateChanged(NoticeBase):
    """What she is doing now."""

    type: Literal["state_changed"] = "state_changed"
    state: State
    turn: TurnNumber = 0
    detail: str = ""
    """In words, for a person; such as which provider is a demo."""


class SpeechStarted(NoticeBase):
    """Somebody has begun to speak."""

    type: Literal["speech_started"] = "speech_started"
    member: Member


class SpeechEnded(NoticeBase):
    """Somebody has finished speaking."""

    type: Literal["speech_ended"] = "speech_ended"
    member: Member
    seconds: Seconds


class TranscriptUpdated(NoticeBase):
    """What somebody is saying, so far or for good."""

    type: Literal["transcript_updated"] = "transcript_updated"
    member: Member
    text: str
    is_final: bool


class TextShown(NoticeBase):
    """Somebody wrote a message that is now part of the conversation."""

    type: Literal["text_shown"] = "text_shown"
    member: Member
    text: str


class TurnStarted(NoticeBase):
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


class CaptionSpoken(NoticeBase):
    """The next words of a reply; sent a little before their sound is due."""

    type: Literal["caption_spoken"] = "caption_spoken"
    turn: TurnNumber
    line: int
    """Counts the lines of the turn from 0."""

    words: tuple[Word, ...]


class PhonemesSpoken(NoticeBase):
    """The next phonemes of a reply in IPA, for a mouth; only from voices that know them."""

    type: Literal["phonemes_spoken"] = "phonemes_spoken"
    turn: TurnNumber
    phonemes: tuple[Word, ...]


class ExpressionChanged(NoticeBase):
    """A tag in her reply: show this expression from this moment on."""

    type: Literal["expression_changed"] = "expression_changed"
    turn: TurnNumber
    expression: Name
    start: Seconds
    """Seconds from the beginning of the turn's sound."""


class AudioSpoken(NoticeBase):
    """The next sound of a turn, paced in real time a bounded lead ahead; the payload is PCM16."""

    type: Literal["audio_spoken"] = "audio_spoken"
    turn: TurnNumber
    rate: int
    start: Seconds
    """Seconds from the beginning of the turn's sound."""


class AudioEnded(NoticeBase):
    """No more sound will come for this turn; report `is_done` when it was all played."""

    type: Literal["audio_ended"] = "audio_ended"
    turn: TurnNumber
    seconds: Seconds


class VoiceDucked(NoticeBase):
    """Play her softer (somebody may be interrupting), or with 0 dB as before."""

    type: Literal["voice_ducked"] = "voice_ducked"
    turn: TurnNumber
    gain_db: float
    fade_s: Seconds


class VoiceStopped(NoticeBase):
    """Be silent now: drop everything of this turn and of all before it, and report the position."""

    type: Literal["voice_stopped"] = "voice_stopped"
    turn: TurnNumber


class TurnEnded(NoticeBase):
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


class LatencyMeasured(NoticeBase):
    """How long each stage of an answer took; told with the first sound."""

    type: Literal["latency_measured"] = "latency_measured"
    turn: TurnNumber
    stages: dict[str, float]
    """Seconds since the decision (negative: before it): speech_end, transcript, first_token,
    first_clause, first_audio, as far as they apply."""


class ErrorReported(NoticeBase):
    """Something went wrong that this app or its user should know."""

    type: Literal["error_reported"] = "error_reported"
    code: Name
    message: str
    """What, where, and how to mend it."""

    reference: str = ""
    """Finds the details in the log."""


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
