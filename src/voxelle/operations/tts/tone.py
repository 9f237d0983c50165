"""A voice without a model: one beep per word. For tests, demos and bare laptops."""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field

from voxelle.audio import FRAME_SECONDS, AudioFrame, Mark, Samples
from voxelle.operations.base import Options, Provider
from voxelle.streams import Stream


class ToneOptions(Options):
    """How the beeps sound."""

    rate: int = Field(
        default=24_000, ge=8_000, le=48_000, description="Samples per second, in hertz."
    )
    pitch_hz: float = Field(default=220.0, gt=20, le=4_000, description="Pitch, in hertz.")
    word_s: float = Field(
        default=0.2, ge=FRAME_SECONDS, le=5, description="Seconds per word, its gap included."
    )


GAP = 0.25
"""Share of a word's time that is silent."""

LOUDNESS = 0.1
"""Amplitude of the beeps; 1 is full scale."""


class ToneTTS(Provider):
    """Beeps once per word, for as long as the line would take to say."""

    options_type = ToneOptions
    options: ToneOptions

    async def speak(self, line: str) -> Stream[AudioFrame]:
        """Give the beeps in full frames, each word marked where it begins."""
        words = list(re.finditer(r"\S+", line))
        rate, word_s = self.options.rate, self.options.word_s
        per_frame = round(rate * FRAME_SECONDS)
        total = round(len(words) * word_s * rate)
        marked = 0
        for first in range(0, total, per_frame):
            count = min(per_frame, total - first)
            marks: list[Mark] = []
            while marked < len(words) and marked * word_s < (first + count) / rate:
                word = words[marked]
                marks.append(Mark("word", word.group(), marked * word_s, word.start()))
                marked += 1
            yield AudioFrame(self._sound(first, count), rate, first / rate, tuple(marks))

    def _sound(self, first: int, count: int) -> Samples:
        at = np.arange(first, first + count) / self.options.rate
        is_on = at % self.options.word_s < self.options.word_s * (1 - GAP)
        wave = LOUDNESS * np.sin(2 * np.pi * self.options.pitch_hz * at)
        return np.asarray(wave * is_on, dtype=np.float32)
