"""A mind that says what it was told to say. For tests and demos."""

from __future__ import annotations

import asyncio

from pydantic import Field, field_validator

from voxelle.messages import Message, Tool
from voxelle.operations.base import Options, Provider
from voxelle.streams import Stream


class ScriptedOptions(Options):
    """What to say, and how fast."""

    reply: str | tuple[str, ...] = Field(
        description="One reply for every turn, or a list of replies that are given in turn."
    )
    first_s: float = Field(default=0.0, ge=0, description="Seconds before the first word.")
    word_s: float = Field(default=0.0, ge=0, description="Seconds it takes to think of one word.")

    @field_validator("reply")
    @classmethod
    def _is_something(cls, reply: str | tuple[str, ...]) -> str | tuple[str, ...]:
        lines = (reply,) if isinstance(reply, str) else reply
        if not lines or not all(line.strip() for line in lines):
            raise ValueError("must hold at least one reply, and none may be empty")
        return reply


class ScriptedT2T(Provider):
    """Gives the same replies to everybody, word by word.

    Of a list, the reply is chosen by how often the character has spoken in the
    messages, so that rooms do not disturb each other.
    """

    options_type = ScriptedOptions
    options: ScriptedOptions

    async def reply(
        self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
    ) -> Stream[str]:
        """Give the reply in the pieces a tokenizer might, the spaces before the words."""
        del tools
        lines = self.options.reply
        if not isinstance(lines, str):
            spoken = sum(message.role == "assistant" for message in messages)
            lines = lines[spoken % len(lines)]
        await asyncio.sleep(self.options.first_s)
        for number, word in enumerate(lines.split(" ")):
            await asyncio.sleep(self.options.word_s)
            yield f" {word}" if number else word
