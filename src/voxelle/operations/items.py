"""What a provider gives, checked once for all who are in use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar

import numpy as np

from voxelle.audio import AudioFrame
from voxelle.operations.base import Transcript
from voxelle.streams import Stream

T = TypeVar("T")


async def approved(stream: Stream[T], find_fault: Callable[[object], str]) -> Stream[T]:
    """Pass a provider's stream on; raise `TypeError` at the first item with a fault.

    `find_fault` says in a few words what an item should have been; empty if it is. To close this
    stream is to close the provider's.
    """
    async with aclosing(stream):
        async for item in stream:
            if fault := find_fault(item):
                raise TypeError(f"what was given is no {fault}: {item!r:.100}")
            yield item


def fault_in_transcript(item: object) -> str:
    """Say what is wrong with something that should be a `Transcript`; empty if nothing is."""
    if not isinstance(item, Transcript):
        return "transcript"
    # By its type: what a provider of somebody else's puts in need not be what it should be.
    has_text, has_end = issubclass(type(item.text), str), issubclass(type(item.is_final), bool)
    return "" if has_text and has_end else "transcript with text that is final or not"


def fault_in_text(item: object) -> str:
    """Say what is wrong with something that should be a piece of text; empty if nothing is."""
    return "" if isinstance(item, str) else "text"


def fault_in_sound(item: object) -> str:
    """Say what is wrong with something that should be an `AudioFrame`; empty if nothing is."""
    if not isinstance(item, AudioFrame) or item.rate <= 0:
        return "frame of sound"
    samples = np.asarray(item.samples)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        return "mono sound, an array of floating-point numbers of shape (n,)"
    return "" if np.isfinite(samples).all() else "sound, as it holds samples that are no numbers"
