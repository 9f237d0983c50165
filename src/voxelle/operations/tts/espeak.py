"""espeak-ng: a small voice for over a hundred languages, without a model or a network.

It runs in a worker process, because it keeps global state and is GPL-3: this process never loads
it. It makes 500 seconds of speech per second, and knows when each word and phoneme begins.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

import numpy as np
from pydantic import Field

from voxelle.audio import AudioFrame, Mark
from voxelle.operations.base import Options, Provider
from voxelle.operations.tts.lines import plain
from voxelle.processes.child import Answer
from voxelle.processes.worker import Worker, WorkerSettings
from voxelle.streams import Stream
from voxelle.utils.exceptions import ProcessError, TTSError, ValidationError

if find_spec("espeakng_loader") is None:  # the worker needs it; whoever chooses us hears of it now
    raise ModuleNotFoundError("No module named 'espeakng_loader'", name="espeakng_loader")

MAX_CHARACTERS = 5_000
"""Longest line, six minutes of speech; a clause has about fifty."""


class EspeakOptions(Options):
    """Which voice it is, and how it speaks."""

    voice: str = Field(
        default="en-us",
        pattern=r"^[A-Za-z0-9_/-]{1,40}$",
        description="Language, as `espeak-ng --voices` lists them: en-us, de, fr, ja ...",
    )
    variant: str = Field(
        default="f3",
        pattern=r"^[A-Za-z0-9_-]{0,40}$",
        description="How the voice is changed: f1 to f5, m1 to m8, whisper ...; empty for none.",
    )
    rate: int = Field(default=175, ge=80, le=450, description="Words per minute.")
    pitch: int = Field(default=50, ge=0, le=99, description="Pitch; 50 is usual.")
    range: int = Field(
        default=50, ge=0, le=99, description="How lively the melody is; 0 is monotonous."
    )
    volume: int = Field(default=100, ge=0, le=200, description="Loudness in percent.")


class EspeakTTS(Provider):
    """Speaks with espeak-ng, at its 22 050 Hz, in pieces of 40 ms, with words and phonemes.

    A phoneme mark with an empty text is a pause.
    """

    options_type = EspeakOptions
    options: EspeakOptions

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        settings = WorkerSettings(
            "voxelle.operations.tts.espeak_worker", (json.dumps(self.options.model_dump()),)
        )
        self._worker = Worker(settings)

    async def __aenter__(self) -> Self:
        await self._worker.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._worker.close()

    async def speak(self, line: str) -> Stream[AudioFrame]:
        """Read the line in frames, each starting where the last one ended; none for blank lines.

        Markup is read as the characters it is made of. Raises `ValidationError` for a line of
        over 5 000 characters, and `TTSError` if the worker fails. Closing the stream, or
        cancelling its reader, breaks the work off within a few milliseconds.
        """
        if len(line) > MAX_CHARACTERS:
            raise ValidationError(
                f"a line of {len(line)} characters is too long to be spoken;"
                f" at most {MAX_CHARACTERS} are allowed"
            )
        text = plain(line)
        if not text.strip():
            return
        start = 0.0
        try:
            async with self._worker.call(text.encode()) as call:
                await call.end()
                rate = int(self._worker.facts["rate"])
                async with aclosing(call.answers()) as answers:
                    async for answer in answers:
                        frame = _frame(answer, rate, start, text)
                        start += frame.seconds
                        yield frame
        except ProcessError as error:
            raise TTSError(f"espeak: {error}", provider="espeak", is_retryable=True) from error


def _frame(answer: Answer, rate: int, start: float, text: str) -> AudioFrame:
    marks = tuple(
        Mark("word", text[begin:end], at, begin) if begin >= 0 else Mark("phoneme", phoneme, at)
        for begin, end, phoneme, at in answer.header["marks"]
    )
    samples = np.frombuffer(answer.payload, dtype="<i2").astype(np.float32) / np.float32(32768)
    return AudioFrame(samples, rate, start, marks)
