"""Those who are in a room in a test: people with a mouth, and a loudspeaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from voxelle.audio import EAR_RATE, FRAME_SECONDS, AudioFrame
from voxelle.conversation.room import Room
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    CaptionSpoken,
    ErrorReported,
    ExpressionChanged,
    LatencyMeasured,
    Member,
    Notice,
    PlaybackReported,
    SpeechEnded,
    SpeechStarted,
    StateChanged,
    TextShown,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
    VoiceDucked,
    VoiceStopped,
)

PREBUFFER_S = 0.06
"""Seconds a loudspeaker waits before it plays, as the browser's does."""

REPORT_S = 0.1

N = TypeVar("N")


class Person:
    """Somebody with a microphone that always sends, as a browser's does."""

    def __init__(self, room: Room, name: str, platform: str = "browser") -> None:
        self.room = room
        self.member = Member(platform=platform, id=name.lower(), name=name)
        room.enter(self.member)

    async def speak(self, seconds: float) -> None:
        await self._send(seconds, 0.5)

    async def pause(self, seconds: float) -> None:
        await self._send(seconds, 0.0)

    def write(self, text: str) -> None:
        self.room.read(self.member, text)

    async def _send(self, seconds: float, level: float) -> None:
        for _ in range(round(seconds / FRAME_SECONDS)):
            samples = np.full(round(EAR_RATE * FRAME_SECONDS), level, np.float32)
            self.room.hear(self.member.key, AudioFrame(samples, EAR_RATE))
            await asyncio.sleep(FRAME_SECONDS)


class Loudspeaker:
    """Plays her voice in (virtual) real time, reports what it played, and remembers everything."""

    def __init__(self, room: Room, *, reports: bool = True) -> None:
        self.plays_audio = True
        self.room = room
        self.reports = reports
        self.notices: list[Notice] = []
        self.turn = 0
        self.received = 0.0
        self.started_at: float | None = None
        self.stopped_after: dict[int, float] = {}
        self.late_frames = 0
        self.is_ended = False
        self._timer: asyncio.TimerHandle | None = None
        room.attach(self)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def position(self) -> float:
        if self.started_at is None:
            return 0.0
        return min(self.received, max(0.0, self._now - self.started_at))

    def take(self, notice: Notice) -> None:
        self.notices.append(notice)
        if isinstance(notice, AudioSpoken):
            self._play(notice)
        elif isinstance(notice, AudioEnded) and notice.turn == self.turn:
            self.is_ended = True
        elif isinstance(notice, VoiceStopped):
            self._stop(notice.turn)

    def of(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def _play(self, notice: AudioSpoken) -> None:
        if notice.turn in self.stopped_after or notice.turn < self.turn:
            self.late_frames += 1
            return
        if notice.turn > self.turn:
            self.turn, self.received, self.is_ended = notice.turn, 0.0, False
            self.started_at = self._now + PREBUFFER_S
            self._schedule()
        self.received += len(notice.payload) / 2 / notice.rate

    def _stop(self, turn: int) -> None:
        if turn == self.turn and turn not in self.stopped_after:
            self.stopped_after[turn] = self.position
            self._report(is_done=True)
        self.started_at = None

    def _schedule(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(REPORT_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.started_at is None:
            return
        is_done = self.is_ended and self.position >= self.received - 1e-6
        self._report(is_done=is_done)
        if not is_done:
            self._schedule()

    def _report(self, *, is_done: bool) -> None:
        if self.reports:
            position = self.stopped_after.get(self.turn, self.position)
            report = PlaybackReported(turn=self.turn, position=position, is_done=is_done)
            self.room.report(self, report)


class Chronicler:
    """Writes everything that is told in a room into a trace, one line each."""

    plays_audio = False

    def __init__(self, room: Room, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.caption: list[str] = []
        room.attach(self)

    def take(self, notice: Notice) -> None:
        if line := describe(notice):
            self.tell(line)


def describe(notice: Notice) -> str:
    match notice:
        case StateChanged():
            return f"state       {notice.state}"
        case SpeechStarted():
            return f"speech      {notice.member.name} begins"
        case SpeechEnded():
            return f"speech      {notice.member.name} ends after {notice.seconds:.2f} s"
        case TranscriptUpdated():
            mark = "final" if notice.is_final else "so far"
            return f"transcript  {notice.member.name}: {notice.text!r} ({mark})"
        case TextShown():
            return f"text        {notice.member.name}: {notice.text!r}"
        case TurnStarted():
            return f"turn        {notice.turn} begins: {notice.source}, to {notice.to or 'all'}"
        case CaptionSpoken():
            words = " ".join(word.text for word in notice.words)
            return f"caption     {notice.turn}.{notice.line} {words}"
        case ExpressionChanged():
            return f"expression  {notice.turn} {notice.expression} at {notice.start:.2f} s"
        case VoiceDucked():
            return f"voice       {notice.turn} {notice.gain_db:+.0f} dB"
        case VoiceStopped():
            return f"voice       {notice.turn} stops"
        case AudioEnded():
            return f"audio       {notice.turn} ends after {notice.seconds:.2f} s"
        case LatencyMeasured():
            stages = " ".join(f"{name} {value:+.2f}" for name, value in notice.stages.items())
            return f"latency     {notice.turn} {stages}"
        case TurnEnded():
            rest = f", not {notice.unheard!r}" if notice.unheard else ""
            why = f" ({notice.detail})" if notice.detail else ""
            return f"turn        {notice.turn} {notice.reason}{why}: heard {notice.heard!r}{rest}"
        case ErrorReported():
            return f"error       {notice.code}: {notice.message}"
        case _:
            return ""
