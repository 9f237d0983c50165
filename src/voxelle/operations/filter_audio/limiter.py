"""A look-ahead limiter: nothing is louder than the ceiling, and nothing is clipped."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from voxelle.audio import Samples
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.effect import Effect, EffectProvider

LOOK_AHEAD_S = 0.005
"""Seconds in which the volume goes down before a peak: a ramp shorter than this is heard."""

CHUNK = 1024
"""Samples at once: keeps the powers of the release in a range that numbers can hold."""

NEGLIGIBLE = 1e-7
"""A reduction below this is none: less than one step of 16-bit sound."""


class LimiterOptions(Options):
    """Settings of the limiter."""

    ceiling_db: Annotated[float, Field(ge=-30, le=0)] = -1.0
    """Decibels of full scale that no sample exceeds; -1 leaves room for lossy codecs."""

    release_s: Annotated[float, Field(ge=0.01, le=2)] = 0.1
    """Seconds in which the volume comes back to within a third, behind a peak."""


class Limiter(EffectProvider):
    """Turns peaks down smoothly, 5 ms before they come; latency 5 ms."""

    name = "limiter"
    options_type = LimiterOptions
    options: LimiterOptions

    def begin(self, rate: int) -> Effect:
        """Give the limiter for a new line."""
        ceiling = 10 ** (self.options.ceiling_db / 20)
        decay = math.exp(-1 / (self.options.release_s * rate))
        return PeakLimiter(ceiling, decay, round(LOOK_AHEAD_S * rate))


class PeakLimiter:
    """The limiter of one line.

    The reduction that each sample needs is held from `ahead` samples before it on, released
    exponentially, and then averaged over `ahead` samples: the average is smooth, and never less
    than what the sample needs, because all that is averaged covers it.
    """

    def __init__(self, ceiling: float, decay: float, ahead: int) -> None:
        self._ceiling = np.float32(ceiling)
        self._ahead = ahead
        self._decays: NDArray[np.float64] = np.power(
            decay, np.arange(1, CHUNK + 1, dtype=np.float64)
        )
        # The line begins with `ahead` samples of silence that are never given.
        self._held: Samples = np.zeros(ahead, np.float32)
        self._skip = ahead
        self._needed = np.zeros(ahead)
        self._reductions = np.zeros(ahead - 1)

    def push(self, samples: Samples) -> Samples:
        """Take the next samples; give as many, `ahead` samples late."""
        runs = [self._limit(samples[at : at + CHUNK]) for at in range(0, len(samples), CHUNK)]
        given = np.concatenate(runs) if runs else np.zeros(0, np.float32)
        skipped, self._skip = self._skip, max(0, self._skip - len(given))
        return given[skipped:]

    def finish(self) -> Samples:
        """Give the last `ahead` samples."""
        return self.push(np.zeros(self._ahead, np.float32))

    def _limit(self, samples: Samples) -> Samples:
        count = len(samples)
        waiting = np.concatenate([self._held, samples])
        given, self._held = waiting[:count], waiting[count:]
        levels = np.abs(samples, dtype=np.float64)
        needed = np.concatenate(
            [self._needed, 1 - self._ceiling / np.maximum(levels, self._ceiling)]
        )
        self._needed = needed[count:]
        if not needed.any() and not self._reductions.any():
            return given
        released = self._release(_sliding_maximum(needed, self._ahead + 1))
        history = np.concatenate([self._reductions, released])
        self._reductions = history[count:]
        sums = np.cumsum(np.concatenate([[0.0], history]))
        reduction = (sums[self._ahead :] - sums[: -self._ahead]) / self._ahead
        limited: Samples = (given * (1 - reduction)).astype(np.float32)
        np.clip(limited, -self._ceiling, self._ceiling, out=limited)
        return limited

    def _release(self, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give d with d[n] = max(wanted[n], decay * d[n-1]), without a step per sample."""
        powers = self._decays[: len(wanted)]
        raised = np.maximum.accumulate(wanted / powers)
        released: NDArray[np.float64] = np.maximum(raised, self._reductions[-1]) * powers
        released[released < NEGLIGIBLE] = 0.0
        return released


def _sliding_maximum(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Give the maximum of each `size` neighbours, by doubling: log2(size) passes."""
    width = 1
    while width * 2 <= size:
        values = np.maximum(values[:-width], values[width:])
        width *= 2
    rest = size - width
    return np.maximum(values[: len(values) - rest], values[rest:]) if rest else values
