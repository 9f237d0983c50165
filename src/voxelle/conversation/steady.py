"""Her voice in the frames that a room plays: one rate, 20 ms each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

import numpy as np
import soxr

from voxelle.audio import FRAME_SECONDS, VOICE_RATE, AudioFrame, Mark, Samples
from voxelle.streams import Stream

_PER_FRAME = round(VOICE_RATE * FRAME_SECONDS)


async def steady(audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
    """Give the same sound at 24 kHz in frames of 20 ms, the last one filled up with silence.

    Marks come with the first frame after they became known. To close this stream is to close
    `audio`.
    """
    sound = np.zeros(0, np.float32)
    marks: list[Mark] = []
    given = 0
    resampler: soxr.ResampleStream | None = None
    async with aclosing(audio):
        async for frame in audio:
            if frame.rate != VOICE_RATE and resampler is None:
                resampler = soxr.ResampleStream(frame.rate, VOICE_RATE, 1, dtype="float32")
            sound = np.concatenate([sound, _convert(resampler, frame.samples)])
            marks += frame.marks
            while len(sound) >= _PER_FRAME:
                yield _frame(sound[:_PER_FRAME], given, marks)
                sound, marks, given = sound[_PER_FRAME:], [], given + 1
    if resampler is not None:
        rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        sound = np.concatenate([sound, rest])
    while len(sound) or marks:
        piece, sound = sound[:_PER_FRAME], sound[_PER_FRAME:]
        yield _frame(np.pad(piece, (0, _PER_FRAME - len(piece))), given, marks)
        marks, given = [], given + 1


def _convert(resampler: soxr.ResampleStream | None, samples: Samples) -> Samples:
    if resampler is None:
        return samples
    converted: Samples = resampler.resample_chunk(samples)
    return converted


def _frame(samples: Samples, index: int, marks: Iterable[Mark]) -> AudioFrame:
    return AudioFrame(samples, VOICE_RATE, index * FRAME_SECONDS, tuple(marks))
