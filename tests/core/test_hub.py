"""Rooms come and go with their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from server_rooms import RecordingRooms
from voxelle.events import Subscribe, encode
from voxelle.server.events_socket import EventsSession
from voxelle.server.hub import Hub
from voxelle.server.limits import Limits

WAIT_S = Limits().empty_room_s


class Line:
    """A wire that remembers what was sent."""

    backlog = 0

    def __init__(self) -> None:
        self.on_message: Callable[[bytes], None] | None = None
        self.sent: list[bytes] = []

    def write(self, message: bytes, *, is_text: bool) -> None:
        self.sent.append(message)

    def cut(self, code: int, reason: str, within_s: float) -> None:
        self.sent.append(reason.encode())


@pytest.fixture
def rooms() -> RecordingRooms:
    return RecordingRooms(most=500)


@pytest.fixture
def hub(rooms: RecordingRooms) -> Hub:
    return Hub(rooms)


def reader(hub: Hub, *names: str) -> EventsSession:
    session = EventsSession(Line(), hub)
    session.open()
    for name in names:
        session.receive(encode(Subscribe(room=name, topics=frozenset({"state"}))))
    return session


async def test_a_room_that_nobody_is_in_is_closed_after_a_while(
    hub: Hub, rooms: RecordingRooms
) -> None:
    reader(hub, "den").close()
    await asyncio.sleep(WAIT_S - 1)
    assert "den" in rooms.rooms
    await asyncio.sleep(3)
    assert rooms.closed == ["den"]
    assert hub.desks == {}


async def test_who_comes_back_in_time_finds_the_same_room(hub: Hub, rooms: RecordingRooms) -> None:
    reader(hub, "den").close()
    room = rooms.rooms["den"]
    await asyncio.sleep(WAIT_S - 1)
    session = reader(hub, "den")
    await asyncio.sleep(2 * WAIT_S)
    assert rooms.rooms["den"] is room
    assert rooms.closed == []
    session.close()
    await asyncio.sleep(WAIT_S + 2)
    assert rooms.closed == ["den"]


async def test_who_comes_back_while_a_room_is_closed_gets_a_new_one(
    hub: Hub, rooms: RecordingRooms
) -> None:
    reader(hub, "den").close()
    old = rooms.rooms["den"]
    await asyncio.sleep(WAIT_S + 0.5)
    session = reader(hub, "den")
    await asyncio.sleep(5)
    assert rooms.rooms["den"] is not old
    assert session in rooms.rooms["den"].listeners
    assert old.listeners == []


async def test_the_main_room_stays(hub: Hub, rooms: RecordingRooms) -> None:
    reader(hub, "main").close()
    await asyncio.sleep(10 * WAIT_S)
    assert "main" in hub.desks
    assert rooms.closed == []


async def test_one_session_cannot_take_all_rooms(hub: Hub, rooms: RecordingRooms) -> None:
    line = Line()
    session = EventsSession(line, hub)
    session.open()
    for number in range(15):
        session.receive(encode(Subscribe(room=f"r{number}", topics=frozenset({"state"}))))
    assert len(rooms.rooms) == Limits().rooms
    assert b"too_many_rooms" in line.sent[-1]
    session.receive(encode(Subscribe(room="main", topics=frozenset({"state"}))))
    session.receive(encode(Subscribe(room="r0", topics=frozenset({"state"}))))
    assert session.desk is hub.desks["r0"]  # what is open may still be joined
    assert len(rooms.rooms) == Limits().rooms + 1
    await asyncio.sleep(WAIT_S + 2)
    assert set(rooms.rooms) == {"main", "r0"}


async def test_closing_waits_for_rooms_that_are_being_closed(
    hub: Hub, rooms: RecordingRooms
) -> None:
    reader(hub, "den").close()
    reader(hub, "attic")
    await asyncio.sleep(WAIT_S + 0.5)
    assert rooms.closed == []
    await hub.close()
    assert rooms.closed == ["den"]
    await asyncio.sleep(WAIT_S + 2)
    assert rooms.closed == ["den"]
