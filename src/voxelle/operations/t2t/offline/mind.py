"""The offline mind as a provider: no model, no key, no network."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Self

from pydantic import Field

from voxelle.messages import Message, Tool
from voxelle.operations.base import Options, Provider
from voxelle.operations.t2t.offline.answers import answer
from voxelle.operations.t2t.offline.lines import Chooser, load_lines
from voxelle.operations.t2t.offline.moment import Moment, read_moment
from voxelle.streams import Stream

log = logging.getLogger(__name__)

_TOOL_WORDS = {
    "time": re.compile(r"\bwhat(?:'s| is)?(?: the)? time\b|\btime is it\b"),
    "clock": re.compile(r"\bwhat(?:'s| is)?(?: the)? time\b|\btime is it\b"),
    "date": re.compile(r"\bwhat(?:'s| is)?(?: the)? (?:day|date)\b"),
    "weather": re.compile(r"\b(?:how|what)\b.*\bweather\b"),
    "uptime": re.compile(r"\bhow long\b.*\b(?:live|stream|streaming|going)\b"),
    "score": re.compile(r"\bwhat\b.*\bscore\b"),
    "viewers": re.compile(r"\bhow many\b.*\b(?:viewers|people|watching)\b"),
}
"""Which question may use a tool whose name holds the word. All of them only look something up:
chat alone must never make a tool do anything."""

_MOST_OUTCOME = 300
_PIECE = re.compile(r"\s*\S+")


class OfflineOptions(Options):
    """How the offline mind behaves."""

    word_s: float = Field(
        default=0.0, ge=0, le=10, description="Seconds between two words, as a real model takes."
    )
    seed: int = Field(
        default=0, description="Another number gives other choices among equally good lines."
    )


class OfflineT2T(Provider):
    """Talks by rules and prepared lines, and says that it is a demo.

    A reply depends on nothing but the messages and the seed, so one mind serves many rooms.
    """

    options_type = OfflineOptions
    options: OfflineOptions

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(load_lines)
        return self

    async def reply(
        self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
    ) -> Stream[str]:
        """Answer the last message word by word; takes under a millisecond besides the pace.

        A tool is called when a question fits its name and it needs no arguments; it is
        cancelled with the stream. If it fails, she says so.
        """
        moment = read_moment(messages)
        text = await self._use_tool(moment, tools) or answer(moment, self._chooser(moment))
        for piece in _PIECE.findall(text):
            await asyncio.sleep(self.options.word_s)
            yield piece

    def _chooser(self, moment: Moment) -> Chooser:
        count = len(moment.earlier) + len(moment.spoken)
        salt = f"{self.options.seed} {count} {moment.kind} {moment.user} {moment.words}"
        return Chooser(load_lines(), salt, moment.said, moment.sheet.tags)

    async def _use_tool(self, moment: Moment, tools: tuple[Tool, ...]) -> str:
        if moment.kind not in ("said", "wrote"):
            return ""
        for tool in tools:
            if not _fits(tool, moment.asked):
                continue
            chooser, slots = self._chooser(moment), {"user": moment.user}
            try:
                outcome = " ".join((await tool.call({})).split())[:_MOST_OUTCOME]
            except Exception:  # a broken gadget must not end the reply
                log.exception("a tool failed", extra={"tool": tool.name})
                return chooser.choose("tool_failed", slots)
            if outcome:
                return chooser.choose("tool", {**slots, "outcome": outcome})
        return ""


def _fits(tool: Tool, asked: str) -> bool:
    if tool.parameters.get("required"):
        return False
    words = re.findall(r"[a-z]+", tool.name.lower())
    return any(word in words and pattern.search(asked) for word, pattern in _TOOL_WORDS.items())
