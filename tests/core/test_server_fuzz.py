"""Whatever is sent, the server stands, answers or closes, and others are not disturbed."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from server_rooms import RecordingServer, recording_server
from voxelle.client import connect
from voxelle.events import JoinRoom, Say, decode_notice
from voxelle.server.limits import Limits

pytestmark = pytest.mark.real_time

TYPES = [
    "join_room",
    "member_joined",
    "member_left",
    "audio_received",
    "utterance_ended",
    "text_received",
    "stream_event_received",
    "playback_reported",
    "stop_speaking",
    "silence",
    "release",
    "say",
    "direct",
    "subscribe",
    "audio_spoken",
    "nonsense",
]
NAMES = st.sampled_from(["ann", "test", "", "x" * 200, "\ud800", "a\nb", "main"])
MEMBER = st.fixed_dictionaries({"platform": NAMES, "id": NAMES, "name": NAMES})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-10, 10**12),
    NAMES,
    MEMBER,
    st.lists(st.sampled_from(["state", "commands", "conversation", "?"]), max_size=3),
)
KEYS = st.sampled_from(
    ["room", "platform", "member", "text", "turn", "position", "start", "rate", "topics", "payload"]
)
EVENTS = st.builds(
    lambda kind, rest: json.dumps({"type": kind, **rest}).encode(),
    st.sampled_from(TYPES),
    st.dictionaries(KEYS, VALUES, max_size=4),
)
MESSAGES = st.one_of(
    EVENTS,
    st.builds(lambda event, sound: event + b"\n" + sound, EVENTS, st.binary(max_size=700)),
    st.binary(max_size=200),
)
GOOD_START = {
    "/ws/voice": [
        b'{"type": "join_room", "platform": "test"}',
        b'{"type":"member_joined","member":{"platform":"test","id":"ann","name":"Ann"}}',
    ],
    "/ws/events": [b'{"type": "subscribe", "topics": ["state", "commands"]}'],
}


def check_goodbye(closed: ConnectionClosed) -> None:
    assert closed.rcvd is not None, "the server has dropped the connection without a word"
    assert closed.rcvd.code in (1007, 1008)
    assert closed.rcvd.reason


async def pour(server: RecordingServer, path: str, messages: list[bytes], is_joined: bool) -> None:
    """Send everything, and see to it that the server answers a ping or closes in order."""
    try:
        async with open_socket(server.ws + path, proxy=None) as socket:
            for message in [*(GOOD_START[path] if is_joined else []), *messages]:
                await socket.send(message)
            await (await socket.ping())
            while True:
                async with asyncio.timeout(0.01):
                    decode_notice(await socket.recv(decode=False))
    except TimeoutError:
        pass
    except ConnectionClosed as closed:
        check_goodbye(closed)


@pytest.mark.parametrize("path", GOOD_START)
def test_nothing_that_is_sent_disturbs_the_server_or_anybody_else(path: str) -> None:
    with asyncio.Runner() as runner:
        stack = recording_server(Limits(mistakes=10))
        server = runner.run(stack.__aenter__())
        other = connect(server.ws, join=JoinRoom(platform="other"))
        client = runner.run(other.__aenter__())
        seen = 0

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(messages=st.lists(MESSAGES, max_size=15), is_joined=st.booleans())
        def run(messages: list[bytes], is_joined: bool) -> None:
            nonlocal seen
            seen += 1
            runner.run(pour(server, path, messages, is_joined))
            runner.run(client.send(Say(text=f"undisturbed {seen}")))
            runner.run(server.main.until("say", f"undisturbed {seen}"))

        run()
        runner.run(server.main.until_listeners(1))
        assert server.hub.sessions == 1
        runner.run(other.__aexit__(None, None, None))
        runner.run(stack.__aexit__(None, None, None))
