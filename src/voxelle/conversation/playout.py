"""The sound of one turn on its way to the listeners: paced, counted, and stopped at once."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from voxelle.audio import AudioFrame
from voxelle.conversation.audience import Audience, Listener
from voxelle.conversation.captions import Captions
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.script import Line
from voxelle.conversation.settings import ConversationSettings
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    PlaybackReported,
    VoiceDucked,
    VoiceStopped,
)

GRACE_S = 1.0
"""Seconds past the expected end that a listener which reports may still play."""

SETTLE_S = 0.25
"""Seconds that listeners have after a stop to report how much was heard."""

UNCERTAIN_S = 0.25
"""Seconds missing at the end of a turn that nobody stopped which are taken for a late report."""

DUCK_FADE_S = 0.04
"""Seconds over which she becomes softer: short, but without a click."""


@dataclass(slots=True)
class _Report:
    position: float
    at: float
    is_done: bool


class Playout:
    """Sends a turn's frames a bounded lead ahead of real time, and knows what was heard.

    Nothing is sent before `open()`: a reply may be ready before it is wanted.
    """

    def __init__(
        self,
        turn: int,
        audience: Audience,
        clock: OutputClock,
        settings: ConversationSettings,
        on_sound: Callable[[], None],
    ) -> None:
        self.turn = turn
        self.started_at: float | None = None
        """Loop time of the first sound, in seconds."""
        self.fed_s = 0.0
        """Seconds of sound put in so far."""
        self.sent_s = 0.0
        """Seconds of sound sent so far."""
        self.is_stopped = False
        self._audience = audience
        self._clock = clock
        self._lead_s = settings.lead_s
        self._ahead_s = settings.ahead_s
        self._on_sound = on_sound
        self._is_open = False
        self._is_fed = False
        self._is_all_sent = False
        self._is_ducked = False
        self._base = 0.0
        """Loop time at which the beginning of the sound would have been played without a break."""
        self._stopped_at = 0.0
        self._queue: deque[tuple[Line, AudioFrame]] = deque()
        self._captions = Captions(turn, audience.tell)
        self._reports: dict[Listener, _Report] = {}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    # --- for the turn ---

    async def put(self, line: Line, frame: AudioFrame) -> None:
        """Take a frame of this line; return when the next one is wanted."""
        self._queue.append((line, frame))
        self.fed_s += frame.seconds
        self.pump(self._loop.time())
        while self.fed_s - self.sent_s > self._ahead_s and not self.is_stopped:
            await self._change(math.inf)

    async def finish(self) -> None:
        """Say that no more sound comes, and return when all of it was heard."""
        self._is_fed = True
        self.pump(self._loop.time())
        while not self.is_stopped and (over_at := self._over_at()) > self._loop.time():
            await self._change(over_at)

    # --- for the room ---

    def open(self) -> None:
        """Let the sound out."""
        self._is_open = True
        self.pump(self._loop.time())

    def hold(self) -> bool:
        """Keep the sound in, if none of it is out yet; tell whether that is so."""
        if self.started_at is None:
            self._is_open = False
        return not self._is_open

    def stop(self) -> None:
        """Silence every listener now; what was heard is known after `settle()`."""
        if self.is_stopped:
            return
        self.is_stopped = True
        self._stopped_at = self._loop.time()
        self._queue.clear()
        self._clock.discard(self)
        if self.started_at is not None:
            self._audience.tell(VoiceStopped(turn=self.turn))
        self._changed.set()

    def duck(self, gain_db: float) -> None:
        """Play her softer from now on."""
        if not self._is_ducked and self.started_at is not None and not self.is_stopped:
            self._is_ducked = True
            self._audience.tell(VoiceDucked(turn=self.turn, gain_db=gain_db, fade_s=DUCK_FADE_S))

    def unduck(self) -> None:
        """Play her as loud as before."""
        if self._is_ducked and not self.is_stopped:
            self._is_ducked = False
            self._audience.tell(VoiceDucked(turn=self.turn, gain_db=0.0, fade_s=DUCK_FADE_S))

    def report(self, listener: Listener, report: PlaybackReported) -> None:
        """Take note of how far a listener has played."""
        if report.turn == self.turn:
            position = min(report.position, self.sent_s)
            self._reports[listener] = _Report(position, self._loop.time(), report.is_done)
            self._changed.set()

    def forget(self, listener: Listener) -> None:
        """Wait no more for the reports of somebody who is gone."""
        if self._reports.pop(listener, None):
            self._changed.set()

    async def settle(self) -> None:
        """After a stop, give listeners that report a moment to say where they stopped."""
        if not self.is_stopped:
            return
        deadline = self._stopped_at + SETTLE_S
        while any(not report.is_done for report in self._reports.values()):
            if deadline <= self._loop.time():
                return
            await self._change(deadline)

    def heard_s(self) -> float:
        """Tell how many seconds of the turn were heard, by whoever heard most of it."""
        if self.started_at is None:
            return 0.0
        now = self._stopped_at if self.is_stopped else self._loop.time()
        by_clock = min(max(0.0, now - self._base), self.sent_s)
        positions = [by_clock] if self._has_mute_players else []
        positions += [
            report.position
            if report.is_done
            else min(self.sent_s, report.position + max(0.0, now - report.at))
            for report in self._reports.values()
        ]
        heard = max(positions, default=by_clock)
        is_over = self._is_all_sent and not self.is_stopped
        return self.sent_s if is_over and heard > self.sent_s - UNCERTAIN_S else heard

    # --- for the clock ---

    def pump(self, now: float) -> None:
        """Send what is due, and the end when everything was sent."""
        if not self._is_open or self.is_stopped:
            return
        sent = False
        while self._queue and self._is_due(now):
            self._send(now, *self._queue.popleft())
            sent = True
        if self._is_fed and not self._queue and not self._is_all_sent:
            self._is_all_sent = sent = True
            self._clock.discard(self)
            self._captions.finish(self.sent_s)
            if self.started_at is not None:
                self._audience.tell(AudioEnded(turn=self.turn, seconds=self.sent_s))
        if sent:
            self._changed.set()

    def _is_due(self, now: float) -> bool:
        return self.started_at is None or self.sent_s - (now - self._base) < self._lead_s

    def _send(self, now: float, line: Line, frame: AudioFrame) -> None:
        if self.started_at is None:
            self.started_at = now
            self._clock.add(self)
            self._on_sound()
        # The listeners ran dry, or it begins: what follows is played from now on.
        self._base = max(self._base, now - self.sent_s)
        end = self.sent_s + frame.seconds
        self._captions.advance(line, frame, end)
        if len(frame.samples):
            pcm = frame.to_pcm16()
            self._audience.play(
                AudioSpoken(turn=self.turn, rate=frame.rate, start=self.sent_s, payload=pcm)
            )
        self.sent_s = end

    def _over_at(self) -> float:
        """Tell the loop time at which all of it will have been heard, as far as one can know."""
        if not self._is_all_sent:
            return math.inf
        end = self._base + self.sent_s
        if not self._reports:
            return end
        if not all(report.is_done for report in self._reports.values()):
            return end + GRACE_S
        return end if self._has_mute_players else self._loop.time()

    @property
    def _has_mute_players(self) -> bool:
        """Whether somebody plays her voice and does not report."""
        return any(player not in self._reports for player in self._audience.players)

    async def _change(self, deadline: float) -> None:
        """Return when something has changed, or at this loop time."""
        self._changed.clear()
        timer = None if deadline == math.inf else self._loop.call_at(deadline, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
