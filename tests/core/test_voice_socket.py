from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from server_rooms import RecordingServer, recording_server
from voxelle.events import (
    AudioEnded,
    AudioReceived,
    AudioSpoken,
    CaptionSpoken,
    ErrorReported,
    JoinRoom,
    Member,
    MemberJoined,
    MemberLeft,
    Notice,
    PlaybackReported,
    Release,
    Request,
    Say,
    Silence,
    StateChanged,
    StopSpeaking,
    StreamEventReceived,
    Subscribe,
    TextReceived,
    UtteranceEnded,
    Word,
    decode_notice,
    encode,
)
from voxelle.server.limits import Limits

pytestmark = pytest.mark.real_time

ANN = Member(platform="test", id="ann", name="Ann")
FRAME = np.full(320, 8192, dtype="<i2").tobytes()


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[RecordingServer]:
    async with recording_server() as server:
        yield server


def voice(server: RecordingServer) -> open_socket:
    return open_socket(f"{server.ws}/ws/voice", proxy=None, compression=None)


async def receive(socket: ClientConnection) -> Notice:
    async with asyncio.timeout(5):
        return decode_notice(await socket.recv(decode=False))


async def join(socket: ClientConnection, **more: object) -> None:
    assert (await receive(socket)).type == "connection_established"
    await socket.send(encode(JoinRoom.model_validate({"platform": "test", **more})), text=True)
    assert (await receive(socket)).type == "room_joined"
    assert (await receive(socket)).type == "state_changed"


async def told_error(socket: ClientConnection) -> ErrorReported:
    notice = await receive(socket)
    assert isinstance(notice, ErrorReported), notice
    return notice


async def test_a_session_is_greeted_joined_and_told_the_state(server: RecordingServer) -> None:
    async with voice(server) as socket:
        greeting = json.loads(await socket.recv())
        assert greeting["type"] == "connection_established"
        assert len(greeting["session_id"]) == 16
        await socket.send('{"type": "join_room", "platform": "test", "rate": 48000}')
        joined = json.loads(await socket.recv())
        assert (joined["room"], joined["character"], joined["rate"]) == ("main", "Voxelle", 48_000)
        state = json.loads(await socket.recv())
        assert (state["state"], state["detail"]) == ("idle", "offline demo mind")


async def test_every_request_reaches_the_room(server: RecordingServer) -> None:
    requests: list[Request] = [
        MemberJoined(member=ANN),
        AudioReceived(member="ann", payload=FRAME),
        UtteranceEnded(member="ann"),
        TextReceived(member=ANN, text="hello"),
        StreamEventReceived(event="raid", amount=12),
        PlaybackReported(turn=3, position=0.5),
        StopSpeaking(),
        Silence(),
        Release(),
        Say(text="my words"),
        MemberLeft(member="ann"),
    ]
    async with voice(server) as socket:
        await join(socket)
        for request in requests:
            await socket.send(encode(request))
        await server.main.until("leave", ANN.key)
    assert server.main.told == [
        ("enter", ANN.key, "Ann"),
        ("hear", ANN.key),
        ("end_utterance", ANN.key),
        ("read", "Ann", "hello"),
        ("happen", "raid"),
        ("report", 3, 0.5, False),
        ("stop",),
        ("silence",),
        ("release",),
        ("say", "my words"),
        ("leave", ANN.key),
    ]


