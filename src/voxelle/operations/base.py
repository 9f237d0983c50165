"""The operations. Each one turns a stream into a stream, and is nothing more.

To add a provider, write a class with one of these methods, give it `Options`,
and name it in the table of its operation (or in an entry point of your own package).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from voxelle.audio import AudioFrame
from voxelle.messages import Message, Tool
from voxelle.streams import Stream


class Options(BaseModel):
    """Settings of one provider, as written in configs/; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Provider:
    """Something that can be opened and closed: the base of every provider.

    `__init__` only keeps the options. `__aenter__` is the place to load a model
    or open a connection, `__aexit__` the place to let go of it. Several streams
    of one provider may run at the same time, for different rooms.
    """

    options_type: ClassVar[type[Options]] = Options

    is_paid: bool = False
    """Whether each request may cost money; nothing is then asked for on speculation."""

    def __init__(self, options: Any) -> None:
        self.options = options

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an utterance says, so far or for good."""

    text: str
    """The words; empty if none were understood."""

    is_final: bool


class T2T(Protocol):
    """Text to text: a language model that answers, piece by piece."""

    def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()) -> Stream[str]:
        """Answer the last message, in pieces that join to the whole reply.

        Tools the model asks for are called on the way; their outcome goes back to
        the model, never into the stream. Closing the stream ends the request.
        """
        ...


class STT(Protocol):
    """Speech to text: an ear that writes down one utterance."""

    def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        """Give ever better transcripts; the last one, and only it, is final.

        `utterance` is live: its 16 kHz frames (any length) arrive while the person
        speaks and end with the utterance. To close this stream is to close `utterance`.
        """
        ...


class TTS(Protocol):
    """Text to speech: a voice that reads one line aloud."""

    def speak(self, line: str) -> Stream[AudioFrame]:
        """Read the line in frames of one rate, each starting where the last one ended.

        Voices that know when words and phonemes begin say so in the frames' marks.
        """
        ...


class VAD(Protocol):
    """Voice activity detection for many speakers at once."""

    def resize(self, streams: int) -> None:
        """Make room for at least this many streams; what is known about the old ones stays."""
        ...

    def reset(self, stream: int) -> None:
        """Forget one stream, because somebody else will use its place."""
        ...

    def score(self, streams: list[int], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tell how likely it is that each window, shape (n, 512) at 16 kHz, holds a voice.

        `streams` names the stream of each row, no stream twice; the result has shape (n,).
        """
        ...


class AudioFilter(Protocol):
    """An effect between the voice and the audience."""

    def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        """Give the changed frames; to close this stream is to close `audio`.

        One stream is one line. The n-th second out is the n-th second in: a filter with
        a delay drops it at the start and makes it up at the end, and keeps the marks.
        """
        ...


class TextFilter(Protocol):
    """A change to a reply on its way to the voice."""

    def apply(self, text: Stream[str]) -> Stream[str]:
        """Give the changed pieces; to close this stream is to close `text`.

        One stream is one reply. What comes out may be cut differently, but never
        depends on where the pieces that came in were cut.
        """
        ...
