"""What the fake server says, how fast, and what goes wrong on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Trouble: TypeAlias = Literal[
    "status",  # answers with `status` and an error of OpenAI's shape
    "hang",  # takes the request and never answers
    "stall",  # answers, and after `after` pieces says nothing any more
    "cut",  # answers, and after `after` pieces drops the connection
    "end",  # answers, and after `after` pieces ends as if that were all
    "garbage",  # answers 200 with bytes that are neither JSON, events nor sound
    "html",  # answers 200 with a web page, as a wrong base_url does
    "error",  # answers 200 with an error in JSON; a stream breaks with an error event after `after`
]


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that goes wrong with one request."""

    trouble: Trouble
    status: int = 500
    message: str = "something went wrong inside the fake server"
    code: str | None = None

    retry_after_s: int | None = None
    """Sent as the header `Retry-After`."""

    after: int = 1
    """Pieces (tokens or chunks of sound) that still arrive."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model asks for."""

    name: str

    arguments: str = "{}"
    """JSON as the model wrote it, which may be wrong."""

    id: str = ""
    """Made from its place among the calls if empty."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers to one request."""

    text: str = ""

    pieces: tuple[str, ...] = ()
    """The text as the tokens cut it; empty: word by word."""

    tool_calls: tuple[ToolCall, ...] = ()

    reasoning: str = ""
    """Sent first, as `reasoning_content`, word by word."""

    finish_reason: str | None = None
    """`None`: "tool_calls" if there are any, else "stop"; "": none is sent."""

    def tokens(self) -> tuple[str, ...]:
        """Give the pieces that are sent, which join to the text."""
        if self.pieces:
            return self.pieces
        return tuple(word + " " for word in self.text.split(" ")[:-1]) + (
            (self.text.split(" ")[-1],) if self.text else ()
        )


Answering: TypeAlias = Callable[[Mapping[str, object]], "Reply | str"]
"""Makes a reply from the request's JSON."""

Listening: TypeAlias = Callable[[bytes, Mapping[str, str]], str]
"""Makes a transcript from the uploaded file and the other fields of the form."""


@dataclass(slots=True)
class FakeOpenAISettings:
    """What to say and how fast; may be changed while the server runs."""

    host: str = "127.0.0.1"

    port: int = 0
    """0: any free one."""

    api_key: str = ""
    """If set, requests without it are answered with 401."""

    models: tuple[str, ...] = ("fake-t2t", "fake-stt", "fake-tts")
    """Other models are answered with 404; empty: every model is known, and /models is missing."""

    reply: Reply | str | Answering = "Hello there, nice to see you all tonight."

    first_token_s: float = 0.0
    """Seconds from the request to the first token."""

    words_per_s: float = 0.0
    """Tokens per second after the first one; 0: as fast as the reader reads."""

    speech_first_byte_s: float = 0.0
    """Seconds from the request to the first byte of sound."""

    speech_factor: float = 0.0
    """Seconds it takes to make one second of sound; 0: no time at all."""

    speech_word_s: float = 0.25
    """Seconds of sound per word."""

    speech_rate: int = 24_000
    """Samples per second, in hertz."""

    speech_channels: int = 1

    speech_chunk_bytes: int = 4_800
    """Size of one write; an odd number cuts samples in halves."""

    speech_formats: tuple[str, ...] = ("pcm", "wav")
    """What `response_format` may ask for; anything else is answered with 400."""

    wav_size: Literal["true", "zero", "unknown"] = "unknown"
    """What the header says about the length: the truth, 0, or 0xFFFFFFFF."""

    transcript: str | Listening = "hello there"

    may_stream_transcripts: bool = True
    """Otherwise `stream` is ignored and the answer is whole, as with many local servers."""

    transcription_s: float = 0.0
    """Seconds from the request to the transcript, or to its first word if it is streamed."""
