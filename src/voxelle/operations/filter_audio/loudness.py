"""Loudness normalisation: every voice as loud as the others, whatever engine made it."""

from __future__ import annotations

import math
from collections import deque
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from voxelle.audio import Samples
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.biquad import Biquad, k_weighting
from voxelle.operations.filter_audio.effect import Effect, EffectProvider

HOP_S = 0.1
"""Seconds between two looks at the level (ITU-R BS.1770-4: blocks of 0.4 s overlap by 75 %)."""

HOPS_PER_BLOCK = 4
ABSOLUTE_GATE_LUFS = -70.0
"""Blocks below this are silence (BS.1770-4)."""

RELATIVE_GATE_LU = -10.0
"""Blocks this far below the mean of the others are pauses (BS.1770-4)."""

MEMORY_BLOCKS = 300
"""Blocks that are remembered, half a minute of speech: a new voice is learned as fast."""

SURE_BLOCKS = 30
"""Blocks after which the level is known well: from then on the volume moves slowly."""

FAST_DB_PER_S = 20.0
"""Decibels per second while the voice is still being learned."""

SLOW_DB_PER_S = 3.0
"""Decibels per second afterwards: nobody hears it move."""


class LoudnessOptions(Options):
    """Settings of the loudness normalisation."""

    target_lufs: Annotated[float, Field(ge=-40, le=-8)] = -18.0
    """Loudness of the voice; -18 sits well over games and music at -24 to -20."""

    max_gain_db: Annotated[float, Field(ge=0, le=30)] = 12.0
    """Decibels by which it makes louder at most, so that noise is not raised to speech."""

    max_cut_db: Annotated[float, Field(ge=0, le=40)] = 20.0
    """Decibels by which it makes quieter at most."""


class VoiceLevel:
    """How loud a voice is: the gated mean of its last half minute."""

    def __init__(self) -> None:
        self._powers: deque[float] = deque(maxlen=MEMORY_BLOCKS)

    def learn(self, power: float) -> None:
        """Take the mean square of one K-weighted block of 0.4 s."""
        if power > 0 and lufs(power) > ABSOLUTE_GATE_LUFS:
            self._powers.append(power)

    @property
    def is_sure(self) -> bool:
        """Whether enough was heard to trust it."""
        return len(self._powers) >= SURE_BLOCKS

    @property
    def lufs(self) -> float | None:
        """The loudness; None if nothing was heard so far."""
        if not self._powers:
            return None
        powers = np.array(self._powers)
        gate = powers.mean() * 10 ** (RELATIVE_GATE_LU / 10)
        return lufs(float(powers[powers > gate].mean()))


class Loudness(EffectProvider):
    """Brings the voice to `target_lufs`; no delay.

    What was learned about the voice is kept from line to line (and shared by lines that run at
    the same time), so only the very first line begins unchanged. Put a limiter behind it.
    """

    name = "loudness"
    options_type = LoudnessOptions
    options: LoudnessOptions

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.level = VoiceLevel()

    def begin(self, rate: int) -> Effect:
        """Give the normalisation for a new line."""
        return _Normaliser(self.level, self.options, rate)


class _Normaliser:
    def __init__(self, level: VoiceLevel, options: LoudnessOptions, rate: int) -> None:
        self._level = level
        self._options = options
        self._stages = [Biquad(coefficients) for coefficients in k_weighting(rate)]
        self._hop = round(HOP_S * rate)
        self._position = 0
        self._power = 0.0
        self._hops: deque[float] = deque(maxlen=HOPS_PER_BLOCK)
        self._from_db = self._to_db = self._wanted_db()

    def push(self, samples: Samples) -> Samples:
        """Give the samples at their new volume."""
        weighted = samples.astype(np.float64)
        for stage in self._stages:
            weighted = stage.process(weighted)
        squares = weighted * weighted
        result = np.empty(len(samples), np.float32)
        at = 0
        while at < len(samples):
            count = min(len(samples) - at, self._hop - self._position)
            result[at : at + count] = samples[at : at + count] * self._gains(count)
            self._power += float(squares[at : at + count].sum())
            self._position += count
            at += count
            if self._position == self._hop:
                self._look()
        return result

    def finish(self) -> Samples:
        """Give nothing: nothing was held back."""
        return np.zeros(0, np.float32)

    def _gains(self, count: int) -> Samples | np.float32:
        """Give the amplitude factors of the next samples: straight from one look to the next."""
        begin, end = 10 ** (self._from_db / 20), 10 ** (self._to_db / 20)
        if begin == end:
            return np.float32(begin)
        steps = np.arange(self._position, self._position + count)
        return (begin + (end - begin) / self._hop * steps).astype(np.float32)

    def _look(self) -> None:
        """Learn from the last 0.4 s, and choose where the volume goes in the next 0.1 s."""
        self._hops.append(self._power / self._hop)
        self._power, self._position = 0.0, 0
        if len(self._hops) == HOPS_PER_BLOCK:
            self._level.learn(sum(self._hops) / HOPS_PER_BLOCK)
        most = HOP_S * (SLOW_DB_PER_S if self._level.is_sure else FAST_DB_PER_S)
        wanted = self._wanted_db() if self._level.lufs is not None else self._to_db
        step = max(-most, min(most, wanted - self._to_db))
        self._from_db, self._to_db = self._to_db, self._to_db + step

    def _wanted_db(self) -> float:
        level = self._level.lufs
        if level is None:
            return 0.0
        wanted = self._options.target_lufs - level
        return max(-self._options.max_cut_db, min(self._options.max_gain_db, wanted))


def lufs(power: float) -> float:
    """Give the loudness of a K-weighted mean square (BS.1770-4: a full-scale 997 Hz sine is -3)."""
    return -0.691 + 10 * math.log10(power)
