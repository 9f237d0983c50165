"""A high-pass: takes away rumble and the thump of plosives."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from voxelle.audio import Samples
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.biquad import Biquad, highpass
from voxelle.operations.filter_audio.effect import Effect, EffectProvider


class HighPassOptions(Options):
    """Settings of the high-pass."""

    cutoff_hz: Annotated[float, Field(ge=10, le=2_000)] = 80.0
    """Where it takes away 3 dB; 12 dB more per octave below. Voices begin at about 80 Hz."""


class HighPass(EffectProvider):
    """Takes away what lies below `cutoff_hz`; no delay."""

    name = "highpass"
    options_type = HighPassOptions
    options: HighPassOptions

    def begin(self, rate: int) -> Effect:
        """Give the high-pass for a new line."""
        return _HighPass(Biquad(highpass(self.options.cutoff_hz, rate)))


class _HighPass:
    def __init__(self, biquad: Biquad) -> None:
        self._biquad = biquad

    def push(self, samples: Samples) -> Samples:
        return self._biquad.process(samples.astype(np.float64)).astype(np.float32)

    def finish(self) -> Samples:
        return np.zeros(0, np.float32)
