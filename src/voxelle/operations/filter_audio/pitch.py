"""A pitch shifter with little delay: a higher or deeper voice at the same speed."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from voxelle.audio import Samples
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.effect import Effect, EffectProvider

WINDOW_S = 0.03
"""Seconds of the pieces that are overlapped: two periods of the deepest voice."""

SEARCH_S = 0.006
"""Seconds that a piece may move to fit the last one: half a period of the deepest voice."""

SEARCH_RATE = 16_000
"""Hertz at which the fit is judged, about: the pitch lies far below."""


class PitchOptions(Options):
    """Settings of the pitch shifter."""

    semitones: Annotated[float, Field(ge=-12, le=12)] = 0.0
    """Up or down; 12 is an octave. Beyond 5 a voice begins to sound like a toy."""


class Pitch(EffectProvider):
    """Moves the pitch by `semitones`; latency 36 ms and up to one piece of 15 ms over r."""

    name = "pitch"
    options_type = PitchOptions
    options: PitchOptions

    def begin(self, rate: int) -> Effect:
        """Give the shifter for a new line."""
        return PitchShifter(rate, 2 ** (self.options.semitones / 12))


class PitchShifter:
    """WSOLA: stretches the sound `ratio` times, and reads the result that much faster.

    Pieces of 30 ms are taken every `hop / ratio` samples, each at the place (within 6 ms) where
    it goes on best from the last one, and are cross-faded every `hop` samples. Sample n of the
    result stands at `ratio * n` of the stretched sound, so nothing moves in time.
    """

    def __init__(self, rate: int, ratio: float) -> None:
        self._ratio = ratio
        self._size = int(rate * WINDOW_S) // 2 * 2
        self._hop = self._size // 2
        self._search = int(rate * SEARCH_S)
        self._step = max(1, rate // SEARCH_RATE)
        self._window = np.hanning(self._size + 1)[:-1].astype(np.float32)
        self._source: Samples = np.zeros(0, np.float32)
        self._source_at = 0
        self._stretched: Samples = np.zeros(0, np.float32)
        self._stretched_at = 0
        self._fading: Samples = np.zeros(0, np.float32)
        self._expected: Samples = np.zeros(0, np.float32)
        self._pieces = 0
        self._taken = 0
        self._given = 0

    def push(self, samples: Samples) -> Samples:
        """Take the next samples, and give those that are ready."""
        self._taken += len(samples)
        if self._ratio == 1.0:
            self._given = self._taken
            return samples
        self._source = np.concatenate([self._source, samples])
        self._stretch()
        return self._read(self._stretched_at + len(self._stretched))

    def finish(self) -> Samples:
        """Give the rest: as much as was taken."""
        length, rest = self._taken, self._taken - self._given
        runs = []
        while rest > 0:
            runs.append(self.push(np.zeros(self._size, np.float32))[:rest])
            rest -= len(runs[-1])
        self._taken = self._given = length
        return np.concatenate(runs) if runs else np.zeros(0, np.float32)

    def _stretch(self) -> None:
        """Make as much of the stretched sound as the source allows."""
        made = [self._stretched]
        while True:
            ideal = int(self._pieces * self._hop / self._ratio)
            if ideal + self._search + self._size > self._source_at + len(self._source):
                break
            made.append(self._next_piece(ideal - self._source_at))
            self._pieces += 1
        self._stretched = np.concatenate(made)
        oldest = int(self._pieces * self._hop / self._ratio) - self._search
        if (drop := oldest - self._source_at) > 0:
            self._source = self._source[drop:]
            self._source_at += drop

    def _next_piece(self, ideal: int) -> Samples:
        begin = self._fit(ideal) if self._pieces else 0
        piece = self._source[begin : begin + self._size]
        faded = piece * self._window
        # The very first half piece has nothing before it to fade from.
        made = self._fading + faded[: self._hop] if self._pieces else piece[: self._hop]
        self._fading = faded[self._hop :]
        self._expected = piece[self._hop :]
        return made

    def _fit(self, ideal: int) -> int:
        """Find where the source looks most like what would have come next."""
        lowest = max(0, ideal - self._search)
        area = self._source[lowest : ideal + self._search + self._hop : self._step]
        expected = self._expected[:: self._step]
        likeness = np.correlate(area, expected, "valid")
        energies = np.concatenate([[0.0], np.cumsum(area.astype(np.float64) ** 2)])
        energy = energies[len(expected) :] - energies[: -len(expected)]
        score = likeness / np.sqrt(np.maximum(energy, 0.0) + 1e-6)
        if not score.any():
            return ideal
        return lowest + int(np.argmax(score)) * self._step

    def _read(self, end: int) -> Samples:
        """Read the stretched sound at speed `ratio`, by cubic interpolation."""
        last = int((end - 3) / self._ratio) if end > 3 else -1
        count = last + 1 - self._given
        if count <= 0:
            return np.zeros(0, np.float32)
        places = self._ratio * np.arange(self._given, self._given + count) - self._stretched_at
        index = places.astype(np.intp)
        t = (places - index).astype(np.float32)
        sound = self._stretched
        p0, p1 = sound[np.maximum(index - 1, 0)], sound[index]
        p2, p3 = sound[index + 1], sound[index + 2]
        result: Samples = p1 + 0.5 * t * (
            p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0))
        )
        self._given += count
        drop = int(self._ratio * self._given) - 2 - self._stretched_at
        if drop > 0:
            self._stretched = sound[drop:]
            self._stretched_at += drop
        return result.astype(np.float32)
