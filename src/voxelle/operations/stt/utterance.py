"""What comes in as speech, checked once for all ears."""

from __future__ import annotations

from contextlib import aclosing

import numpy as np

from voxelle.audio import EAR_RATE, AudioFrame
from voxelle.streams import Stream
from voxelle.utils.exceptions import ValidationError


async def checked(utterance: Stream[AudioFrame]) -> Stream[AudioFrame]:
    """Pass an utterance on; raise `ValidationError` at the first frame that is not 16 kHz speech.

    To close this stream is to close `utterance`.
    """
    async with aclosing(utterance):
        async for frame in utterance:
            check(frame)
            yield frame


def check(frame: AudioFrame) -> None:
    """Raise `ValidationError` unless a frame holds finite mono samples at 16 kHz."""
    if frame.rate != EAR_RATE:
        raise ValidationError(
            f"speech must come at {EAR_RATE} Hz, but a frame at {frame.start:.2f} s"
            f" has {frame.rate} Hz; resample it first"
        )
    if frame.samples.ndim != 1:
        raise ValidationError(
            f"speech must be mono, but a frame at {frame.start:.2f} s"
            f" has the shape {frame.samples.shape}"
        )
    if not np.isfinite(frame.samples).all():
        raise ValidationError(
            f"a frame of speech at {frame.start:.2f} s holds samples that are not numbers"
        )
