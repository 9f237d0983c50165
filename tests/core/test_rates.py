"""How often something may happen, and may be written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from structlog.testing import capture_logs

from server_rooms import RecordingRooms
from voxelle.server.events_socket import EventsSession
from voxelle.server.hub import Hub
from voxelle.server.rates import Sparing


async def test_of_a_flood_of_messages_a_few_are_written_and_the_rest_is_counted() -> None:
    written: list[dict[str, Any]] = []

    def write(event: str, **facts: Any) -> None:
        written.append({"event": event, **facts})

    sparing = Sparing(rate=1.0, burst=3.0)
    for number in range(100):
        sparing.tell(write, "cut", number=number)
    await asyncio.sleep(1.0)
    sparing.tell(write, "cut", number=100)
    await asyncio.sleep(1.0)
    sparing.tell(write, "cut", number=101)
    assert written == [
        {"event": "cut", "number": 0},
        {"event": "cut", "number": 1},
        {"event": "cut", "number": 2},
        {"event": "cut", "number": 100, "left_out": 97},
        {"event": "cut", "number": 101},
    ]


class Stuck:
    """A wire to a client that reads nothing."""

    backlog = 1_000_000

    def __init__(self) -> None:
        self.on_message: Callable[[bytes], None] | None = None

    def write(self, message: bytes, *, is_text: bool) -> None:
        raise AssertionError(message)

    def cut(self, code: int, reason: str, within_s: float) -> None:
        assert code == 1013


async def test_a_flood_of_clients_that_do_not_read_writes_few_lines() -> None:
    hub = Hub(RecordingRooms())
    with capture_logs() as logs:
        for _ in range(500):
            session = EventsSession(Stuck(), hub)
            session.open()
            session.close()
    assert 1 <= len(logs) <= 20
    assert {entry["event"] for entry in logs} == {"session.cut"}
