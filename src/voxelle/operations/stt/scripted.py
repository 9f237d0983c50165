"""An ear that hears what it was told to hear: for tests and demonstrations."""

from __future__ import annotations

from contextlib import aclosing

from pydantic import Field

from voxelle.audio import AudioFrame
from voxelle.operations.base import Options, Provider, Transcript
from voxelle.streams import Stream


class ScriptedOptions(Options):
    """What it hears, and how fast."""

    text: str = Field(
        default="hello there how are you",
        max_length=5_000,
        description="What every utterance says.",
    )
    word_s: float = Field(
        default=0.3,
        gt=0,
        le=10,
        description="Seconds of sound after which the next word is understood.",
    )


class ScriptedSTT(Provider):
    """Gives one more word for so much sound, and the whole text at the end."""

    options_type = ScriptedOptions
    options: ScriptedOptions

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        """Give a partial transcript per word heard; an utterance without sound says nothing."""
        words = self.options.text.split()
        heard_s = 0.0
        given = 0
        async with aclosing(utterance):
            async for frame in utterance:
                heard_s += frame.seconds
                # A hair's breadth for the rounding of many short frames.
                known = min(len(words), int(heard_s / self.options.word_s + 1e-6))
                if known > given:
                    given = known
                    yield Transcript(" ".join(words[:known]), is_final=False)
        yield Transcript(self.options.text if heard_s else "", is_final=True)
