"""What the built-in effects have in common: they change samples, not streams."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import aclosing
from typing import Protocol

import numpy as np

from voxelle.audio import AudioFrame, Mark, Samples
from voxelle.operations.base import Provider
from voxelle.streams import Stream
from voxelle.utils.exceptions import AudioFilterError

RATES = range(8_000, 192_001)
"""Hertz that an effect takes: from the telephone to the best sound cards."""

MAX_AMPLITUDE = 8.0
"""Anything louder (18 dB over full scale) is a fault of the voice: clipped before it spreads."""

MAX_SLICE_S = 0.04
"""Seconds of sound that are changed before others get a turn on the loop: below 1 ms of work."""

log = logging.getLogger(__name__)


class Effect(Protocol):
    """An effect at work on one line: everything it remembers between two frames."""

    def push(self, samples: Samples) -> Samples:
        """Take the next samples, any number of them, and give those that are ready."""
        ...

    def finish(self) -> Samples:
        """Give what is left: all in all as many samples as were taken."""
        ...


class EffectProvider(Provider, ABC):
    """A provider whose streams are made by an `Effect`, one for each line."""

    name = "effect"

    @abstractmethod
    def begin(self, rate: int) -> Effect:
        """Give the effect for a new line at `rate` hertz."""

    def rate_out(self, rate: int) -> int:
        """Give the hertz of what comes out."""
        return rate

    async def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        """Give the changed frames, of the same total length, with the same marks.

        Raises `AudioFilterError` for a rate that is impossible or that changes within the line.
        Samples that are no numbers become silence. To close this stream is to close `audio`.
        """
        line: _Line | None = None
        async with aclosing(audio):
            async for frame in audio:
                if line is None:
                    self._check(frame.rate)
                    line = _Line(self.begin(frame.rate), self.rate_out(frame.rate), frame)
                elif frame.rate != line.rate_in:
                    self._refuse(
                        f"the rate changed from {line.rate_in} to {frame.rate} Hz within "
                        "a line; put a `resample` filter before this one"
                    )
                line.note(frame.marks)
                for number, samples in enumerate(_slices(frame)):
                    if number:
                        await asyncio.sleep(0)
                    if changed := line.frame(line.effect.push(samples)):
                        yield changed
        if line is not None and (last := line.frame(line.effect.finish(), is_last=True)):
            yield last

    def _check(self, rate: int) -> None:
        if rate not in RATES:
            self._refuse(f"cannot work at {rate} Hz; give it {RATES.start} to {RATES.stop - 1} Hz")

    def _refuse(self, why: str) -> None:
        raise AudioFilterError(f"{self.name}: {why}", provider=self.name, is_retryable=False)


class _Line:
    """Places what an effect gives on the time of the line."""

    def __init__(self, effect: Effect, rate: int, first: AudioFrame) -> None:
        self.effect = effect
        self.rate_in = first.rate
        self._rate = rate
        self._begin = first.start
        self._given = 0
        self._marks: tuple[Mark, ...] = ()

    def note(self, marks: tuple[Mark, ...]) -> None:
        self._marks += marks

    def frame(self, samples: Samples, *, is_last: bool = False) -> AudioFrame | None:
        """Give the next frame; nothing if there are no samples, unless marks would be lost."""
        if not len(samples) and not (is_last and self._marks):
            return None
        start = self._begin + self._given / self._rate
        frame = AudioFrame(samples.astype(np.float32, copy=False), self._rate, start, self._marks)
        self._given, self._marks = self._given + len(samples), ()
        return frame


def _slices(frame: AudioFrame) -> Iterator[Samples]:
    """Give the frame's samples in short runs, all of them numbers and none of them absurd."""
    size = round(MAX_SLICE_S * frame.rate)
    for at in range(0, len(frame.samples), size):
        samples = frame.samples[at : at + size]
        peak = np.abs(samples).max()
        if not peak <= MAX_AMPLITUDE:  # also true if one of them is not a number
            log.warning("a voice gave samples that are no sound; they are silenced or clipped")
            sane = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
            samples = np.clip(sane, -MAX_AMPLITUDE, MAX_AMPLITUDE)
        yield samples
