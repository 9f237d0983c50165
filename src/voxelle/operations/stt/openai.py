"""An ear behind any OpenAI-compatible server: OpenAI, speaches, faster-whisper-server, vLLM ..."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from voxelle.audio import EAR_RATE, AudioFrame, Samples
from voxelle.operations.base import Transcript
from voxelle.operations.openai_client import OpenAIOptions, OpenAIProvider
from voxelle.operations.stt.rewriting import INLINE_S, Rewriting, rewrite, spoken
from voxelle.streams import Stream
from voxelle.utils.exceptions import STTError

if TYPE_CHECKING:
    from openai import AsyncStream

FREE_PARTIAL_S = 1.0
"""Seconds between partial transcripts of a server that costs nothing. A small Whisper on a graphics
card takes 0.1 to 0.3 s for an utterance, so it is busy for less than a third of the time."""

MAX_TEXT = 20_000
"""Characters of a transcript; nobody says more in one utterance."""


class OpenAISTTOptions(OpenAIOptions):
    """Which ear listens, and how it is asked."""

    model: str = Field(
        default="gpt-4o-mini-transcribe",
        min_length=1,
        description="Name of the model, as the server has it.",
    )
    language: str | None = Field(
        default=None,
        pattern="^[a-z]{2,3}$",
        description="Language that is spoken, such as en or de; unset: the model finds out.",
    )
    prompt: str = Field(
        default="",
        max_length=1_000,
        description="Text that shows the model style and spelling of what is said.",
    )
    words: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Names and rare words to listen for, such as the character's name.",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=1, description="How daring the model guesses; unset: its own way."
    )
    stream: bool = Field(
        default=False,
        description="Ask for the transcript word by word; whisper-1 and many local servers cannot.",
    )
    partial_s: float | None = Field(
        default=None,
        ge=0,
        le=30,
        description="Seconds of new speech before it is written down while the person still "
        "speaks; 0: never. Unset: 1 for free servers, never for paid ones.",
    )
    max_utterance_s: float = Field(
        default=120.0,
        gt=0,
        le=600,
        description="Longest utterance, in seconds; what is said after that is left out.",
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request."
    )


class OpenAISTT(OpenAIProvider):
    """Uploads what was heard, from memory, as 16 kHz mono WAV."""

    operation = "ear"
    error = STTError
    options_type = OpenAISTTOptions
    options: OpenAISTTOptions

    def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        """Give transcripts; closing the stream aborts the HTTP request and closes `utterance`.

        Silence, and less than 0.1 s, is final and empty without asking the server.
        Raises `STTError` when the server fails, or when a frame is not of 16 kHz.
        """
        partial_s = self.options.partial_s
        if partial_s is None:
            partial_s = 0.0 if self.is_paid else FREE_PARTIAL_S
        settings = Rewriting(partial_s, self.options.max_utterance_s)
        return self.translated(rewrite(utterance, self._write, settings), self.options.model)

    async def _write(self, samples: Samples, is_final: bool) -> Stream[str]:
        is_short = len(samples) < INLINE_S * EAR_RATE
        recording = to_wav(samples) if is_short else await asyncio.to_thread(to_wav, samples)
        wanted = self._wanted()
        file = ("utterance.wav", recording, "audio/wav")
        create = self.client.audio.transcriptions.create
        if not (self.options.stream and is_final):
            answer = await create(file=file, **wanted)
            yield self._checked(getattr(answer, "text", None), answer)
            return
        stream = await create(file=file, stream=True, **wanted)
        async with aclosing(self._streamed(stream)) as texts:
            async for text in texts:
                yield text

    async def _streamed(self, stream: AsyncStream[Any]) -> Stream[str]:
        try:
            # A server that cannot stream answers as if it had not been asked to.
            if "json" in stream.response.headers.get("content-type", ""):
                answer = json.loads(await stream.response.aread())
                said = answer.get("text") if isinstance(answer, dict) else None
                yield self._checked(said, answer)
                return
            text = None
            async for event in stream:
                # speaches sends the texts of segments without a type.
                is_whole = getattr(event, "type", None) == "transcript.text.done"
                said = getattr(event, "delta", None) or getattr(event, "text", None) or ""
                text = str(said) if is_whole else (text or "") + str(said)
                yield self._checked(text, event)
            if text is None:
                raise self.failure("ended its answer without a transcript", is_retryable=True)
        finally:
            await stream.close()

    def _wanted(self) -> dict[str, Any]:
        options = self.options
        prompt = " ".join(part for part in (options.prompt, ", ".join(options.words)) if part)
        wanted = {
            "model": options.model,
            "language": options.language,
            "prompt": prompt or None,
            "temperature": options.temperature,
            "extra_body": options.extra_body or None,
            "response_format": "json",
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _checked(self, text: object, answer: object) -> str:
        """Give the text if it is one; models repeat the prompt when they hear nothing."""
        if not isinstance(text, str):
            shown = " ".join(str(answer).split())[:300]
            raise self.failure(f"answered with something that is no transcript: {shown}")
        is_echo = spoken(text).lower() == str(self._wanted().get("prompt", "")).lower()
        return "" if is_echo else text[:MAX_TEXT]


def to_wav(samples: Samples) -> bytes:
    """Write 16 kHz mono samples as a WAV file with 16 bits; what exceeds [-1, 1] is clipped."""
    pcm = (np.clip(samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(EAR_RATE)
        writer.writeframes(pcm)
    return file.getvalue()
