"""What the sockets and the routes share: the rooms, and who is connected to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol

import structlog

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
from voxelle.server.encoder import NoticeEncoder
from voxelle.server.limits import Limits
from voxelle.server.rates import Sparing
from voxelle.utils.exceptions import ValidationError

log = structlog.get_logger(__name__)

MAIN = "main"
"""The room that is always there: commands over HTTP reach it even when nobody is in it."""

Key = tuple[str, str]
"""Who somebody is: platform and id."""


class Listener(Protocol):
    """Whoever is told what happens in a room."""

    plays_audio: bool

    def take(self, notice: Notice) -> None:
        """Get one notice; must neither wait nor raise."""
        ...


class Room(Protocol):
    """A room as the server uses it; the conversation package has the real one."""

    history: History
    """What was said here."""

    def enter(self, member: Member) -> None:
        """Let somebody in, or take their new name and roles."""
        ...

    def leave(self, key: Key) -> None:
        """Let somebody go."""
        ...

    def hear(self, key: Key, frame: AudioFrame) -> None:
        """Take the next sound of somebody who is here."""
        ...

    def end_utterance(self, key: Key) -> None:
        """Take it that somebody has finished speaking."""
        ...

    def read(self, member: Member, text: str) -> None:
        """Take what somebody wrote."""
        ...

    def happen(self, event: StreamEventReceived) -> None:
        """Take what happened on the stream."""
        ...

    def say(self, text: str) -> None:
        """Let her say exactly this."""
        ...

    def direct(self, text: str) -> None:
        """Give her a stage direction."""
        ...

    def inform(self, context: SetContext) -> None:
        """Let her know something besides what is said here."""
        ...

    def drop_context(self, context_id: str) -> None:
        """Let her forget that again."""
        ...

    def stop(self) -> None:
        """End this reply."""
        ...

    def silence(self) -> None:
        """Let her be silent until `release`."""
        ...

    def release(self) -> None:
        """Let her speak again."""
        ...

    def attach(self, listener: Listener) -> None:
        """Tell this listener what she is doing, and everything from now on."""
        ...

    def detach(self, listener: Listener) -> None:
        """Tell this listener nothing any more."""
        ...

    def report(self, listener: Listener, report: PlaybackReported) -> None:
        """Take how far a listener has played."""
        ...


class Rooms(Protocol):
    """All rooms of this process."""

    def room(self, name: str) -> Room:
        """Give a room, made when it is missing; raise `ValidationError` if there are too many."""
        ...

    async def close(self, name: str) -> None:
        """Close a room and forget it; from the first step on, `room` makes a new one."""
        ...


class Desk:
    """What the server keeps about one room; a listener itself, to know the room's state."""

    plays_audio = False

    def __init__(self, name: str, room: Room) -> None:
        self.name, self.room = name, room
        self.encoder = NoticeEncoder()
        self.state = StateChanged(state="idle")
        self.sessions = 0
        self.closing: asyncio.TimerHandle | None = None
        """Closes the room some time after its last session; None while there is one."""

        self._seats: Counter[Key] = Counter()

    def take(self, notice: Notice) -> None:
        """Remember the state."""
        if isinstance(notice, StateChanged):
            self.state = notice

    @property
    def members(self) -> int:
        """How many people are here."""
        return len(self._seats)

    def seat(self, member: Member, *, is_new: bool) -> None:
        """Let somebody in for one session, or tell the room their new name or roles."""
        self.room.enter(member)
        if is_new:
            self._seats[member.key] += 1

    def unseat(self, key: Key) -> None:
        """End one session's claim on somebody; with the last one they leave."""
        self._seats[key] -= 1
        if self._seats[key] <= 0:
            del self._seats[key]
            self.room.leave(key)


class Hub:
    """The desks of all rooms, and the number of open sessions.

    `character` is her name. A room that the last session has left is closed after
    `limits.empty_room_s`; whoever joins it before then finds it as it was. The main room stays.
    """

    def __init__(self, rooms: Rooms | None = None, limits: Limits | None = None) -> None:
        self.rooms = rooms
        """None while the server is still starting."""
        self.limits = limits or Limits()
        self.character = "Voxelle"
        self.sessions = 0
        self.desks: dict[str, Desk] = {}
        self.cuts = Sparing()
        """Notes the sessions that were cut."""

        self._closing: set[asyncio.Task[None]] = set()

    def desk(self, name: str) -> Desk:
        """Give the desk of a room, made when missing; `ValidationError` if there are too many."""
        desk = self.desks.get(name)
        if desk is None:
            if self.rooms is None:
                raise ValidationError("the server is still starting; try again in a moment")
            room = self.rooms.room(name)
            desk = self.desks[name] = Desk(name, room)
            room.attach(desk)
        return desk

    def enter(self, desk: Desk) -> None:
        """Count one more session in a room."""
        desk.sessions += 1
        if desk.closing is not None:
            desk.closing.cancel()
            desk.closing = None

    def leave(self, desk: Desk) -> None:
        """Count one session less; after the last one, the room is closed in a while."""
        desk.sessions -= 1
        if desk.sessions <= 0 and desk.name != MAIN and self.desks.get(desk.name) is desk:
            loop = asyncio.get_running_loop()
            desk.closing = loop.call_later(self.limits.empty_room_s, self._close_room, desk)

    async def close(self) -> None:
        """Stop listening to all rooms, and wait for those that are being closed."""
        for desk in self.desks.values():
            if desk.closing is not None:
                desk.closing.cancel()
            desk.room.detach(desk)
        self.desks.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _close_room(self, desk: Desk) -> None:
        task = asyncio.create_task(self._shut(desk), name=f"voxelle.close {desk.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _shut(self, desk: Desk) -> None:
        if desk.sessions or self.rooms is None or self.desks.get(desk.name) is not desk:
            return  # somebody has come in the meantime
        del self.desks[desk.name]
        desk.room.detach(desk)
        try:
            # Nothing else runs between the lines above and its first step, which forgets the room.
            await self.rooms.close(desk.name)
        except Exception:  # a room that cannot be closed is no reason to disturb the others
            log.exception("room.not_closed", room=desk.name)
        else:
            log.info("room.closed", room=desk.name)
