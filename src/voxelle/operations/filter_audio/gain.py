"""A volume knob."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from voxelle.audio import Samples
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.effect import Effect, EffectProvider


class GainOptions(Options):
    """Settings of the volume knob."""

    gain_db: Annotated[float, Field(ge=-60, le=40)] = 0.0
    """Decibels; +6 is twice the amplitude. Put a limiter behind a gain above 0."""


class Gain(EffectProvider):
    """Makes the voice louder or quieter; no delay."""

    name = "gain"
    options_type = GainOptions
    options: GainOptions

    def begin(self, rate: int) -> Effect:
        """Give the knob for a new line."""
        return _Gain(10 ** (self.options.gain_db / 20))


class _Gain:
    def __init__(self, factor: float) -> None:
        self._factor = np.float32(factor)

    def push(self, samples: Samples) -> Samples:
        return samples * self._factor

    def finish(self) -> Samples:
        return np.zeros(0, np.float32)
