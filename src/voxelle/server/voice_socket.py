"""`/ws/voice`: an app that brings people into a room, and may play her voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxelle.audio import EAR_RATE, VOICE_RATE, AudioFrame
from voxelle.events import (
    MAX_PAYLOAD,
    AudioReceived,
    Direct,
    DropContext,
    JoinRoom,
    Member,
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
    TextReceived,
    UtteranceEnded,
)
from voxelle.server.hub import Desk, Hub, Key, Room
from voxelle.server.rates import Bucket
from voxelle.server.session import Mistake, Session
from voxelle.server.wire import Wire

JUMP_S = 0.1
"""Seconds by which an app's clock may jump as jitter; more is silence that was not sent."""

SILENCE_S = 1.5
"""Seconds of silence that are heard at most: what ends any utterance (1.2 s, `cap_s`) and more."""

_SCALE = np.float32(1 / 32768)


@dataclass(slots=True)
class _Seat:
    """Somebody this session has announced."""

    key: Key
    sound: Bucket
    """Seconds of sound that may still come."""

    end: float | None = None
    """Seconds on the app's clock at which their sound ended, as far as it came."""

    heard_at: float = 0.0
    """The loop's time, in seconds, at which it came."""

    def silence(self, start: float, now: float) -> float:
        """How much silence the app has left out before sound that begins at `start`, in seconds.

        What has passed on our own clock is not part of it: the room has heard that already.
        """
        gap = 0.0 if self.end is None else start - self.end
        if gap <= JUMP_S:
            return 0.0
        silence = min(gap - (now - self.heard_at), SILENCE_S)
        return silence if silence > JUMP_S else 0.0


class VoiceSession(Session):
    """One app in one room."""

    first = "join_room"

    def __init__(self, wire: Wire, hub: Hub) -> None:
        super().__init__(wire, hub)
        self._platform = ""
        self._seats: dict[str, _Seat] = {}
        self._handlers: dict[type[Request], Callable[[Room, Any, float], None]] = {
            AudioReceived: self._hear,
            MemberJoined: self._enter,
            MemberLeft: self._go,
            UtteranceEnded: self._end_utterance,
            TextReceived: self._read_text,
            StreamEventReceived: self._happen,
            PlaybackReported: self._note_playback,
            StopSpeaking: lambda room, _request, _now: room.stop(),
            Silence: lambda room, _request, _now: room.silence(),
            Release: lambda room, _request, _now: room.release(),
            Say: lambda room, request, _now: room.say(request.text),
            Direct: lambda room, request, _now: room.direct(request.text),
            SetContext: lambda room, request, _now: room.inform(request),
            DropContext: lambda room, request, _now: room.drop_context(request.id),
        }

    def handle(self, request: Request, now: float) -> None:
        """Do what was asked for; everything but `JoinRoom` needs a room."""
        if request.payload and type(request) is not AudioReceived:
            raise Mistake("unexpected_payload", f"{request.type} takes no bytes after its line")
        if isinstance(request, JoinRoom):
            self._join(request)
            return
        if self.desk is None:
            raise Mistake("not_joined", "send join_room first, and wait for room_joined")
        handler = self._handlers.get(type(request))
        if handler is None:
            raise Mistake("wrong_socket", f"{request.type} belongs on /ws/events")
        handler(self.desk.room, request, now)

    def let_go(self) -> None:
        """Let everybody leave whom this session has announced."""
        if self.desk is not None:
            for seat in self._seats.values():
                self.desk.unseat(seat.key)
        self._seats.clear()

    def _join(self, request: JoinRoom) -> None:
        if self.desk is not None:
            raise Mistake("already_joined", "one socket joins one room; open another one")
        desk = self.find(request.room)
        self._platform = request.platform
        self.plays_audio = request.wants_audio
        self.rate = request.rate if request.wants_audio else VOICE_RATE
        self.join(desk)

    def _hear(self, room: Room, request: AudioReceived, now: float) -> None:
        payload, seat = request.payload, self._seat(request.member)
        if not payload or len(payload) % 2:
            text = f"sound is 16-bit mono at {EAR_RATE} Hz after the line of JSON; this has "
            raise Mistake("bad_audio", f"{text}{len(payload)} bytes, which are no whole samples")
        if len(payload) > MAX_PAYLOAD:
            text = f"{len(payload)} bytes of sound; send at most {MAX_PAYLOAD} in one message"
            raise Mistake("too_much_audio", f"{text}, better 640 (20 ms)")
        seconds = len(payload) / (2 * EAR_RATE)
        # A start in the past is none: sound that came later was spoken later.
        start = max(request.start or 0.0, seat.end or 0.0)
        silence = seat.silence(start, now)
        # What is dropped is no silence for what comes after it.
        seat.end, seat.heard_at = start + seconds, now
        if not seat.sound.take(now, seconds + silence):
            text = "sound came faster than real time and this piece was dropped; pace it"
            raise Mistake("too_fast", text, counts=False)
        if silence:
            quiet = np.zeros(round(silence * EAR_RATE), np.float32)
            room.hear(seat.key, AudioFrame(quiet, EAR_RATE, start - silence))
        samples = np.frombuffer(payload, dtype="<i2").astype(np.float32)
        samples *= _SCALE
        room.hear(seat.key, AudioFrame(samples, EAR_RATE, start))

    def _enter(self, _room: Room, request: MemberJoined, _now: float) -> None:
        member = self._own(request.member)
        is_new = member.id not in self._seats
        if is_new and len(self._seats) >= self.limits.members:
            text = f"one session may bring {self.limits.members} people; send member_left first"
            raise Mistake("too_many_members", text)
        self._here.seat(member, is_new=is_new)
        if is_new:
            sound = Bucket(self.limits.audio_speed, self.limits.audio_burst_s)
            self._seats[member.id] = _Seat(member.key, sound)

    def _go(self, _room: Room, request: MemberLeft, _now: float) -> None:
        seat = self._seat(request.member)
        del self._seats[request.member]
        self._here.unseat(seat.key)

    def _end_utterance(self, room: Room, request: UtteranceEnded, _now: float) -> None:
        room.end_utterance(self._seat(request.member).key)

    def _read_text(self, room: Room, request: TextReceived, _now: float) -> None:
        room.read(self._own(request.member), request.text)

    def _happen(self, room: Room, request: StreamEventReceived, _now: float) -> None:
        if request.member is not None:
            self._own(request.member)
        room.happen(request)

    def _note_playback(self, room: Room, request: PlaybackReported, _now: float) -> None:
        if not self.plays_audio:
            text = "this session does not play her voice; join with wants_audio to report playback"
            raise Mistake("plays_no_audio", text)
        room.report(self, request)

    @property
    def _here(self) -> Desk:
        if self.desk is None:
            raise Mistake("not_joined", "send join_room first, and wait for room_joined")
        return self.desk

    def _seat(self, member: str) -> _Seat:
        seat = self._seats.get(member)
        if seat is None:
            text = f"nobody here has the id {member!r}; announce them with member_joined first"
            raise Mistake("unknown_member", text)
        return seat

    def _own(self, member: Member) -> Member:
        if member.platform != self._platform:
            text = f"this session speaks for {self._platform!r} only, not for {member.platform!r}"
            raise Mistake("wrong_platform", text)
        return member
