from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import pytest_asyncio

from server_rooms import RecordingServer, recording_server
from voxelle.audio import Samples
from voxelle.client import Client, Playout, Retry, connect, run_loudspeaker
from voxelle.client.handshake import full_address
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    JoinRoom,
    Member,
    MemberJoined,
    Notice,
    RoomJoined,
    Say,
    StateChanged,
    Subscribe,
    TurnStarted,
    UtteranceEnded,
)
from voxelle.server.guard import Trust
from voxelle.server.limits import Limits
from voxelle.utils.exceptions import (
    AuthenticationError,
    IntegrationError,
    ValidationError,
)

pytestmark = pytest.mark.real_time

ANN = Member(platform="test", id="ann", name="Ann")
JOIN = JoinRoom(platform="test")
SOON = Retry(first_s=0.02, cap_s=0.1, give_up_s=10.0)


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[RecordingServer]:
    async with recording_server() as server:
        yield server


async def until(client: Client, kind: type[Notice]) -> Notice:
    async with asyncio.timeout(5):
        async for notice in client:
            if isinstance(notice, kind):
                return notice
    raise AssertionError("the connection ended")


async def until_lost(client: Client) -> None:
    async with asyncio.timeout(5):
        while client.is_connected:  # noqa: ASYNC110 - the client tells nobody
            await asyncio.sleep(0)


async def test_an_app_joins_sends_and_is_told(server: RecordingServer) -> None:
    async with connect(server.http, join=JOIN) as client:
        assert client.joined == RoomJoined(room="main", character="Voxelle", rate=24_000)
        assert len(client.session_id) == 16
        await client.send(MemberJoined(member=ANN))
        await client.send_audio("ann", np.full(320, 0.5, dtype=np.float32), start=1.0)
        await client.send_audio("ann", bytes(100_000))  # more than one message holds
        await client.send(UtteranceEnded(member="ann"))
        await server.main.until("end_utterance", ANN.key)
        server.main.tell(TurnStarted(turn=1, source="voice"))
        assert await until(client, TurnStarted) == TurnStarted(turn=1, source="voice")
    first, *rest = [frame for _, frame in server.main.frames]
    assert first.samples.mean() == pytest.approx(0.5, abs=1e-3)
    assert first.start == 1.0
    assert sum(len(frame.samples) for frame in rest) == 50_000
    await server.main.until_listeners(0)


async def test_a_reader_subscribes_with_the_same_call(server: RecordingServer) -> None:
    join = Subscribe(topics=frozenset({"state"}))
    async with connect(server.ws, join=join) as client:
        assert (await anext(client)).type == "state_changed"
        server.main.tell(TurnStarted(turn=1, source="voice"))
        server.main.tell(StateChanged(state="speaking"))
        assert await anext(client) == StateChanged(state="speaking")


async def test_a_recording_is_sent_in_real_time(server: RecordingServer) -> None:
    loop = asyncio.get_running_loop()
    async with connect(server.ws, join=JOIN) as client:
        await client.send(MemberJoined(member=ANN))
        begin = loop.time()
        await client.send_recording("ann", np.zeros(16_000, dtype=np.float32))
        assert loop.time() - begin == pytest.approx(0.98, abs=0.2)
        await client.send(UtteranceEnded(member="ann"))
        await server.main.until("end_utterance", ANN.key)
    assert len(server.main.frames) == 50


async def test_no_server_is_told_with_what_to_do() -> None:
    with pytest.raises(IntegrationError, match="voxelle run"):
        async with connect("ws://127.0.0.1:9", join=JOIN):
            pass


