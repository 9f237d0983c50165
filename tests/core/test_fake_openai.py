"""The fake OpenAI server itself: what it promises to tests and benchmarks."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from emulators.fake_openai.http import RecordedRequest
from emulators.fake_openai.server import FakeOpenAI
from emulators.fake_openai.settings import Failure, FakeOpenAISettings, Reply, ToolCall

pytestmark = pytest.mark.real_time


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


@pytest.fixture
async def client(fake: FakeOpenAI) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=fake.base_url, api_key="key", max_retries=0) as client:
        yield client


ASKED: Any = {"model": "fake-t2t", "messages": [{"role": "user", "content": "Hi"}]}


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    page = await client.models.list()
    assert [model.id for model in page.data] == ["fake-t2t", "fake-stt", "fake-tts"]


async def test_whole_and_streamed_replies_are_the_same(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(**ASKED)
    streamed = await client.chat.completions.create(**ASKED, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in streamed]
    assert "".join(pieces) == whole.choices[0].message.content == FakeOpenAISettings().reply
    assert len(pieces) == 9


async def test_tool_calls_are_given_whole_or_in_fragments(
    fake: FakeOpenAI, client: openai.AsyncOpenAI
) -> None:
    fake.settings.reply = Reply(tool_calls=(ToolCall("clock", '{"zone": "UTC"}'),))
    whole: Any = await client.chat.completions.create(**ASKED)
    assert whole.choices[0].message.tool_calls[0].function.arguments == '{"zone": "UTC"}'
    streamed = await client.chat.completions.create(**ASKED, stream=True)
    parts = [
        call.function.arguments
        async for chunk in streamed
        for call in chunk.choices[0].delta.tool_calls or []
        if call.function
    ]
    assert len(parts) == 2
    assert "".join(part or "" for part in parts) == '{"zone": "UTC"}'


async def test_tokens_come_at_the_set_pace(fake: FakeOpenAI, client: openai.AsyncOpenAI) -> None:
    fake.settings.reply = "one two three four five"
    fake.settings.first_token_s, fake.settings.words_per_s = 0.2, 20
    loop = asyncio.get_running_loop()
    begun = loop.time()
    streamed = await client.chat.completions.create(**ASKED, stream=True)
    times = [loop.time() - begun async for _ in streamed]
    assert times[0] == pytest.approx(0.2, abs=0.1)
    assert times[4] - times[0] == pytest.approx(0.2, abs=0.1)


async def test_speech_comes_at_the_set_pace(fake: FakeOpenAI, client: openai.AsyncOpenAI) -> None:
    fake.settings.speech_first_byte_s, fake.settings.speech_factor = 0.15, 0.25
    loop = asyncio.get_running_loop()
    begun = loop.time()
    asking = client.audio.speech.with_streaming_response.create(
        model="fake-tts", voice="v", input="one two three four", response_format="pcm"
    )
    async with asking as response:
        chunks = [(loop.time() - begun, len(data)) async for data in response.iter_bytes()]
    assert chunks[0][0] == pytest.approx(0.15, abs=0.1)
    assert sum(size for _, size in chunks) == 24_000 * 2
    assert chunks[-1][0] == pytest.approx(0.375, abs=0.1)


async def test_requests_are_recorded_with_what_became_of_them(
    fake: FakeOpenAI, client: openai.AsyncOpenAI
) -> None:
    fake.settings.words_per_s = 10
    await client.models.list()
    streamed = await client.chat.completions.create(**ASKED, stream=True)
    await anext(aiter(streamed))
    await streamed.close()
    done, left = fake.requests
    async with asyncio.timeout(1.0):
        await left.ended.wait()
    assert (done.path, done.is_aborted, done.finished_at is None) == ("/v1/models", False, False)
    assert (left.is_aborted, left.finished_at, left.pieces_sent) == (True, None, 1)
    assert left.aborted_at is not None
    assert left.first_byte_at is not None
    assert left.aborted_at - left.first_byte_at < 0.1
    assert left.json["messages"] == ASKED["messages"]
    assert fake.asked("/chat/completions") == [left]


async def test_failures_come_in_order_and_only_where_they_are_meant(
    fake: FakeOpenAI, client: openai.AsyncOpenAI
) -> None:
    fake.fail_next(
        Failure("status", 429, retry_after_s=3), Failure("status", 503), path="/chat/completions"
    )
    await client.models.list()
    with pytest.raises(openai.RateLimitError) as busy:
        await client.chat.completions.create(**ASKED)
    assert busy.value.response.headers["retry-after"] == "3"
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(**ASKED)
    assert (await client.chat.completions.create(**ASKED)).choices


async def test_cut_answer_has_delivered_its_first_pieces(
    fake: FakeOpenAI, client: openai.AsyncOpenAI
) -> None:
    fake.fail_next(Failure("cut", after=3))
    streamed = await client.chat.completions.create(**ASKED, stream=True)
    got: list[str] = []
    with pytest.raises(openai.APIConnectionError):
        async for chunk in streamed:
            got.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - it breaks off
    assert len(got) == 3


async def test_wrong_key_is_refused(fake: FakeOpenAI, client: openai.AsyncOpenAI) -> None:
    fake.settings.api_key = "other"
    with pytest.raises(openai.AuthenticationError):
        await client.models.list()


async def test_closing_the_server_hangs_up_on_everybody(client: openai.AsyncOpenAI) -> None:
    async with FakeOpenAI(FakeOpenAISettings(first_token_s=60)) as fake:
        there = openai.AsyncOpenAI(base_url=fake.base_url, api_key="key", max_retries=0)
        asking = asyncio.create_task(there.chat.completions.create(**ASKED, stream=True))
        await fake.wait_for("/chat/completions")
        stream: Any = await asking
    with pytest.raises(openai.APIConnectionError):
        await anext(aiter(stream))
    await there.close()


async def test_nonsense_is_hung_up_on_and_others_are_served(
    fake: FakeOpenAI, client: openai.AsyncOpenAI
) -> None:
    host, _, port = fake.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    for nonsense in (
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(nonsense)
        async with asyncio.timeout(1.0):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()
    assert (await client.models.list()).data


async def test_body_in_chunks_is_read(fake: FakeOpenAI) -> None:
    host, _, port = fake.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(ASKED).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"".join(b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in body))
    writer.write(b"0\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()
    assert fake.requests[0].json == ASKED


async def test_form_fields_and_file_are_told_apart() -> None:
    file = b"\r\n--not a boundary\r\n\0\xff"
    body = (
        b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n" + file + b"\r\n--B--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=B"}
    form = RecordedRequest("POST", "/", headers, body, 0.0).form
    assert form == {"model": b"whisper", "file": file}


async def test_runs_as_a_program_for_benchmarks() -> None:
    root = Path(__file__).parents[2]
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.emulators.fake_openai",
        "--reply",
        "from outside",
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        url = (await program.stdout.readline()).decode().strip()
        async with openai.AsyncOpenAI(base_url=url, api_key="key", max_retries=0) as client:
            answer = await client.chat.completions.create(**ASKED)
        assert answer.choices[0].message.content == "from outside"
    finally:
        program.kill()
        await program.communicate()
