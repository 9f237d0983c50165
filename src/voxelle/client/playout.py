"""A loudspeaker's memory: what is to be played, and how much of it was really heard."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from voxelle.audio import FRAME_SECONDS, VOICE_RATE, Samples
from voxelle.client.connection import Client
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    Notice,
    PlaybackReported,
    RoomJoined,
    VoiceDucked,
    VoiceStopped,
)

PREBUFFER_S = 0.06
"""Sound that must have come before a turn begins: measured, 20 ms gave underruns, 60 ms none."""

REPORT_S = 0.25
"""Seconds of heard sound between two reports, as the protocol asks."""

FADE_S = 0.008
"""How long a stop fades, so that it does not click."""

MAX_WAITING_S = 30.0
"""Seconds of sound kept for later; the core sends far less ahead, so more is somebody's mistake."""


class Playout:
    """Takes the voice's notices, gives the samples to play, and counts what was played.

    `take` belongs to whoever reads the notices, `read` to whoever plays: both may be called
    from different threads. Sound of a turn that is over is dropped by its number.
    """

    def __init__(self, rate: int = VOICE_RATE) -> None:
        self.rate = rate
        self.turn = 0
        """The turn that is played now, or was last."""
        self.underruns = 0
        """How often there was nothing to play in the middle of a turn."""
        self._lock = threading.Lock()
        self._reports: deque[PlaybackReported] = deque(maxlen=64)
        self._silent_until = 0
        self._gain = self._target = 1.0
        self._gain_step = 0.0
        self._chunks: deque[Samples] = deque()
        self._waiting = self._heard = self._reported = 0
        self._is_playing = self._is_ended = self._is_done = False

    @property
    def position(self) -> float:
        """Seconds of this turn's sound that were heard."""
        return self._heard / self.rate

    @property
    def is_playing(self) -> bool:
        """Whether sound of a turn is coming out."""
        return self._is_playing

    def take(self, notice: Notice) -> None:
        """Take any notice; those that are not about her voice are ignored."""
        with self._lock:
            if isinstance(notice, AudioSpoken):
                self._add(notice)
            elif isinstance(notice, AudioEnded):
                self._end(notice)
            elif isinstance(notice, VoiceStopped):
                self._stop(notice)
            elif isinstance(notice, VoiceDucked):
                self._duck(notice)
            elif isinstance(notice, RoomJoined):  # perhaps another core, which counts from 1
                self._silent_until = 0
                self._begin(0)

    def read(self, count: int) -> Samples:
        """Give the next samples to play, shape (count,); silence where there are none."""
        sound = np.zeros(count, dtype=np.float32)
        with self._lock:
            if not self._is_playing and not self._may_begin():
                return sound
            self._is_playing = True
            filled = self._fill(sound)
            self._heard += filled
            self._shape(sound[:filled])
            self._note(is_short=filled < count)
        return sound

    def reports(self) -> list[PlaybackReported]:
        """Take the reports that are due; send them to the core."""
        with self._lock:
            due = list(self._reports)
            self._reports.clear()
        return due

    # --- inside, with the lock held -----------------------------------------------------

    def _begin(self, turn: int) -> None:
        self.turn = turn
        self._chunks.clear()
        self._waiting = self._heard = self._reported = 0
        self._is_playing = self._is_ended = self._is_done = False
        self._gain = self._target = 1.0

    def _is_stale(self, turn: int) -> bool:
        return (
            turn < self.turn or turn <= self._silent_until or (turn == self.turn and self._is_done)
        )

    def _begin_if_new(self, turn: int) -> None:
        if turn > self.turn:
            self._finish()
            self._begin(turn)

    def _add(self, spoken: AudioSpoken) -> None:
        if self._is_stale(spoken.turn):
            return
        self._begin_if_new(spoken.turn)
        samples = np.frombuffer(spoken.payload, dtype="<i2").astype(np.float32)
        samples *= np.float32(1 / 32768)
        if self._waiting + len(samples) <= MAX_WAITING_S * self.rate:
            self._chunks.append(samples)
            self._waiting += len(samples)

    def _end(self, ended: AudioEnded) -> None:
        if self._is_stale(ended.turn):
            return
        self._begin_if_new(ended.turn)
        self._is_ended = True
        if not self._waiting:
            self._finish()

    def _stop(self, stopped: VoiceStopped) -> None:
        self._silent_until = max(self._silent_until, stopped.turn)
        if stopped.turn < self.turn:
            return
        if stopped.turn == self.turn and self._is_playing and self._waiting:
            # A few milliseconds more that fade out; they count as heard when they are read.
            tail = np.concatenate(list(self._chunks))[: max(1, round(FADE_S * self.rate))]
            tail *= np.linspace(1.0, 0.0, len(tail), dtype=np.float32)
            self._chunks = deque([tail])
            self._waiting, self._is_ended = len(tail), True
            return
        self._begin_if_new(stopped.turn)
        self._chunks.clear()
        self._waiting = 0
        self._finish()

    def _duck(self, ducked: VoiceDucked) -> None:
        if ducked.turn != self.turn:
            return
        self._target = float(10 ** (min(ducked.gain_db, 0.0) / 20))
        steps = max(1.0, ducked.fade_s * self.rate)
        self._gain_step = abs(self._target - self._gain) / steps

    def _may_begin(self) -> bool:
        return self._waiting > 0 and (self._is_ended or self._waiting >= PREBUFFER_S * self.rate)

    def _fill(self, sound: Samples) -> int:
        filled = 0
        while filled < len(sound) and self._chunks:
            chunk = self._chunks.popleft()
            taken = chunk[: len(sound) - filled]
            sound[filled : filled + len(taken)] = taken
            filled += len(taken)
            if len(taken) < len(chunk):
                self._chunks.appendleft(chunk[len(taken) :])
        self._waiting -= filled
        return filled

    def _shape(self, sound: Samples) -> None:
        if self._gain == self._target == 1.0 or not len(sound):
            return
        ramp = np.arange(1, len(sound) + 1, dtype=np.float32) * self._gain_step
        if self._target < self._gain:
            gains = np.maximum(self._target, self._gain - ramp)
        else:
            gains = np.minimum(self._target, self._gain + ramp)
        sound *= gains.astype(np.float32)
        self._gain = float(gains[-1])

    def _note(self, *, is_short: bool) -> None:
        if self._is_ended and not self._waiting:
            self._finish()
        elif is_short:
            self._is_playing = False
            self.underruns += 1
        elif self._heard - self._reported >= REPORT_S * self.rate:
            self._report(is_done=False)

    def _finish(self) -> None:
        if self.turn and not self._is_done:
            self._is_done, self._is_playing = True, False
            self._report(is_done=True)

    def _report(self, *, is_done: bool) -> None:
        self._reported = self._heard
        report = PlaybackReported(turn=self.turn, position=self.position, is_done=is_done)
        self._reports.append(report)


async def run_loudspeaker(
    client: Client, playout: Playout, on_sound: Callable[[Samples], None] | None = None
) -> None:
    """Play in real time without a sound card, and report it, until it is cancelled.

    For tests, and for apps that pass the sound on themselves: `on_sound` gets every 20 ms,
    silence included. The app still hands its notices to `playout.take`.
    """
    loop = asyncio.get_running_loop()
    size = round(playout.rate * FRAME_SECONDS)
    due = loop.time()
    while True:
        sound = playout.read(size)
        if on_sound is not None:
            on_sound(sound)
        for report in playout.reports():
            await client.send(report)
        due += FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
