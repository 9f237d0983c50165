"""A voice behind any OpenAI-compatible server: OpenAI, kokoro-fastapi, speaches ..."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from voxelle.audio import FRAME_SECONDS, VOICE_RATE, AudioFrame, Samples
from voxelle.operations.openai_client import OpenAIOptions, OpenAIProvider
from voxelle.operations.tts.sound_reader import SoundError, SoundReader
from voxelle.streams import Stream
from voxelle.utils.exceptions import TTSError

if TYPE_CHECKING:
    from openai import AsyncAPIResponse

MAX_LINE = 4_096
"""Characters of one line: what OpenAI accepts."""

MAX_LINE_S = 600.0
"""Seconds of sound for one line; a server that sends more is broken, and is cut off."""

MAX_WORDS = 300
"""Characters of the server's own words in an error."""


class OpenAITTSOptions(OpenAIOptions):
    """Which voice speaks, and how it is asked."""

    model: str = Field(
        default="gpt-4o-mini-tts",
        min_length=1,
        description="Name of the model, as the server has it; kokoro-fastapi: kokoro.",
    )
    voice: str = Field(
        default="coral",
        min_length=1,
        description="Name of the voice, as the server has it; kokoro-fastapi: af_heart.",
    )
    speed: float | None = Field(
        default=None, ge=0.25, le=4, description="How fast she speaks; 1 is the voice's own speed."
    )
    instructions: str = Field(
        default="",
        max_length=4_096,
        description="How she should sound, in words; only some models listen to it.",
    )
    response_format: Literal["pcm", "wav"] = Field(
        default="pcm",
        description="How sound is sent: pcm is fastest; wav for servers that know no pcm, or whose "
        "pcm has another rate than pcm_rate.",
    )
    pcm_rate: int = Field(
        default=VOICE_RATE,
        ge=8_000,
        le=96_000,
        description="Samples per second of the server's pcm, in hertz; OpenAI and kokoro: 24000.",
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request."
    )


class OpenAITTS(OpenAIProvider):
    """Asks a server to read lines aloud and gives the sound while it is made."""

    operation = "voice"
    error = TTSError
    options_type = OpenAITTSOptions
    options: OpenAITTSOptions

    def speak(self, line: str) -> Stream[AudioFrame]:
        """Read the line in frames of 20 ms (the last one may be shorter), at the server's rate.

        A line without a letter or digit gives no sound and asks nobody. Closing the stream
        aborts the HTTP request. Raises `TTSError` when the server fails or sends no sound.
        """
        return self.translated(self._speak(line[:MAX_LINE]), self.options.model)

    async def _speak(self, line: str) -> Stream[AudioFrame]:
        if not any(character.isalnum() for character in line):
            return
        at = 0
        framer = Framer()
        async with aclosing(self._sound(line)) as sound:
            async for samples, rate in sound:
                for part in framer.push(samples, rate):
                    yield AudioFrame(part, rate, at / rate)
                    at += len(part)
                if at > MAX_LINE_S * rate:
                    raise self.failure("sends sound without an end; it was cut off")
        if len(rest := framer.rest):
            yield AudioFrame(rest, framer.rate, at / framer.rate)
            at += len(rest)
        if not at:
            raise self.failure("sent no sound for this line", is_retryable=True)

    async def _sound(self, line: str) -> Stream[tuple[Samples, int]]:
        """Give samples and their rate, in runs of any length."""
        reader = SoundReader(self.options.pcm_rate)
        wanted = self._wanted(line)
        async with self.client.audio.speech.with_streaming_response.create(**wanted) as response:
            kind = response.headers.get("content-type", "")
            if "json" in kind or "text" in kind:
                raise await self._no_sound(response, kind)
            try:
                async for data in response.iter_bytes():
                    yield reader.push(data), reader.rate
                yield reader.finish(), reader.rate
            except SoundError as error:
                raise self.failure(
                    f"sent {error} instead of {self.options.response_format}: does it know "
                    "this response_format?"
                ) from error

    def _wanted(self, line: str) -> dict[str, Any]:
        options = self.options
        wanted = {
            "input": line,
            "model": options.model,
            "voice": options.voice,
            "response_format": options.response_format,
            "speed": options.speed,
            "instructions": options.instructions or None,
            "extra_body": options.extra_body or None,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    async def _no_sound(self, response: AsyncAPIResponse[Any], kind: str) -> Exception:
        body = b""
        async for data in response.iter_bytes():
            body += data
            if len(body) > 10_000:
                break
        return self.failure(
            f"answered with {kind.partition(';')[0]} instead of sound; is base_url right? "
            f"It usually ends in /v1. It said: {_words(body)}"
        )


class Framer:
    """Cuts runs of samples into frames of 20 ms."""

    def __init__(self) -> None:
        self.rest: Samples = np.zeros(0, np.float32)
        """Samples that do not fill a frame yet."""
        self.rate = VOICE_RATE
        """Samples per second of `rest`, in hertz."""

    def push(self, samples: Samples, rate: int) -> list[Samples]:
        """Take samples, give the frames that are full by now."""
        self.rate = rate
        size = round(rate * FRAME_SECONDS)
        held = np.concatenate((self.rest, samples)) if len(self.rest) else samples
        full = len(held) - len(held) % size
        self.rest = held[full:]
        return list(held[:full].reshape(-1, size))


def _words(body: bytes) -> str:
    """Give the message of an error in JSON, or the beginning of whatever it is."""
    text = body.decode("utf-8", "replace")
    try:
        said = json.loads(text)
        said = said.get("error", said) if isinstance(said, dict) else said
        text = str(said.get("message", said) if isinstance(said, dict) else said)
    except ValueError:
        pass
    return " ".join(text.split())[:MAX_WORDS]
