"""One voice detector for all who speak: windows that are ready together are scored together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voxelle.audio import EAR_RATE, Samples
from voxelle.operations.base import VAD
from voxelle.utils.exceptions import OperationError

log = logging.getLogger(__name__)

WINDOW = 512
"""Samples in a window, 32 ms: what Silero was trained with."""

USUAL_BACKLOG = EAR_RATE
"""Samples that a stream has room for at first, 1 s."""

MAX_BACKLOG = 10 * EAR_RATE
"""Samples that may wait in one stream, 10 s, after a hiccup of the network; the oldest go first."""

CROWD = 16
"""From so many streams on, windows are collected for a while."""

COLLECT_S = 0.002
"""How long they are then collected: a sixteenth of a window, and the batches fill up."""

FIRST_STREAMS = 16
"""Streams there is room for at first; the room doubles as needed."""


class VadStream:
    """The sound of one speaker on its way to the detector; made by `SharedVad.open`."""

    def __init__(self, shared: SharedVad, index: int, on_score: Callable[[float], None]) -> None:
        self.index = index
        self.on_score = on_score
        self.sound = np.zeros(USUAL_BACKLOG, np.float32)
        self.waiting = 0
        """How many samples of `sound` wait to be scored."""
        self.is_open = True
        self._shared = shared

    def push(self, samples: Samples) -> None:
        """Hear more, float32 at 16 kHz, of any length; only the last 10 s can be kept.

        Returns at once: `on_score` is called from the loop, once per 512 samples, in order.
        After `close` it does nothing.
        """
        if not self.is_open:
            return
        samples = samples[-MAX_BACKLOG:]
        excess = self.waiting + len(samples) - MAX_BACKLOG
        if excess > 0:
            self.drop(excess)
        self._make_room(self.waiting + len(samples))
        self.sound[self.waiting : self.waiting + len(samples)] = samples
        self.waiting += len(samples)
        if self.waiting >= WINDOW:
            self._shared.schedule()

    def _make_room(self, samples: int) -> None:
        if samples > len(self.sound):
            larger = np.zeros(min(MAX_BACKLOG, max(samples, 2 * len(self.sound))), np.float32)
            larger[: self.waiting] = self.sound[: self.waiting]
            self.sound = larger

    def reset(self) -> None:
        """Forget what was heard: somebody begins to speak anew, after a gap."""
        self.waiting = 0
        if self.is_open:
            self._shared.reset(self.index)

    def close(self) -> None:
        """Give the place to somebody else; `on_score` is not called any more."""
        if self.is_open:
            self.is_open = False
            self._shared.release(self)

    def drop(self, count: int) -> None:
        """Drop the oldest samples that wait."""
        rest = self.waiting - count
        # An overlapping copy within one array: NumPy takes care of the order.
        self.sound[:rest] = self.sound[count : self.waiting]
        self.waiting = rest


class SharedVad:
    """Hands the windows of all streams to a VAD, in one batch per loop turn or per 2 ms."""

    def __init__(self, vad: VAD) -> None:
        self._vad = vad
        self._streams: dict[int, VadStream] = {}
        self._free: list[int] = []
        self._room = 0
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, on_score: Callable[[float], None]) -> VadStream:
        """Begin a stream; `on_score` gets the probability of a voice, window by window.

        It is called from the running loop, and should neither block nor raise.
        """
        if not self._free:
            more = max(FIRST_STREAMS, self._room)
            self._vad.resize(self._room + more)
            self._free = list(range(self._room + more - 1, self._room - 1, -1))
            self._room += more
        index = self._free.pop()
        self._vad.reset(index)
        stream = self._streams[index] = VadStream(self, index, on_score)
        return stream

    def reset(self, index: int) -> None:
        """Make the detector forget a stream."""
        self._vad.reset(index)

    def release(self, stream: VadStream) -> None:
        """Take back the place of a stream that was closed."""
        del self._streams[stream.index]
        self._free.append(stream.index)

    def schedule(self) -> None:
        """See to it that windows that are ready are scored soon."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if len(self._streams) < CROWD:
            self._timer = loop.call_soon(self._flush)
        else:
            self._timer = loop.call_later(COLLECT_S, self._flush)

    def _flush(self) -> None:
        """Score one window of every stream that has one; what remains comes in the next turn.

        A backlog is thus worked off in many loop turns, and the loop is never held for long.
        """
        self._timer = None
        ready = [stream for stream in self._streams.values() if stream.waiting >= WINDOW]
        if not ready:
            return
        windows = np.stack([stream.sound[:WINDOW] for stream in ready])
        for stream in ready:
            stream.drop(WINDOW)
        if any(stream.waiting >= WINDOW for stream in ready):
            self._timer = asyncio.get_running_loop().call_soon(self._flush)
        for stream, score in zip(ready, self._score(ready, windows), strict=True):
            if stream.is_open:
                self._tell(stream, score)

    def _score(self, ready: list[VadStream], windows: NDArray[np.float32]) -> list[float]:
        """Ask the detector; one that fails hears nobody, so that who speaks now comes to an end."""
        try:
            scores: list[float] = self._vad.score([one.index for one in ready], windows).tolist()
        except OperationError:
            log.exception("the voice detector failed")
            return [0.0] * len(ready)
        return scores

    @staticmethod
    def _tell(stream: VadStream, score: float) -> None:
        try:
            stream.on_score(score)
        except Exception:  # one speaker's trouble must not make the others deaf
            log.exception("a listener of the voice detector failed")
