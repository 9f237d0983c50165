"""Who is in a room."""

from __future__ import annotations

from voxelle.events import Member
from voxelle.utils.exceptions import ValidationError


class Members:
    """Everybody known in a room, bounded; who came or changed last is last."""

    def __init__(self, room: str, most: int) -> None:
        self._room = room
        self._most = most
        self._members: dict[tuple[str, str], Member] = {}

    @property
    def all(self) -> tuple[Member, ...]:
        """Everybody, oldest first."""
        return tuple(self._members.values())

    def enter(self, member: Member) -> Member | None:
        """Know a member, or their new name; give the one who had to be forgotten for it, if any."""
        self._members.pop(member.key, None)
        self._members[member.key] = member
        if len(self._members) <= self._most:
            return None
        return self._members.pop(next(iter(self._members)))

    def resize(self, most: int) -> None:
        """Know that many members at most, from the next one who comes."""
        self._most = most

    def leave(self, key: tuple[str, str]) -> None:
        """Forget a member; one who is not there is no fault."""
        self._members.pop(key, None)

    def known(self, key: tuple[str, str]) -> Member:
        """Give a member; raise `ValidationError` for somebody unknown."""
        member = self._members.get(key)
        if member is None:
            raise ValidationError(
                f"nobody with the id {key[1]!r} of {key[0]!r} is in room {self._room!r}: "
                "send member_joined first"
            )
        return member
