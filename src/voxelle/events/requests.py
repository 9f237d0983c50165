"""What an app tells the core."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from voxelle.events.common import EventBase, Member, Name, Seconds, Text, TurnNumber


class JoinRoom(EventBase):
    """A request to take part in a room; the first message on a voice socket."""

    type: Literal["join_room"] = "join_room"
    room: Name = "main"
    platform: Name
    wants_audio: bool = True
    """Whether this app plays her voice. An app that does must report its playback."""

    rate: Annotated[int, Field(ge=8_000, le=48_000)] = 24_000
    """Hertz in which it wants the voice."""


class MemberJoined(EventBase):
    """Somebody is here now, or has a new name or new roles."""

    type: Literal["member_joined"] = "member_joined"
    member: Member


class MemberLeft(EventBase):
    """Somebody is gone."""

    type: Literal["member_left"] = "member_left"
    member: Name
    """Their id on this app's platform."""


class AudioReceived(EventBase):
    """Somebody said something; the payload is 16 kHz PCM16, normally 20 ms."""

    type: Literal["audio_received"] = "audio_received"
    member: Name
    """Their id on this app's platform."""

    start: Seconds | None = None
    """Seconds on the app's own clock; a jump of over 0.1 s is silence that was not sent.

    One that goes back is ignored.
    """


class UtteranceEnded(EventBase):
    """Somebody let go of the talk key: what they said is complete, do not wait for silence."""

    type: Literal["utterance_ended"] = "utterance_ended"
    member: Name


class TextReceived(EventBase):
    """Somebody wrote a message."""

    type: Literal["text_received"] = "text_received"
    member: Member
    text: Text


class StreamEventReceived(EventBase):
    """Something happened on the stream that she may thank for or comment on."""

    type: Literal["stream_event_received"] = "stream_event_received"
    event: Literal["raid", "follow", "subscription", "gift", "bits", "redemption", "other"]
    member: Member | None = None
    amount: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Viewers of a raid, months of a subscription, number of gifts, bits."""

    text: Annotated[str, Field(max_length=4_000)] = ""
    """What they wrote with it, or what an `other` event is about."""


class PlaybackReported(EventBase):
    """How far a sink has played a turn; sent every 0.25 s, and when it ends."""

    type: Literal["playback_reported"] = "playback_reported"
    turn: TurnNumber
    position: Seconds
    """Seconds of the turn's sound that were really heard."""

    is_done: bool = False
    """Whether nothing more of this turn will be played: finished, or stopped."""


class StopSpeaking(EventBase):
    """Somebody wants her to end this reply now."""

    type: Literal["stop_speaking"] = "stop_speaking"


class Silence(EventBase):
    """Panic: nothing is spoken any more until `Release`; she still hears."""

    type: Literal["silence"] = "silence"


class Release(EventBase):
    """The end of a panic."""

    type: Literal["release"] = "release"


class Say(EventBase):
    """Her exact words, given by the operator."""

    type: Literal["say"] = "say"
    text: Text


class Direct(EventBase):
    """A stage direction by the operator: the model finds the words."""

    type: Literal["direct"] = "direct"
    text: Text


class SetContext(EventBase):
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


class DropContext(EventBase):
    """She need not know this any more."""

    type: Literal["drop_context"] = "drop_context"
    id: Name


class Subscribe(EventBase):
    """Which kinds of event a reader of `/ws/events` wants to see."""

    type: Literal["subscribe"] = "subscribe"
    room: Name = "main"
    topics: frozenset[Literal["conversation", "state", "metrics", "commands"]]


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
