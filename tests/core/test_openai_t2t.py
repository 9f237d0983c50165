"""The language model behind an OpenAI-compatible server, through the official client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from emulators.fake_openai.server import FakeOpenAI
from emulators.fake_openai.settings import Failure, FakeOpenAISettings, Reply, ToolCall
from voxelle.messages import Message, Tool
from voxelle.operations.openai_client import is_local
from voxelle.operations.t2t.openai import OpenAIT2T, OpenAIT2TOptions
from voxelle.operations.t2t.tool_calls import ToolCalls
from voxelle.utils.exceptions import ConfigurationError, T2TError

pytestmark = pytest.mark.real_time
CHAT = "/chat/completions"
ASKED = (Message("system", "You are Iris."), Message("user", "Hi!"))


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


async def answer(
    fake: FakeOpenAI,
    messages: tuple[Message, ...] = ASKED,
    tools: tuple[Tool, ...] = (),
    **options: Any,
) -> list[str]:
    wanted = {"base_url": fake.base_url, "model": "fake-t2t", **options}
    async with OpenAIT2T(OpenAIT2TOptions.model_validate(wanted)) as mind:
        return [piece async for piece in mind.reply(messages, tools)]


async def test_reply_arrives_in_the_pieces_the_server_sent(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply(pieces=("Hel", "lo ", "Ann", "."))
    assert await answer(fake) == ["Hel", "lo ", "Ann", "."]
    assert fake.requests[0].finished_at is not None


async def test_first_piece_is_there_long_before_the_last(fake: FakeOpenAI) -> None:
    fake.settings.reply = "one two three four five six seven"
    fake.settings.words_per_s = 20
    loop = asyncio.get_running_loop()
    options = OpenAIT2TOptions(base_url=fake.base_url, model="fake-t2t")
    async with OpenAIT2T(options) as mind:
        times = [loop.time() async for _ in mind.reply(ASKED)]
    assert times[-1] - times[0] >= 0.25


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_closing_at_any_moment_aborts_the_request(fake: FakeOpenAI, read: int) -> None:
    fake.settings.reply = "word " * 500
    fake.settings.words_per_s = 50
    fake.settings.first_token_s = 0.2
    options = OpenAIT2TOptions(base_url=fake.base_url, model="fake-t2t")
    async with OpenAIT2T(options) as mind, aclosing(mind.reply(ASKED)) as stream:
        if read == 0:
            asking = asyncio.create_task(anext(stream))
            await fake.wait_for(CHAT)
            asking.cancel()
            await asyncio.wait([asking])
        for _ in range(read):
            await anext(stream)
        await stream.aclose()
        request = fake.requests[0]
        async with asyncio.timeout(1.0):
            await request.ended.wait()
    assert request.is_aborted
    assert request.pieces_sent < 10


async def test_connection_is_used_again_for_the_next_reply(fake: FakeOpenAI) -> None:
    options = OpenAIT2TOptions(base_url=fake.base_url, model="fake-t2t")
    async with OpenAIT2T(options) as mind:
        for _ in range(3):
            assert [piece async for piece in mind.reply(ASKED)]
    assert len(fake.requests) == 3
    assert fake.connections == 1


async def test_only_role_and_content_are_sent(fake: FakeOpenAI) -> None:
    await answer(fake, temperature=0.5, max_tokens=70, stop=["\n"], extra_body={"seed": 7})
    sent = fake.requests[0].json
    assert sent["messages"] == [
        {"role": "system", "content": "You are Iris."},
        {"role": "user", "content": "Hi!"},
    ]
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.5, 70, ["\n"])
    assert sent["seed"] == 7
    assert "max_completion_tokens" not in sent
    assert "tools" not in sent


async def test_max_tokens_may_be_called_otherwise(fake: FakeOpenAI) -> None:
    await answer(fake, max_tokens=70, max_tokens_name="max_completion_tokens")
    sent = fake.requests[0].json
    assert sent["max_completion_tokens"] == 70
    assert "max_tokens" not in sent


MIXED = (
    Message("system", "A"),
    Message("system", "B"),
    Message("user", "C"),
    Message("system", "D"),
    Message("user", "E"),
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["system A\nB", "user C", "system D", "user E"]),
        ({"system_messages": "first"}, ["system A\nB", "user C\nD\nE"]),
        ({"system_messages": "never"}, ["user A\nB\nC\nD\nE"]),
        ({"merge_messages": False}, ["system A", "system B", "user C", "system D", "user E"]),
    ],
)
async def test_messages_are_fitted_to_what_the_server_takes(
    fake: FakeOpenAI, options: dict[str, Any], expected: list[str]
) -> None:
    await answer(fake, MIXED, **options)
    sent: Any = fake.requests[0].json["messages"]
    assert [f"{m['role']} {m['content']}" for m in sent] == expected


@pytest.mark.parametrize(
    "pieces",
    [
        ("<think>secret plan</think>\n\nHello.",),
        ("<th", "ink>secret", " plan</", "think>", "\n\n", "Hello."),
        tuple("<THINK>secret < plan</Think> Hello."),
    ],
)
async def test_thoughts_are_never_spoken(fake: FakeOpenAI, pieces: tuple[str, ...]) -> None:
    fake.settings.reply = Reply(pieces=pieces, reasoning="more secrets")
    assert "".join(await answer(fake)) == "Hello."


async def test_thought_that_began_in_the_template_is_not_spoken(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply(pieces=("secret", " plan</thi", "nk>\n", "Hello."))
    assert "".join(await answer(fake, starts_thinking=True)) == "Hello."


async def test_signs_that_only_look_like_thoughts_are_spoken(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply(pieces=("I <3 you", " <thi", "s> 1 < 2 <th"))
    assert "".join(await answer(fake)) == "I <3 you <this> 1 < 2 <th"


def tool(name: str, call: Any) -> Tool:
    return Tool(name, f"Does {name}.", {"type": "object", "properties": {}}, call)


def scripted(*replies: Reply) -> Any:
    left = list(replies)
    return lambda request: left.pop(0)


async def test_tools_are_called_side_by_side_and_their_outcomes_told(fake: FakeOpenAI) -> None:
    fake.settings.reply = scripted(
        Reply("Let me see.", tool_calls=(ToolCall("clock", '{"zone": "UTC"}'), ToolCall("dice"))),
        Reply("It is five."),
    )
    both = asyncio.Barrier(2)
    seen: list[Mapping[str, object]] = []

    async def clock(arguments: Mapping[str, object]) -> str:
        seen.append(arguments)
        await both.wait()
        return "17:00"

    async def dice(arguments: Mapping[str, object]) -> str:
        await both.wait()
        return "four"

    spoken = await answer(fake, tools=(tool("clock", clock), tool("dice", dice)))
    assert "".join(spoken) == "Let me see. It is five."
    assert seen == [{"zone": "UTC"}]
    sent: Any = fake.requests[1].json["messages"]
    assert [call["function"]["name"] for call in sent[-3]["tool_calls"]] == ["clock", "dice"]
    assert [(m["role"], m["tool_call_id"], m["content"]) for m in sent[-2:]] == [
        ("tool", "call_0", "17:00"),
        ("tool", "call_1", "four"),
    ]


def fragment(index: int, id_: str | None, name: str | None, arguments: str) -> Any:
    function = SimpleNamespace(name=name, arguments=arguments)
    return SimpleNamespace(index=index, id=id_, function=function)


@pytest.mark.parametrize(
    "fragments",
    [
        [(0, "a", "clock", '{"x"'), (0, None, None, ":1}"), (1, "b", "dice", "{}")],
        [
            (0, "a", "clock", '{"x"'),
            (1, "b", "dice", ""),
            (0, None, None, ":1}"),
            (1, "b", "", "{}"),
        ],
        [(0, "a", "clock", '{"x":1}'), (0, "b", "dice", "{}")],  # Ollama: every call is number 0
        [(None, "a", "clock", '{"x":1}'), (None, "b", "dice", "{}")],
    ],
)
async def test_calls_are_put_together_from_any_fragments(fragments: Any) -> None:
    calls = ToolCalls(0)
    for each in fragments:
        calls.add([fragment(*each)])
    assert [(call.id, call.name, call.arguments) for call in calls.calls] == [
        ("a", "clock", '{"x":1}'),
        ("b", "dice", "{}"),
    ]


async def test_calls_without_an_id_get_one_and_too_many_are_dropped() -> None:
    calls = ToolCalls(2)
    calls.add([fragment(index, None, "dice", "x" * 100_000) for index in range(30)])
    assert [call.id for call in calls.calls] == [f"call_2_{index}" for index in range(8)]
    assert {len(call.arguments) for call in calls.calls} == {65_536}


async def _fail(arguments: Mapping[str, object]) -> str:
    raise LookupError("the lamp is unplugged")


async def _hang(arguments: Mapping[str, object]) -> str:
    await asyncio.Event().wait()
    return "never"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (ToolCall("nowhere"), "no tool 'nowhere'; there are: fail, hang"),
        (ToolCall("fail", "{broken"), "not valid JSON"),
        (ToolCall("fail", "[1]"), "must be a JSON object"),
        (ToolCall("fail", ""), "the lamp is unplugged"),
        (ToolCall("hang"), "did not finish within 0.05 seconds"),
    ],
)
async def test_whatever_fails_in_a_tool_is_told_to_the_model(
    fake: FakeOpenAI, call: ToolCall, told: str
) -> None:
    fake.settings.reply = scripted(Reply(tool_calls=(call,)), Reply("Sorry."))
    tools = (tool("fail", _fail), tool("hang", _hang))
    assert "".join(await answer(fake, tools=tools, tool_timeout_s=0.05)) == "Sorry."
    sent: Any = fake.requests[1].json["messages"]
    assert told in sent[-1]["content"]
    assert sent[-2]["tool_calls"][0]["function"]["arguments"] in {"{}", "[1]"}


async def test_model_that_calls_tools_forever_is_asked_to_stop(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply("Hm.", tool_calls=(ToolCall("fail"),))
    spoken = await answer(fake, tools=(tool("fail", _fail),), max_tool_rounds=2)
    assert "".join(spoken) == "Hm. Hm. Hm."
    assert [request.json.get("tool_choice") for request in fake.requests] == [None, None, "none"]


async def test_closing_while_a_tool_runs_cancels_the_tool(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply("Wait.", tool_calls=(ToolCall("slow"),))
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(arguments: Mapping[str, object]) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    options = OpenAIT2TOptions(base_url=fake.base_url, model="fake-t2t")
    async with OpenAIT2T(options) as mind:
        stream = mind.reply(ASKED, (tool("slow", slow),))
        assert await anext(stream) == "Wait."
        waiting = asyncio.create_task(anext(stream))
        await started.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        await stream.aclose()
    assert cancelled.is_set()


def failing(trouble: Any, **details: Any) -> Failure:
    return Failure(trouble, **details)


@pytest.mark.parametrize(
    ("failure", "says", "is_retryable"),
    [
        (failing("status", status=401), "refused the key (401)", False),
        (failing("status", status=403), "forbade", False),
        (failing("status", status=400, message="no penalty"), "(400): no penalty", False),
        (failing("status", status=429, retry_after_s=9), "it asks to wait 9 s", True),
        (failing("status", status=500), "failed (500)", True),
        (failing("status", status=503), "failed (503)", True),
        (failing("hang"), "did not answer in time", True),
        (failing("stall"), "did not answer in time", True),
        (failing("cut"), "broke the connection off", True),
        (failing("garbage"), "not JSON", False),
        (failing("html"), "text/html", False),
        (failing("error", message="out of memory"), "out of memory", True),
    ],
    ids=lambda value: f"{value.trouble}-{value.status}" if isinstance(value, Failure) else "",
)
async def test_failure_is_told_in_a_clear_sentence(
    fake: FakeOpenAI, failure: Failure, says: str, is_retryable: bool
) -> None:
    fake.fail_next(failure, path=CHAT)
    with pytest.raises(T2TError) as caught:
        await answer(fake, timeout_s=0.3)
    assert says in str(caught.value)
    assert fake.base_url in str(caught.value)
    assert caught.value.is_retryable is is_retryable
    assert len(fake.asked(CHAT)) == 1


async def test_key_is_never_shown(fake: FakeOpenAI) -> None:
    fake.fail_next(failing("status", status=400, message="bad key sk-secret-1, sorry"))
    with pytest.raises(T2TError) as caught:
        await answer(fake, api_key="sk-secret-1")
    assert "sk-secret-1" not in str(caught.value)
    assert fake.requests[0].headers["authorization"] == "Bearer sk-secret-1"


async def test_unknown_model_is_answered_with_the_known_ones(fake: FakeOpenAI) -> None:
    with pytest.raises(T2TError, match="no model called 'lama'; it has: fake-stt, fake-t2t"):
        await answer(fake, model="lama")


async def test_wrong_address_is_told_from_a_missing_model(fake: FakeOpenAI) -> None:
    with pytest.raises(T2TError, match="is base_url right"):
        await answer(fake, base_url=fake.base_url.removesuffix("/v1") + "/wrong")


async def test_dead_server_is_told_in_a_clear_sentence() -> None:
    async with FakeOpenAI() as gone:
        url = gone.base_url
    options = OpenAIT2TOptions(base_url=url)
    async with OpenAIT2T(options) as mind:
        with pytest.raises(T2TError, match="refused the connection: is it running") as caught:
            await anext(mind.reply(ASKED))
    assert caught.value.is_retryable


async def test_account_without_credit_is_not_asked_again(fake: FakeOpenAI) -> None:
    fake.fail_next(failing("status", status=429, code="insufficient_quota"))
    with pytest.raises(T2TError, match="no credit left") as caught:
        await answer(fake)
    assert not caught.value.is_retryable


async def test_name_that_does_not_exist_is_told() -> None:
    options = OpenAIT2TOptions(base_url="http://nowhere.invalid/v1", is_paid=False)
    async with OpenAIT2T(options) as mind:
        with pytest.raises(T2TError, match=r"nowhere\.invalid/v1 can") as caught:
            await anext(mind.reply(ASKED))
    assert caught.value.is_retryable


@pytest.mark.parametrize(
    ("reply", "says", "is_retryable"),
    [
        (Reply(""), "said nothing", True),
        (Reply(pieces=(" ", "\n")), "said nothing", True),
        (Reply("<think>hm hm", finish_reason="length"), "max_tokens for thinking", False),
        (Reply(reasoning="hm", finish_reason="length"), "max_tokens for thinking", False),
        (Reply("", finish_reason="content_filter"), "content filter", False),
    ],
)
async def test_model_that_says_nothing_has_failed(
    fake: FakeOpenAI, reply: Reply, says: str, is_retryable: bool
) -> None:
    fake.settings.reply = reply
    with pytest.raises(T2TError, match=says) as caught:
        await answer(fake)
    assert caught.value.is_retryable is is_retryable


async def test_endless_reply_is_cut_and_its_request_aborted(fake: FakeOpenAI) -> None:
    fake.settings.reply = Reply(pieces=("blah " * 200,) * 500)
    fake.settings.words_per_s = 200
    assert len("".join(await answer(fake))) == 21_000
    async with asyncio.timeout(1.0):
        await fake.requests[0].ended.wait()
    assert fake.requests[0].is_aborted


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("192.168.1.20", True),
        ("::1", True),
        ("ollama", True),
        ("gaming-pc.local", True),
        ("api.openai.com", False),
        ("8.8.8.8", False),
    ],
)
async def test_only_servers_near_by_are_free(host: str, local: bool) -> None:
    assert is_local(host) is local
    shown = f"[{host}]" if ":" in host else host
    mind = OpenAIT2T(OpenAIT2TOptions(base_url=f"http://{shown}:1234/v1"))
    assert mind.is_paid is not local
    assert OpenAIT2T(OpenAIT2TOptions(base_url=f"http://{shown}/v1", is_paid=True)).is_paid


async def test_openai_without_a_key_is_told_before_the_first_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="set OPENAI_API_KEY"):
        await OpenAIT2T(OpenAIT2TOptions()).__aenter__()


async def test_key_of_openai_does_not_go_to_other_servers(
    fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    await answer(fake)
    await answer(fake, api_key_env="OPENAI_API_KEY")
    sent = [request.headers["authorization"] for request in fake.requests]
    assert sent == ["Bearer none", "Bearer sk-mine"]


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:11434", "http://ann:pw@host/v1"])
async def test_address_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        OpenAIT2TOptions(base_url=url)


async def test_every_option_is_described() -> None:
    assert all(field.description for field in OpenAIT2TOptions.model_fields.values())


async def test_settings_of_the_fake_are_independent() -> None:
    assert FakeOpenAISettings() == FakeOpenAISettings()
