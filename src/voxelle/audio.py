"""Sound as it travels inside Voxelle: mono float32, in short frames.

Stereo, int16, Opus and 48 kHz exist only at the edges: an app converts on the
way in and on the way out, so nothing in between has to ask.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import soxr
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


class Resampler:
    """Changes the rate of sound that arrives in pieces; the n-th second out is the n-th second in.

    Output comes in bursts, up to 45 ms of sound behind the input; `finish` gives the rest. How
    the input is cut makes no difference to the samples.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = (
            None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, 1, "float32")
        )

    def push(self, samples: Samples) -> Samples:
        """Take the next samples, shape (n,), any n, and give those that are ready."""
        return self._resample(samples, is_last=False)

    def finish(self) -> Samples:
        """Give the rest; nothing may be pushed afterwards."""
        return self._resample(np.zeros(0, np.float32), is_last=True)

    def _resample(self, samples: Samples, *, is_last: bool) -> Samples:
        if self._stream is None:
            return samples
        changed: Samples = self._stream.resample_chunk(
            np.ascontiguousarray(samples, np.float32), last=is_last
        )
        return changed


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Change the rate of a whole sound, shape (n,); rates in hertz.

    Takes about 1 ms for each 2 s of sound: hand over what is longer in a thread.
    """
    resampler = Resampler(from_rate, to_rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])


async def reframe(
    audio: AsyncGenerator[AudioFrame, None],
    *,
    rate: int = VOICE_RATE,
    seconds: float = FRAME_SECONDS,
) -> AsyncGenerator[AudioFrame, None]:
    """Give the same sound in full frames of `seconds` at `rate` hertz; the last may be short.

    Frames of any length and rate may come in, even of several rates. Starts are counted anew from
    0. Marks are kept, in order, on the frame that is given next; marks that nothing follows come
    on a last frame without samples. Closing this stream closes `audio`.
    """
    cutter = _FrameCutter(rate, round(rate * seconds))
    async with aclosing(audio):
        async for frame in audio:
            for full in cutter.push(frame):
                yield full
    for full in cutter.finish():
        yield full


class _FrameCutter:
    """The state of one `reframe`."""

    def __init__(self, rate: int, size: int) -> None:
        self._rate = rate
        self._size = size
        self._from_rate = rate
        self._resampler = Resampler(rate, rate)
        self._rest: Samples = np.zeros(0, np.float32)
        self._marks: tuple[Mark, ...] = ()
        self._given = 0

    def push(self, frame: AudioFrame) -> list[AudioFrame]:
        self._marks += frame.marks
        if frame.rate != self._from_rate:
            self._keep(self._resampler.finish())
            self._from_rate, self._resampler = frame.rate, Resampler(frame.rate, self._rate)
        self._keep(self._resampler.push(frame.samples))
        return self._take(len(self._rest) // self._size)

    def finish(self) -> list[AudioFrame]:
        self._keep(self._resampler.finish())
        frames = self._take(len(self._rest) // self._size)
        if len(self._rest) or self._marks:
            frames.append(self._frame(self._rest))
        return frames

    def _keep(self, samples: Samples) -> None:
        self._rest = np.concatenate([self._rest, samples]) if len(self._rest) else samples

    def _take(self, count: int) -> list[AudioFrame]:
        size, rest = self._size, self._rest
        self._rest = rest[count * size :]
        return [self._frame(rest[i * size : (i + 1) * size]) for i in range(count)]

    def _frame(self, samples: Samples) -> AudioFrame:
        frame = AudioFrame(samples, self._rate, self._given / self._rate, self._marks)
        self._given, self._marks = self._given + len(samples), ()
        return frame
