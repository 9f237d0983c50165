"""Sound as it travels inside Voxelle: mono float32, in short frames.

Stereo, int16, Opus and 48 kHz exist only at the edges: an app converts on the
way in and on the way out, so nothing in between has to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Amplitudes in [-1, 1], shape (n,)."""

FRAME_SECONDS = 0.02
"""Length of a full frame: what Discord sends, and the finest grain of an interruption."""

EAR_RATE = 16_000
"""Samples per second of everything heard, in hertz: what Silero VAD and Whisper take."""

VOICE_RATE = 24_000
"""Samples per second of everything that is spoken, in hertz: what most neural voices give."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens at a moment of a spoken line: a word or a phoneme begins."""

    kind: Literal["word", "phoneme"]

    text: str
    """The word as it stands in the line, or the phoneme in IPA."""

    start: float
    """Seconds from the beginning of the line's audio."""

    at: int = 0
    """Index of the word's first character in the line; 0 for phonemes."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """A short run of mono sound, and the place it has in its stream."""

    samples: Samples

    rate: int
    """Samples per second, in hertz."""

    start: float = 0.0
    """Seconds from the beginning of the stream to the first sample."""

    marks: tuple[Mark, ...] = ()
    """Words and phonemes that became known with this frame; they may lie a little ahead of it."""

    @property
    def seconds(self) -> float:
        """How long the frame lasts."""
        return len(self.samples) / self.rate

    @classmethod
    def from_pcm16(
        cls, pcm: bytes | memoryview, rate: int, *, channels: int = 1, start: float = 0.0
    ) -> AudioFrame:
        """Read little-endian 16-bit samples; interleaved channels are averaged into one.

        Raises `ValueError` if the bytes are not whole samples of every channel.
        """
        interleaved = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)
        samples = interleaved.mean(axis=1, dtype=np.float32) / np.float32(32768)
        return cls(samples, rate, start)

    def to_pcm16(self) -> bytes:
        """Write little-endian 16-bit samples; amplitudes outside [-1, 1] are clipped."""
        return (np.clip(self.samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()