@pytest.mark.parametrize("url", ["", "localhost:7272", "ftp://localhost", "ws://"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ValidationError, match="no address"):
        full_address(url, JOIN)


async def test_something_that_is_no_voxelle_is_told() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    with pytest.raises(IntegrationError, match="HTTP 404"):
        async with connect(f"ws://127.0.0.1:{port}", join=JOIN):
            pass
    other.close()
    await other.wait_closed()


async def test_a_wrong_token_is_told() -> None:
    async with recording_server(trust=Trust(token="right-token")) as server:  # noqa: S106
        with pytest.raises(AuthenticationError, match=r"server\.token"):
            async with connect(server.ws, join=JOIN, token="wrong"):  # noqa: S106
                pass
        async with connect(server.ws, join=JOIN, token="right-token"):  # noqa: S106
            pass


async def test_a_refused_join_is_told_in_the_servers_words(server: RecordingServer) -> None:
    server.rooms.most = 0
    with pytest.raises(ValidationError, match="too many rooms"):
        async with connect(server.ws, join=JOIN):
            pass


async def test_a_server_that_stops_ends_the_iteration_with_an_error() -> None:
    async with recording_server() as server, connect(server.ws, join=JOIN) as client:
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(IntegrationError, match="1012"):
            await until(client, TurnStarted)
        with pytest.raises(IntegrationError):
            await client.send(Say(text="anybody?"))
        await stopping


async def test_a_restarted_server_is_joined_again_with_everybody() -> None:
    async with recording_server() as first:
        port = first.port
        async with connect(first.ws, join=JOIN, retry=SOON) as client:
            await client.send(MemberJoined(member=ANN))
            await first.main.until("enter", ANN.key, "Ann")
            await first.stop()
            await until_lost(client)
            waiting = asyncio.create_task(client.send(Say(text="I am back")))
            await client.send_audio("ann", bytes(640))  # worth nothing later: dropped at once
            async with recording_server(port=port) as second:
                await second.main.until("enter", ANN.key, "Ann")
                await until(client, RoomJoined)
                await waiting
                await second.main.until("say", "I am back")
                assert not second.main.frames
                second.main.tell(TurnStarted(turn=1, source="chat"))
                await until(client, TurnStarted)


async def test_a_server_that_comes_later_is_waited_for() -> None:
    async with recording_server() as server:
        port = server.port

    async def join() -> None:
        async with connect(f"ws://127.0.0.1:{port}", join=JOIN, retry=SOON) as client:
            await client.send(Say(text="at last"))

    joining = asyncio.create_task(join())
    await asyncio.sleep(0.1)
    async with recording_server(port=port) as server:
        await joining
        await server.main.until("say", "at last")


async def test_patience_has_an_end() -> None:
    retry = Retry(first_s=0.01, cap_s=0.02, give_up_s=0.1)
    with pytest.raises(IntegrationError):
        async with connect("ws://127.0.0.1:9", join=JOIN, retry=retry):
            pass


async def test_who_broke_the_rules_does_not_come_back() -> None:
    limits = Limits(mistakes=2)
    async with (
        recording_server(limits) as server,
        connect(server.ws, join=JOIN, retry=SOON) as client,
    ):
        for _ in range(2):
            await client.send(UtteranceEnded(member="nobody"))
        with pytest.raises(ValidationError, match="2 mistakes in a row"):
            await until(client, TurnStarted)


async def test_a_virtual_loudspeaker_plays_in_real_time_and_reports(
    server: RecordingServer,
) -> None:
    async with connect(server.ws, join=JOIN) as client:
        playout = Playout()
        heard: list[Samples] = []
        player = asyncio.create_task(run_loudspeaker(client, playout, heard.append))
        payload = np.full(14_400, 8_000, dtype="<i2").tobytes()
        server.main.tell(AudioSpoken(turn=1, rate=24_000, start=0.0, payload=payload))
        server.main.tell(AudioEnded(turn=1, seconds=0.6))
        begin = asyncio.get_running_loop().time()
        playout.take(await until(client, AudioSpoken))
        playout.take(await until(client, AudioEnded))
        await server.main.until("report", 1, 0.6, True)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(0.6, abs=0.2)
        player.cancel()
        await asyncio.wait([player])
    assert ("report", 1, 0.26, False) in server.main.told
    assert np.count_nonzero(np.concatenate(heard)) == 14_400
