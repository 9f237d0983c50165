"""Rooms that only remember what they were told, and a server on a real port around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from voxelle.audio import AudioFrame
from voxelle.conversation.history import History
from voxelle.events import (
    Member,
    Notice,
    PlaybackReported,
    SetContext,
    StateChanged,
    StreamEventReceived,
)
from voxelle.server.guard import Trust
from voxelle.server.http import make_app
from voxelle.server.hub import Hub, Key, Listener
from voxelle.server.limits import Limits
from voxelle.server.listen import Server, open_port, serving
from voxelle.server.readiness import Readiness
from voxelle.utils.exceptions import ValidationError


class RecordingRoom:
    """A room with the face of the real one."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.frames: list[tuple[Key, AudioFrame]] = []
        self.listeners: list[Listener] = []
        self.news = asyncio.Event()
        self.is_broken = False
        self.history = History(100)

    def _note(self, *what: Any) -> None:
        if self.is_broken:
            raise RuntimeError("secret sk-123 in /home/me")
        self.told.append(what)
        self.news.set()

    def enter(self, member: Member) -> None:
        self._note("enter", member.key, member.name)

    def leave(self, key: Key) -> None:
        self._note("leave", key)

    def hear(self, key: Key, frame: AudioFrame) -> None:
        self.frames.append((key, frame))
        self._note("hear", key)

    def end_utterance(self, key: Key) -> None:
        self._note("end_utterance", key)

    def read(self, member: Member, text: str) -> None:
        self._note("read", member.name, text)

    def happen(self, event: StreamEventReceived) -> None:
        self._note("happen", event.event)

    def say(self, text: str) -> None:
        self._note("say", text)

    def direct(self, text: str) -> None:
        self._note("direct", text)

    def inform(self, context: SetContext) -> None:
        self._note("inform", context)

    def drop_context(self, context_id: str) -> None:
        self._note("drop_context", context_id)

    def stop(self) -> None:
        self._note("stop")

    def silence(self) -> None:
        self._note("silence")

    def release(self) -> None:
        self._note("release")

    def attach(self, listener: Listener) -> None:
        self.listeners.append(listener)
        listener.take(StateChanged(state="idle", detail="offline demo mind"))
        self.news.set()

    def detach(self, listener: Listener) -> None:
        self.listeners.remove(listener)
        self.news.set()

    def report(self, listener: Listener, report: PlaybackReported) -> None:
        assert listener in self.listeners
        self._note("report", report.turn, report.position, report.is_done)

    def tell(self, notice: Notice) -> None:
        for listener in self.listeners:
            listener.take(notice)

    async def until(self, *what: Any) -> None:
        """Wait until the room was told this."""
        async with asyncio.timeout(5):
            while what not in self.told:
                self.news.clear()
                await self.news.wait()

    async def until_listeners(self, count: int) -> None:
        """Wait until so many listen, the server's own desk not counted."""
        async with asyncio.timeout(5):
            while len(self.listeners) - 1 != count:
                self.news.clear()
                await self.news.wait()


class RecordingRooms:
    """At most `most` rooms."""

    def __init__(self, most: int = 4) -> None:
        self.rooms: dict[str, RecordingRoom] = {}
        self.closed: list[str] = []
        self.most = most

    def room(self, name: str) -> RecordingRoom:
        if name not in self.rooms and len(self.rooms) >= self.most:
            raise ValidationError("there are too many rooms; use one of the open ones")
        return self.rooms.setdefault(name, RecordingRoom())

    async def close(self, name: str) -> None:
        self.rooms.pop(name, None)
        await asyncio.sleep(1)  # a real room has much to close
        self.closed.append(name)


class RecordingServer:
    """A running server and what is behind it."""

    def __init__(self, rooms: RecordingRooms, hub: Hub, readiness: Readiness, port: int) -> None:
        self.rooms, self.hub, self.readiness, self.port = rooms, hub, readiness, port
        self.server: Server | None = None
        self.is_stopped = asyncio.Event()

    async def stop(self) -> None:
        """Stop now, and return when the port is free."""
        assert self.server is not None
        self.server.should_exit = True
        await self.is_stopped.wait()

    @property
    def main(self) -> RecordingRoom:
        return self.rooms.room("main")

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@asynccontextmanager
async def recording_server(
    limits: Limits | None = None, trust: Trust | None = None, port: int = 0
) -> AsyncGenerator[RecordingServer]:
    """Serve recording rooms on a port of 127.0.0.1."""
    rooms, readiness = RecordingRooms(), Readiness(has_rooms=True, missing={})
    hub = Hub(rooms, limits)
    listener = open_port("127.0.0.1", port)
    server = RecordingServer(rooms, hub, readiness, listener.getsockname()[1])
    app = make_app(hub, readiness, trust or Trust())
    async with serving(app, listener, hub.limits, on_stop=server.is_stopped.set) as running:
        server.server = running
        yield server
