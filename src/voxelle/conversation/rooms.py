"""All rooms of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from voxelle.conversation.cast import Cast
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.room import Room
from voxelle.conversation.settings import ConversationSettings
from voxelle.utils.exceptions import ValidationError

LONGEST_NAME = 100
"""Characters in the name of a room: as many as the protocol allows."""


class Rooms:
    """Makes rooms when they are asked for, and closes them; all share one cast and one clock."""

    def __init__(self, cast: Cast, settings: ConversationSettings) -> None:
        self._cast = cast
        self._settings = settings
        self._clock = OutputClock()
        self._rooms: dict[str, Room] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(room.close() for room in self._rooms.values()))
        self._rooms.clear()
        self._clock.close()

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def room(self, name: str) -> Room:
        """Give the room of that name, made when it is missing.

        Raises `ValidationError` for a name that is none, and when there are too many rooms.
        """
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValidationError(f"a room's name has 1 to {LONGEST_NAME} characters")
        if name not in self._rooms:
            if len(self._rooms) >= self._settings.most_rooms:
                raise ValidationError(
                    f"there are {len(self._rooms)} rooms already; raise conversation.most_rooms "
                    "in the config to allow more"
                )
            self._rooms[name] = Room(name, self._cast, self._settings, self._clock)
        return self._rooms[name]

    def find(self, name: str) -> Room | None:
        """Give the room of that name if there is one."""
        return self._rooms.get(name)

    async def close(self, name: str) -> None:
        """Close a room and forget what was said in it; one that is not there is no fault."""
        if room := self._rooms.pop(name, None):
            await room.close()

    def resettle(self, settings: ConversationSettings) -> None:
        """Follow other settings in every room; what is under way ends as it began."""
        self._settings = settings
        for room in self._rooms.values():
            room.resettle(settings)

    def refresh(self) -> None:
        """Tell in every room what is to be said about who performs, if that has changed."""
        for room in self._rooms.values():
            room.refresh()

    def recast(self, cast: Cast) -> None:
        """Let another cast perform in every room, from the next turn on."""
        self._cast = cast
        for room in self._rooms.values():
            room.recast(cast)