async def test_sound_arrives_as_float_frames_on_the_apps_clock(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        await socket.send(encode(AudioReceived(member="ann", payload=FRAME)))
        await socket.send(encode(AudioReceived(member="ann", payload=FRAME)))
        await socket.send(encode(AudioReceived(member="ann", start=9.0, payload=FRAME)))
        await socket.send(encode(UtteranceEnded(member="ann")))
        await server.main.until("end_utterance", ANN.key)
    frames = [frame for _, frame in server.main.frames if frame.samples.any()]
    assert [frame.start for frame in frames] == pytest.approx([0.0, 0.02, 9.0])
    assert all(frame.rate == 16_000 and frame.samples.dtype == np.float32 for frame in frames)
    assert np.allclose(frames[0].samples, 0.25)


@pytest.mark.parametrize(
    ("starts", "heard"),
    [
        ((7.0, 7.02), [(7.0, 0.02), (7.02, 0.02)]),  # the app's clock may begin anywhere
        ((0.0, 0.1), [(0.0, 0.02), (0.1, 0.02)]),  # a jitter is no silence
        ((0.0, 0.82), [(0.0, 0.02), (0.02, 0.8), (0.82, 0.02)]),
        ((0.0, 60.0), [(0.0, 0.02), (58.5, 1.5), (60.0, 0.02)]),  # enough to end anything
        ((5.0, 1.0, 5.04), [(5.0, 0.02), (5.02, 0.02), (5.04, 0.02)]),  # time does not go back
    ],
)
async def test_a_jump_of_the_apps_clock_is_silence(
    server: RecordingServer, starts: tuple[float, ...], heard: list[tuple[float, float]]
) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        for start in starts:
            await socket.send(encode(AudioReceived(member="ann", start=start, payload=FRAME)))
        await socket.send(encode(UtteranceEnded(member="ann")))
        await server.main.until("end_utterance", ANN.key)
    frames = [frame for _, frame in server.main.frames]
    # What passed on the real clock between two messages is not told a second time.
    assert [frame.start for frame in frames] == pytest.approx([h[0] for h in heard], abs=0.05)
    assert [frame.seconds for frame in frames] == pytest.approx([h[1] for h in heard], abs=0.05)
    assert sum(frame.samples.any() for frame in frames) == len(starts)


async def test_silence_that_passed_on_the_real_clock_is_not_told_twice(
    server: RecordingServer,
) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        await socket.send(encode(AudioReceived(member="ann", start=0.0, payload=FRAME)))
        await server.main.until("hear", ANN.key)
        await asyncio.sleep(0.3)
        await socket.send(encode(AudioReceived(member="ann", start=0.32, payload=FRAME)))
        await socket.send(encode(UtteranceEnded(member="ann")))
        await server.main.until("end_utterance", ANN.key)
    assert len(server.main.frames) == 2


async def test_silence_counts_as_sound_that_was_sent(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        for number in range(20):
            request = AudioReceived(member="ann", start=10.0 * number, payload=FRAME)
            await socket.send(encode(request))
        assert (await told_error(socket)).code == "too_fast"
    assert sum(frame.seconds for _, frame in server.main.frames) < 12


async def test_a_binary_message_of_json_alone_is_read_too(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(b'{"type": "say", "text": "hi"}\n')
        await server.main.until("say", "hi")


async def test_who_leaves_without_goodbye_takes_their_people_along(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        await server.main.until("enter", ANN.key, "Ann")
        socket.transport.abort()
        await server.main.until("leave", ANN.key)
    await server.main.until_listeners(0)
    assert server.hub.sessions == 0


async def test_somebody_in_two_sessions_stays_until_the_last_one_ends(
    server: RecordingServer,
) -> None:
    async with voice(server) as first:
        await join(first)
        await first.send(encode(MemberJoined(member=ANN)))
        await server.main.until("enter", ANN.key, "Ann")
        async with voice(server) as second:
            await join(second)
            await second.send(encode(MemberJoined(member=ANN)))
            await second.send(encode(Say(text="both")))
            await server.main.until("say", "both")
        await server.main.until_listeners(1)
        assert ("leave", ANN.key) not in server.main.told
    await server.main.until("leave", ANN.key)


async def test_notices_come_as_text_and_sound_as_binary(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        caption = CaptionSpoken(turn=1, line=0, words=(Word(text="Hi", start=0.0),))
        sound = AudioSpoken(turn=1, rate=24_000, start=0.5, payload=FRAME)
        server.main.tell(caption)
        server.main.tell(sound)
        assert json.loads(await socket.recv())["words"] == [{"text": "Hi", "start": 0.0}]
        assert await receive(socket) == sound


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
async def test_her_voice_comes_whole_at_the_rate_that_was_asked_for(
    server: RecordingServer, rate: int
) -> None:
    times = np.arange(24_000) / 24_000
    tone = (8_000 * np.sin(2 * np.pi * 440 * times)).astype("<i2")
    async with voice(server) as socket:
        await join(socket, rate=rate)
        for start in range(0, 24_000, 480):
            payload = tone[start : start + 480].tobytes()
            spoken = AudioSpoken(turn=1, rate=24_000, start=start / 24_000, payload=payload)
            server.main.tell(spoken)
        server.main.tell(AudioEnded(turn=1, seconds=1.0))
        parts: list[bytes] = []
        while isinstance(notice := await receive(socket), AudioSpoken):
            assert notice.rate == rate
            assert notice.start == pytest.approx(sum(map(len, parts)) / 2 / rate)
            parts.append(notice.payload)
        assert isinstance(notice, AudioEnded)
    heard = np.frombuffer(b"".join(parts), dtype="<i2").astype(float)
    assert len(heard) == pytest.approx(rate, abs=2)
    expected = 8_000 * np.sin(2 * np.pi * 440 * np.arange(len(heard)) / rate)
    middle = slice(rate // 10, -rate // 10)
    assert np.abs(heard - expected)[middle].max() < 100


BAD: dict[str, tuple[bytes, str]] = {
    "no json": (b"hello", "invalid_json"),
    "broken utf-8": (b"\xff\xfe{}", "invalid_json"),
    "an empty message": (b"", "invalid_json"),
    "a list": (b"[1]", "invalid_message"),
    "no type": (b"{}", "unknown_type"),
    "an unknown type": (b'{"type": "dance"}', "unknown_type"),
    "a notice": (b'{"type": "turn_started"}', "unknown_type"),
    "an unknown key": (b'{"type": "silence", "now": 1}', "invalid_message"),
    "NaN": (b'{"type": "playback_reported", "turn": 1, "position": NaN}', "invalid_message"),
    "infinity": (
        b'{"type": "playback_reported", "turn": 1, "position": Infinity}',
        "invalid_message",
    ),
    "a negative turn": (b'{"type":"playback_reported","turn":-1,"position":0}', "invalid_message"),
    "a payload in the json": (b'{"type": "silence", "payload": "x"}', "invalid_message"),
    "a text that is too long": (
        json.dumps({"type": "say", "text": "x" * 4_001}).encode(),
        "invalid_message",
    ),
    "a line that is too long": (b" " * 70_000 + b"{}", "too_long"),
    "somebody unknown": (encode(UtteranceEnded(member="zoe")), "unknown_member"),
    "half a sample": (encode(AudioReceived(member="ann", payload=FRAME[:-1])), "bad_audio"),
    "no sound": (encode(AudioReceived(member="ann")), "bad_audio"),
    "a flood in one message": (
        encode(AudioReceived(member="ann", payload=bytes(64_002))),
        "too_much_audio",
    ),
    "bytes after a command": (encode(Silence()) + b"\nxx", "unexpected_payload"),
    "a second join": (encode(JoinRoom(platform="test")), "already_joined"),
    "another platform": (
        encode(MemberJoined(member=Member(platform="evil", id="a", name="A"))),
        "wrong_platform",
    ),
    "another socket's request": (encode(Subscribe(topics=frozenset())), "wrong_socket"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_mistake_is_answered_and_disturbs_nobody(
    server: RecordingServer, what: str
) -> None:
    message, code = BAD[what]
    async with voice(server) as socket, voice(server) as other:
        await join(socket)
        await join(other)
        await socket.send(encode(MemberJoined(member=ANN)))
        await socket.send(message)
        error = await told_error(socket)
        assert error.code == code
        assert len(error.message) > 20
        await socket.send(encode(Say(text="still here")))
        await server.main.until("say", "still here")
        server.main.tell(StateChanged(state="thinking"))
        assert (await receive(other)).type == "state_changed"


async def test_sound_before_joining_is_refused(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await receive(socket)
        await socket.send(encode(AudioReceived(member="ann", payload=FRAME)))
        assert (await told_error(socket)).code == "not_joined"


async def test_too_many_rooms_are_refused_with_the_rooms_own_words(server: RecordingServer) -> None:
    server.rooms.most = 0
    async with voice(server) as socket:
        await receive(socket)
        await socket.send(encode(JoinRoom(platform="test")))
        assert "too many rooms" in (await told_error(socket)).message


async def test_a_message_of_ten_megabytes_closes_only_its_own_session(
    server: RecordingServer,
) -> None:
    async with voice(server) as socket, voice(server) as other:
        await join(socket)
        await join(other)
        with pytest.raises(ConnectionClosed):
            await socket.send(bytes(10_000_000))
            await receive(socket)
        assert socket.close_code == 1009
        await other.send(encode(Say(text="undisturbed")))
        await server.main.until("say", "undisturbed")


async def test_mistake_after_mistake_ends_the_session_with_a_sentence() -> None:
    async with recording_server(Limits(mistakes=5, errors_per_s=1.0)) as server:
        async with voice(server) as socket:
            await join(socket)
            for _ in range(9):
                await socket.send(b"nonsense")
            errors = 0
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    await told_error(socket)
                    errors += 1
            assert errors == 2  # the rest of them were not worth an answer
            closing = caught.value.rcvd
            assert closing is not None
            assert closing.code == 1007
            assert "5 mistakes in a row" in closing.reason
        await server.main.until_listeners(0)


async def test_a_recording_sent_at_once_is_bounded_and_said_so(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        await socket.send(encode(MemberJoined(member=ANN)))
        for _ in range(40):  # 40 s
            await socket.send(encode(AudioReceived(member="ann", payload=bytes(32_000))))
        assert (await told_error(socket)).code == "too_fast"
        await socket.send(encode(Say(text="after")))
        await server.main.until("say", "after")
    assert 10 <= sum(frame.seconds for _, frame in server.main.frames) <= 15


async def test_more_people_than_allowed_are_refused() -> None:
    async with recording_server(Limits(members=2)) as server, voice(server) as socket:
        await join(socket)
        for name in "abc":
            member = Member(platform="test", id=name, name=name)
            await socket.send(encode(MemberJoined(member=member)))
        assert (await told_error(socket)).code == "too_many_members"


async def test_more_sessions_than_allowed_are_told_to_come_later() -> None:
    async with recording_server(Limits(sessions=1)) as server, voice(server) as first:
        await join(first)
        async with voice(server) as second:
            await receive(second)
            assert (await told_error(second)).code == "too_many_sessions"
            with pytest.raises(ConnectionClosed):
                await receive(second)
            assert second.close_code == 1013
        await first.send(encode(Say(text="fine")))
        await server.main.until("say", "fine")


async def test_who_joins_nothing_is_cut() -> None:
    async with recording_server(Limits(first_message_s=0.1)) as server, voice(server) as socket:
        await receive(socket)
        with pytest.raises(ConnectionClosed) as caught:
            await receive(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert "join_room" in caught.value.rcvd.reason


async def test_a_reader_that_does_not_read_is_cut_and_the_others_hear_on(
    server: RecordingServer,
) -> None:
    async with voice(server) as slow, voice(server) as quick:
        await join(slow)
        await join(quick)
        slow.transport.pause_reading()
        heard, told = 0, 0
        await server.main.until_listeners(2)
        while len(server.main.listeners) == 3:  # the desk, and both of them
            told += 1
            assert told < 2_000
            spoken = AudioSpoken(turn=1, rate=24_000, start=told * 0.1, payload=bytes(4_800))
            server.main.tell(spoken)
            assert isinstance(await receive(quick), AudioSpoken)
            heard += 1
        assert heard == told
        slow.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            while True:
                await receive(slow)
        assert server.hub.sessions == 1


async def test_a_failure_of_ours_is_told_without_its_inside(server: RecordingServer) -> None:
    async with voice(server) as socket:
        await join(socket)
        server.main.is_broken = True
        await socket.send(encode(Silence()))
        error = await told_error(socket)
        assert error.code == "internal"
        assert error.reference
        assert "sk-123" not in error.message
        server.main.is_broken = False
        await socket.send(encode(Silence()))
        await server.main.until("silence")


async def test_a_stop_of_the_server_closes_with_a_code_that_means_restart() -> None:
    async with recording_server() as server:
        socket = await voice(server)
        await join(socket)
    with pytest.raises(ConnectionClosed):
        await receive(socket)
    assert socket.close_code == 1012
