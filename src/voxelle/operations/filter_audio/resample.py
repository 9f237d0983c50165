"""A change of the sample rate, by soxr."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voxelle.audio import VOICE_RATE, Resampler
from voxelle.operations.base import Options
from voxelle.operations.filter_audio.effect import Effect, EffectProvider


class ResampleOptions(Options):
    """Settings of the resampler."""

    rate: Annotated[int, Field(ge=8_000, le=192_000)] = VOICE_RATE
    """Hertz of what comes out."""


class Resample(EffectProvider):
    """Brings any voice to one rate; what has that rate already passes as it is.

    Up to 45 ms of sound are held back, which costs no time where a voice is made faster than it
    is played. The total length is right to the sample.
    """

    name = "resample"
    options_type = ResampleOptions
    options: ResampleOptions

    def begin(self, rate: int) -> Effect:
        """Give the resampler for a new line."""
        return Resampler(rate, self.options.rate)

    def rate_out(self, rate: int) -> int:
        """Give the hertz of what comes out, whatever came in."""
        return self.options.rate
