"""Those who perform in a test: a mind, an ear and a voice that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voxelle.audio import FRAME_SECONDS, VOICE_RATE, AudioFrame, Mark
from voxelle.messages import Message, Tool
from voxelle.operations.base import Transcript
from voxelle.streams import Stream
from voxelle.utils.exceptions import T2TError, TTSError

_LOUD = 0.05


class LoudnessVad:
    """Takes every window that is loud for a voice, and every other one for silence."""

    def resize(self, streams: int) -> None:
        pass

    def reset(self, stream: int) -> None:
        pass

    def score(self, streams: list[int], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        loud: NDArray[np.bool_] = np.abs(windows).mean(axis=1) > _LOUD
        return loud.astype(np.float32)


@dataclass
class Spoken:
    """What an ear will understand of one utterance."""

    final: str
    partials: Sequence[tuple[float, str]] = ()
    """(seconds of sound heard, the words so far)"""
    final_s: float = 0.1
    """Seconds from the end of the utterance to its final words."""
    error: Exception | None = None


class ScriptedEar:
    """Understands the next line of the script, whatever is said."""

    def __init__(self, *script: Spoken) -> None:
        self.script = list(script)
        self.heard_s: list[float] = []
        self.closed = 0

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        spoken = self.script.pop(0) if self.script else Spoken("")
        partials = list(spoken.partials)
        seconds = 0.0
        try:
            async with aclosing(utterance):
                async for frame in utterance:
                    seconds += frame.seconds
                    while partials and partials[0][0] <= seconds:
                        yield Transcript(partials.pop(0)[1], is_final=False)
            self.heard_s.append(seconds)
            await asyncio.sleep(spoken.final_s)
            if spoken.error:
                raise spoken.error
            yield Transcript(spoken.final, is_final=True)
        finally:
            self.closed += 1


@dataclass
class ScriptedMind:
    """Gives the next reply of its script, word by word."""

    replies: list[str] = field(default_factory=list[str])
    first_s: float = 0.3
    word_s: float = 0.05
    breaks_after: int | None = None
    """Words of a reply after which it fails once."""
    asked: list[tuple[Message, ...]] = field(default_factory=list[tuple[Message, ...]])
    opened: int = 0
    closed: int = 0

    async def reply(
        self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
    ) -> Stream[str]:
        self.asked.append(messages)
        self.opened += 1
        try:
            text = self.replies.pop(0) if self.replies else "I have nothing more to say."
            await asyncio.sleep(self.first_s)
            for index, word in enumerate(text.split(" ")):
                if index == self.breaks_after:
                    self.breaks_after = None
                    raise T2TError("the model is gone", provider="scripted", is_retryable=False)
                yield word if index == 0 else " " + word
                await asyncio.sleep(self.word_s)
        finally:
            self.closed += 1


@dataclass
class ToneVoice:
    """Beeps 0.25 s per word, faster than real time."""

    first_s: float = 0.15
    word_s: float = 0.25
    speed: float = 0.25
    """Share of real time it takes."""
    breaks_after_s: float | None = None
    """Seconds of a line after which it fails once."""
    has_marks: bool = True
    lines: list[str] = field(default_factory=list[str])
    opened: int = 0
    closed: int = 0

    async def speak(self, line: str) -> Stream[AudioFrame]:
        self.lines.append(line)
        self.opened += 1
        try:
            await asyncio.sleep(self.first_s)
            marks = self._marks(line)
            for index in range(round(len(line.split()) * self.word_s / FRAME_SECONDS)):
                start = index * FRAME_SECONDS
                if self.breaks_after_s is not None and start >= self.breaks_after_s:
                    self.breaks_after_s = None
                    raise TTSError("the voice is gone", provider="tone", is_retryable=True)
                known = [mark for mark in marks if mark.start < start + FRAME_SECONDS]
                del marks[: len(known)]
                samples = np.full(round(VOICE_RATE * FRAME_SECONDS), 0.1, np.float32)
                yield AudioFrame(samples, VOICE_RATE, start, tuple(known))
                await asyncio.sleep(FRAME_SECONDS * self.speed)
        finally:
            self.closed += 1

    def _marks(self, line: str) -> list[Mark]:
        at = 0
        marks: list[Mark] = []
        for index, word in enumerate(line.split() if self.has_marks else ()):
            at = line.index(word, at)
            marks.append(Mark("word", word, index * self.word_s, at))
            at += len(word)
        return marks


class NoFilter:
    """Changes nothing."""

    def apply(self, text: Stream[str]) -> Stream[str]:
        return text


class NoEffect:
    """Changes nothing."""

    def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        return audio
