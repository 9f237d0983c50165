"""Ears that can only write down whole recordings, made to listen live.

While the person speaks, all that was heard so far is written down again and
again; at the end of the utterance it is written down for good.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from voxelle.audio import EAR_RATE, AudioFrame, Samples
from voxelle.operations.base import Transcript
from voxelle.streams import Stream

log = logging.getLogger(__name__)

SHORTEST_S = 0.1
"""Shorter utterances hold no word; OpenAI refuses them, and Whisper invents something."""

QUIETEST = 0.001
"""Amplitude (-60 dBFS) below which nothing was said: a whisper into a badly set microphone has ten
times as much, and Whisper turns silence into "Thank you."."""

INLINE_S = 10.0
"""Shorter recordings are joined (0.1 ms) and converted (0.5 ms) on the loop, without a thread."""

_NOT_SPOKEN = re.compile(r"\[[^\]]{0,80}\]|\([^)]{0,80}\)|<\|[^|]{0,40}\|>|[♪♫]+")

Writing: TypeAlias = Callable[[Samples, bool], Stream[str]]
"""Writes a recording down (16 kHz; whether it is the final one) in ever better whole texts."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How often, and how much at most."""

    partial_s: float
    """Seconds of new sound before it is written down anew; 0: only at the end."""

    longest_s: float
    """Seconds that are kept of one utterance; what comes after is left out."""


class Recording:
    """What was heard of an utterance so far."""

    def __init__(self, longest_s: float) -> None:
        self._room = round(longest_s * EAR_RATE)
        self._parts: list[Samples] = []
        self._length = 0
        self._peak = 0.0
        self._changed = asyncio.Event()
        self.is_over = False
        """Whether the utterance has ended."""
        self.is_cut = False
        """Whether something was left out because the utterance is too long."""

    @property
    def seconds(self) -> float:
        """How much was kept."""
        return self._length / EAR_RATE

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing that could be a word."""
        return self.seconds < SHORTEST_S or self._peak < QUIETEST

    async def fill(self, utterance: Stream[AudioFrame]) -> None:
        """Listen until the utterance ends, and close it.

        Raises `ValueError` if its rate is not 16 kHz. Samples that are not numbers become silence.
        """
        try:
            async with aclosing(utterance):
                async for frame in utterance:
                    self._add(frame)
        finally:
            self.is_over = True
            self._changed.set()

    async def reach(self, seconds: float) -> bool:
        """Wait until this much was heard; tell whether more may come."""
        while self.seconds < seconds and not self.is_over and not self.is_cut:
            self._changed.clear()
            await self._changed.wait()
        return not (self.is_over or self.is_cut)

    async def samples(self) -> Samples:
        """Give all that was kept, in one piece."""
        parts = list(self._parts)
        if self.seconds < INLINE_S:
            return np.concatenate(parts)
        return await asyncio.to_thread(np.concatenate, parts)

    def _add(self, frame: AudioFrame) -> None:
        if frame.rate != EAR_RATE:
            raise ValueError(f"an ear takes {EAR_RATE} Hz, and got {frame.rate} Hz")
        room = self._room - self._length
        if len(frame.samples) > room and not self.is_cut:
            self.is_cut = True
            log.warning(
                "an utterance is too long; the rest is left out", extra={"kept_s": self.seconds}
            )
        if not len(part := frame.samples[:room]):
            self._changed.set()
            return
        part = np.nan_to_num(part, nan=0.0, posinf=1.0, neginf=-1.0)
        self._peak = max(self._peak, float(np.abs(part).max()))
        self._parts.append(part)
        self._length += len(part)
        self._changed.set()


async def rewrite(
    utterance: Stream[AudioFrame], write: Writing, settings: Rewriting
) -> Stream[Transcript]:
    """Give transcripts of a live utterance: the last one, and only it, is final.

    There is never more than one partial writing at work; it takes all that was
    heard by then, and is dropped when the utterance ends. A partial that fails is
    only logged. Silence is final and empty without asking. Closing closes `utterance`
    and whatever is being written.
    """
    recording = Recording(settings.longest_s)
    reading = asyncio.create_task(recording.fill(utterance), name="utterance")
    try:
        if settings.partial_s > 0:
            async with aclosing(_partials(recording, reading, write, settings)) as partials:
                async for partial in partials:
                    yield partial
        await reading
        text = ""
        if not recording.is_silent:
            async with aclosing(write(await recording.samples(), True)) as texts:
                async for whole in texts:
                    told, text = text, spoken(whole)
                    if text and text != told:
                        yield Transcript(text, is_final=False)
        yield Transcript(text, is_final=True)
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        # A task that was cancelled before its first step has not closed it.
        await utterance.aclose()


async def _partials(
    recording: Recording, reading: asyncio.Task[None], write: Writing, settings: Rewriting
) -> Stream[Transcript]:
    told, written_s = "", 0.0
    while await recording.reach(written_s + settings.partial_s):
        written_s = recording.seconds
        if recording.is_silent:
            continue
        text = await _unless_over(write(await recording.samples(), False), reading)
        if text is None:
            return
        if text and text != told:
            told = text
            yield Transcript(text, is_final=False)


async def _unless_over(texts: Stream[str], reading: asyncio.Task[None]) -> str | None:
    """Give the last text, or `None` if the utterance ended before it or it failed."""
    writing = asyncio.create_task(_last(texts), name="partial")
    try:
        await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return None
        if error := writing.exception():
            log.warning("a partial transcript failed; only the final one follows: %s", error)
            return None
        return spoken(writing.result())
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await texts.aclose()


async def _last(texts: Stream[str]) -> str:
    last = ""
    async with aclosing(texts):
        async for text in texts:
            last = text
    return last


def spoken(text: str) -> str:
    """Leave out what nobody said: `[BLANK_AUDIO]`, `(music)`, notes; empty if no word is left."""
    words = " ".join(_NOT_SPOKEN.sub(" ", text).split())
    return words if any(character.isalnum() for character in words) else ""
