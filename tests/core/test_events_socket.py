from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket

from server_rooms import RecordingServer, recording_server
from voxelle.events import (
    AudioReceived,
    AudioSpoken,
    ErrorReported,
    LatencyMeasured,
    Member,
    Notice,
    SetContext,
    Silence,
    StateChanged,
    Subscribe,
    TextShown,
    TurnStarted,
    decode_notice,
    encode,
)

pytestmark = pytest.mark.real_time

ANN = Member(platform="test", id="ann", name="Ann")
STATE = StateChanged(state="thinking", turn=1)
TURN = TurnStarted(turn=1, source="chat")
TIMES = LatencyMeasured(turn=1, stages={"first_audio": 0.4})


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[RecordingServer]:
    async with recording_server() as server:
        yield server


def events(server: RecordingServer) -> open_socket:
    return open_socket(f"{server.ws}/ws/events", proxy=None)


async def receive(socket: ClientConnection) -> Notice:
    async with asyncio.timeout(5):
        message = await socket.recv()
    assert isinstance(message, str)  # this socket speaks JSON only
    return decode_notice(message.encode())


async def subscribe(socket: ClientConnection, *topics: str, room: str = "main") -> None:
    request = Subscribe.model_validate({"topics": topics, "room": room})
    await socket.send(encode(request))
    assert (await receive(socket)).type == "room_joined"


async def test_nothing_is_told_before_a_subscription(server: RecordingServer) -> None:
    async with events(server) as socket:
        assert (await receive(socket)).type == "connection_established"
        room = server.hub.desk("main").room
        assert room is server.main
        server.main.tell(STATE)
        await socket.send(encode(Silence()))
        error = await receive(socket)
        assert isinstance(error, ErrorReported)  # and no state before it
        assert error.code == "not_subscribed"
        assert ("silence",) not in server.main.told


async def test_each_topic_brings_its_own_events_and_no_others(server: RecordingServer) -> None:
    async with events(server) as state, events(server) as talk, events(server) as times:
        for socket, topic in ((state, "state"), (talk, "conversation"), (times, "metrics")):
            await receive(socket)
            await subscribe(socket, topic)
        assert (await receive(state)).type == "state_changed"  # what she is doing now
        sound = AudioSpoken(turn=1, rate=24_000, start=0.0, payload=bytes(960))
        for notice in (STATE, sound, TURN, TIMES, TextShown(member=ANN, text="hi")):
            server.main.tell(notice)
        assert await receive(state) == STATE
        assert await receive(talk) == TURN
        assert await receive(talk) == TextShown(member=ANN, text="hi")
        assert await receive(times) == TIMES


async def test_a_new_subscription_replaces_the_old_one(server: RecordingServer) -> None:
    async with events(server) as socket:
        await receive(socket)
        await subscribe(socket, "metrics")
        await subscribe(socket, "conversation", room="other")
        server.main.tell(TIMES)
        server.rooms.room("other").tell(TURN)
        assert await receive(socket) == TURN
        assert len(server.main.listeners) == 1  # only the desk is left there


async def test_commands_need_their_topic(server: RecordingServer) -> None:
    async with events(server) as socket:
        await receive(socket)
        await subscribe(socket, "commands")
        for text in (
            '{"type":"silence"}',
            '{"type":"release"}',
            '{"type":"stop_speaking"}',
            '{"type":"say","text":"a"}',
            '{"type":"direct","text":"b"}',
            '{"type":"set_context","id":"game","name":"Game","text":"3 to 1"}',
            '{"type":"drop_context","id":"game"}',
        ):
            await socket.send(text)
        await server.main.until("drop_context", "game")
    assert server.main.told == [
        ("silence",),
        ("release",),
        ("stop",),
        ("say", "a"),
        ("direct", "b"),
        ("inform", SetContext(id="game", name="Game", text="3 to 1")),
        ("drop_context", "game"),
    ]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b'{"type": "subscribe", "topics": ["everything"]}', "invalid_message"),
        (b'{"type": "subscribe", "topics": ["state"]}\n1234', "unexpected_payload"),
        (encode(AudioReceived(member="ann", payload=bytes(640))), "unexpected_payload"),
        (b'{"type": "join_room", "platform": "x"}', "wrong_socket"),
        (b"{", "invalid_json"),
    ],
)
async def test_a_mistake_is_answered(server: RecordingServer, message: bytes, code: str) -> None:
    async with events(server) as socket:
        await receive(socket)
        await socket.send(message)
        error = await receive(socket)
        assert isinstance(error, ErrorReported)
        assert error.code == code
        await subscribe(socket, "state")
