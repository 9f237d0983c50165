"""/v1/chat/completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .http import Exchange, error_body
from .pace import send_paced
from .settings import Failure, FakeOpenAISettings, Reply


async def answer(exchange: Exchange, settings: FakeOpenAISettings, failure: Failure | None) -> None:
    """Answer a chat request, streamed or not."""
    asked = exchange.request.json
    model = str(asked.get("model"))
    if settings.models and model not in settings.models:
        await exchange.send_error(404, f"The model `{model}` does not exist", "model_not_found")
        return
    reply = settings.reply(asked) if callable(settings.reply) else settings.reply
    if isinstance(reply, str):
        reply = Reply(reply)
    if failure and failure.trouble == "garbage" and not asked.get("stream"):
        await exchange.send(200, b"{not json")
    elif failure and failure.trouble == "error" and not asked.get("stream"):
        await exchange.send_json(error_body(failure.message))
    elif asked.get("stream"):
        await _stream(exchange, settings, failure, _chunks(reply, model))
    else:
        await exchange.send_json(_whole(reply, model))


async def _stream(
    exchange: Exchange,
    settings: FakeOpenAISettings,
    failure: Failure | None,
    chunks: Iterator[dict[str, object]],
) -> None:
    word_s = 1 / settings.words_per_s if settings.words_per_s else 0.0
    broken = failure if failure and failure.trouble in {"garbage", "error"} else None

    def pieces() -> Iterator[tuple[float, bytes]]:
        for index, chunk in enumerate(chunks):
            at = settings.first_token_s + index * word_s
            if broken and index == broken.after:
                is_error = broken.trouble == "error"
                wrong = json.dumps(error_body(broken.message)) if is_error else "{not json"
                yield at, f"data: {wrong}\n\n".encode()
                return
            yield at, f"data: {json.dumps(chunk)}\n\n".encode()

    await exchange.start("text/event-stream")
    if await send_paced(exchange, pieces(), failure):
        await exchange.write(b"data: [DONE]\n\n")
        await exchange.end()


def _chunks(reply: Reply, model: str) -> Iterator[dict[str, object]]:
    def chunk(delta: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
        return {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        }

    for word in reply.reasoning.split():
        yield chunk({"reasoning_content": word + " "})
    for token in reply.tokens():
        yield chunk({"role": "assistant", "content": token})
    for index, call in enumerate(_calls(reply)):
        arguments = call["function"]["arguments"]
        first, rest = arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]
        begun = {**call, "function": {**call["function"], "arguments": first}}
        yield chunk({"tool_calls": [{"index": index, **begun}]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": rest}}]})
    if (reason := _finish_reason(reply)) != "":
        yield chunk({}, reason)


def _whole(reply: Reply, model: str) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": "".join(reply.tokens())}
    if reply.tool_calls:
        message["tool_calls"] = _calls(reply)
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id or f"call_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(reply.tool_calls)
    ]


def _finish_reason(reply: Reply) -> str:
    if reply.finish_reason is not None:
        return reply.finish_reason
    return "tool_calls" if reply.tool_calls else "stop"
