"""Tools that a language model asks for: collected from its stream, called, and answered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxelle.messages import Tool

if TYPE_CHECKING:
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

log = logging.getLogger(__name__)

MAX_CALLS = 8
"""Calls that one answer of the model may make; more are dropped. Real answers make one to three."""

MAX_ARGUMENTS = 65_536
"""Characters of the arguments of one call; what is longer is a model that runs wild."""

MAX_OUTCOME = 16_000
"""Characters of an outcome that the model gets to see: about 4 000 tokens."""


@dataclass(slots=True)
class ToolCall:
    """What the model asks for."""

    id: str
    name: str = ""

    arguments: str = ""
    """JSON, as far as the model kept to it."""


class ToolCalls:
    """Collects the calls of one answer from fragments that come in any order."""

    def __init__(self, round_number: int) -> None:
        self._round = round_number
        self._open: dict[int, ToolCall] = {}
        self.calls: list[ToolCall] = []
        """In the order in which they began."""

    def add(self, fragments: Sequence[ChoiceDeltaToolCall] | None) -> None:
        """Take the fragments of one chunk; what exceeds the limits is dropped."""
        for fragment in fragments or ():
            call = self._call_of(fragment)
            if call is None or fragment.function is None:
                continue
            call.name = call.name or fragment.function.name or ""
            room = MAX_ARGUMENTS - len(call.arguments)
            call.arguments += (fragment.function.arguments or "")[:room]

    def _call_of(self, fragment: ChoiceDeltaToolCall) -> ToolCall | None:
        # Some local servers leave the index out, or call every parallel call number 0:
        # a new id then begins a new call.
        index = fragment.index or 0
        known = self._open.get(index)
        if known is not None and (not fragment.id or fragment.id == known.id):
            return known
        if len(self.calls) >= MAX_CALLS:
            log.warning("the model asks for too many tools at once; the rest is dropped")
            return None
        call = ToolCall(fragment.id or f"call_{self._round}_{len(self.calls)}")
        self._open[index] = call
        self.calls.append(call)
        return call


async def call_tools(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], timeout_s: float
) -> list[str]:
    """Call the tools at the same time and give their outcomes in order, in words for the model.

    Whatever goes wrong with a call is told to the model too. Cancelling cancels the tools.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_call_tool(call, tools, timeout_s)) for call in calls]
    return [task.result() for task in tasks]


async def _call_tool(call: ToolCall, tools: Mapping[str, Tool], timeout_s: float) -> str:
    tool = tools.get(call.name)
    if tool is None:
        return f"Error: there is no tool {call.name!r}; there are: {', '.join(tools) or 'none'}."
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError as error:
        return f"Error: the arguments are not valid JSON ({error}). Call the tool again."
    if not isinstance(arguments, dict):
        return "Error: the arguments must be a JSON object. Call the tool again."
    try:
        async with asyncio.timeout(timeout_s):
            outcome = await tool.call(arguments)
    except TimeoutError:
        log.warning("a tool took too long", extra={"tool": call.name, "timeout_s": timeout_s})
        return f"Error: the tool did not finish within {timeout_s:g} seconds."
    except Exception as error:
        # The model is the one to deal with it; the person who runs the show reads the log.
        log.exception("a tool failed", extra={"tool": call.name})
        return f"Error: the tool failed: {str(error) or type(error).__name__}"[:MAX_OUTCOME]
    return outcome[:MAX_OUTCOME]
