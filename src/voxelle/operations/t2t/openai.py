"""A language model behind any OpenAI-compatible server: OpenAI, Ollama, llama.cpp, vLLM ..."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from voxelle.messages import Message, Tool
from voxelle.operations.openai_client import OPENAI_HOST, OpenAIOptions, OpenAIProvider
from voxelle.operations.t2t.thoughts import ThoughtFilter
from voxelle.operations.t2t.tool_calls import ToolCall, ToolCalls, call_tools
from voxelle.streams import Stream
from voxelle.utils.exceptions import T2TError

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

log = logging.getLogger(__name__)

MAX_REPLY = 20_000
"""Characters of a reply, more than twenty minutes of speech: only a model that runs wild says so
much, and the request is ended there."""


class OpenAIT2TOptions(OpenAIOptions):
    """Which model answers, and how it is asked."""

    model: str = Field(
        default="gpt-4o-mini", min_length=1, description="Name of the model, as the server has it."
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="How surprising the replies are; unset: the server's own. Some reasoning "
        "models accept none.",
    )
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="Share of the likeliest words to choose from."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Longest reply, in tokens; unset: the server's own limit."
    )
    max_tokens_name: Literal["auto", "max_tokens", "max_completion_tokens"] = Field(
        default="auto",
        description="How the server calls max_tokens; auto: max_completion_tokens for OpenAI, "
        "max_tokens for all others.",
    )
    stop: tuple[str, ...] = Field(
        default=(), max_length=4, description="Strings at which the model stops; at most four."
    )
    presence_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="How strongly new topics are preferred."
    )
    frequency_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="How strongly repeated words are avoided."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Further fields of the request, such as {reasoning_effort: low} or "
        "{chat_template_kwargs: {enable_thinking: false}}.",
    )
    merge_messages: bool = Field(
        default=True,
        description="Join neighbouring messages of the same role, which many chat templates of "
        "local models demand.",
    )
    system_messages: Literal["anywhere", "first", "never"] = Field(
        default="anywhere",
        description="Where the model accepts system messages; others are sent as the user's.",
    )
    starts_thinking: bool = Field(
        default=False,
        description="The reply begins inside a thought, without <think>, and </think> ends it.",
    )
    max_tool_rounds: int = Field(
        default=4, ge=0, le=16, description="How often tools may be called before one reply."
    )
    tool_timeout_s: float = Field(
        default=20.0, gt=0, le=300, description="Longest time a tool may take, in seconds."
    )


@dataclass(slots=True)
class _Round:
    """What one request brought: text that was spoken, tools that are wanted, why it ended."""

    tool_calls: ToolCalls
    thoughts: ThoughtFilter
    text: list[str] = field(default_factory=list[str])
    finish_reason: str | None = None


class OpenAIT2T(OpenAIProvider):
    """Asks a chat model and gives its reply while it is written."""

    operation = "language model"
    error = T2TError
    options_type = OpenAIT2TOptions
    options: OpenAIT2TOptions

    def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()) -> Stream[str]:
        """Answer the last message; closing the stream aborts the HTTP request at once.

        Thoughts (`<think>` blocks, `reasoning_content`) are left out. Raises `T2TError`
        when the server fails, and when the model says nothing at all.
        """
        return self.translated(self._reply(messages, tools), self.options.model)

    async def _reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Stream[str]:
        known = {tool.name: tool for tool in tools}
        history = chat_messages(messages, self.options)
        length, is_mute = 0, True
        for number in range(self.options.max_tool_rounds + 1):
            may_call = number < self.options.max_tool_rounds
            current = _Round(
                ToolCalls(number), ThoughtFilter(starts_inside=self.options.starts_thinking)
            )
            glue = " " if length else ""
            async with aclosing(self._ask(history, tools, current, may_call=may_call)) as pieces:
                async for piece in pieces:
                    # What was said before a tool was called is a sentence of its own.
                    yield glue + piece
                    glue, length = "", length + len(piece)
                    is_mute = is_mute and not piece.strip()
                    if length > MAX_REPLY:
                        log.warning("the reply is endless and was cut")
                        return
            calls = current.tool_calls.calls
            if not calls or not may_call:
                # A model that used a tool may well have nothing to add.
                if is_mute and not number:
                    raise self._nothing(current)
                return
            outcomes = await call_tools(calls, known, self.options.tool_timeout_s)
            history += _tool_messages("".join(current.text), calls, outcomes)

    async def _ask(
        self, history: list[Any], tools: tuple[Tool, ...], current: _Round, *, may_call: bool
    ) -> Stream[str]:
        """Make one request; give what is to be spoken and note the rest in `current`."""
        stream = await self.client.chat.completions.create(
            messages=history, stream=True, **self._settings(tools, may_call=may_call)
        )
        try:
            kind = stream.response.headers.get("content-type", "")
            if "json" in kind or "html" in kind:
                raise await self._not_a_stream(await stream.response.aread(), kind)
            async for chunk in stream:
                if piece := _piece(chunk, current):
                    current.text.append(piece)
                    yield piece
            if piece := current.thoughts.finish():
                current.text.append(piece)
                yield piece
        finally:
            await stream.close()
        if current.finish_reason in {"content_filter", None}:
            log.warning("a reply ended early", extra={"finish_reason": current.finish_reason})

    def _settings(self, tools: tuple[Tool, ...], *, may_call: bool) -> dict[str, Any]:
        options = self.options
        name = options.max_tokens_name
        if name == "auto":
            is_openai = options.host == OPENAI_HOST
            name = "max_completion_tokens" if is_openai else "max_tokens"
        wanted: dict[str, Any] = {
            "model": options.model,
            "temperature": options.temperature,
            "top_p": options.top_p,
            name: options.max_tokens,
            "stop": list(options.stop) or None,
            "presence_penalty": options.presence_penalty,
            "frequency_penalty": options.frequency_penalty,
            "extra_body": options.extra_body or None,
        }
        if tools:
            wanted["tools"] = [_tool_schema(tool) for tool in tools]
            wanted["tool_choice"] = None if may_call else "none"
        return {name: value for name, value in wanted.items() if value is not None}

    async def _not_a_stream(self, body: bytes, kind: str) -> Exception:
        words = " ".join(body[:300].decode("utf-8", "replace").split())
        return self.failure(
            f"answered with {kind.partition(';')[0]} and not with a stream of events; "
            f"is base_url right? It usually ends in /v1. It said: {words}"
        )

    def _nothing(self, current: _Round) -> Exception:
        if current.finish_reason == "content_filter":
            return self.failure("refused to answer (content filter)")
        if current.finish_reason == "length":
            what = "thinking" if current.thoughts.has_thought else "nothing that can be spoken"
            return self.failure(
                f"used up max_tokens for {what}: allow more, or turn its thinking off"
            )
        # Nothing was passed on, and the next try is drawn anew.
        return self.failure("said nothing", is_retryable=True)


def chat_messages(messages: Sequence[Message], options: OpenAIT2TOptions) -> list[Any]:
    """Write messages as the server wants them: role and content only."""
    written: list[dict[str, Any]] = []
    for message in messages:
        role: str = message.role
        if role == "system" and (
            options.system_messages == "never"
            or (options.system_messages == "first" and any(m["role"] != "system" for m in written))
        ):
            role = "user"
        if options.merge_messages and written and written[-1]["role"] == role:
            written[-1]["content"] += "\n" + message.text
        else:
            written.append({"role": role, "content": message.text})
    return written


def _piece(chunk: ChatCompletionChunk, current: _Round) -> str:
    """Give what a chunk adds to the reply; its calls and its end are noted in `current`."""
    if not chunk.choices:
        return ""
    choice = chunk.choices[0]
    current.finish_reason = choice.finish_reason or current.finish_reason
    # Some servers send `delta: null` in their last chunk, whatever the type says.
    if cast(object, choice.delta) is None:
        return ""
    current.tool_calls.add(choice.delta.tool_calls)
    if getattr(choice.delta, "reasoning_content", None) or getattr(choice.delta, "reasoning", None):
        current.thoughts.has_thought = True
    return current.thoughts.push(choice.delta.content or choice.delta.refusal or "")


def _tool_schema(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _tool_messages(text: str, calls: Sequence[ToolCall], outcomes: Sequence[str]) -> list[Any]:
    asked = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _valid_json(call.arguments)},
        }
        for call in calls
    ]
    answered = [
        {"role": "tool", "tool_call_id": call.id, "content": outcome}
        for call, outcome in zip(calls, outcomes, strict=True)
    ]
    return [{"role": "assistant", "content": text or None, "tool_calls": asked}, *answered]


def _valid_json(arguments: str) -> str:
    """Give arguments as they are, or none: some servers fail when they read broken ones again."""
    try:
        json.loads(arguments)
    except ValueError:
        return "{}"
    return arguments
