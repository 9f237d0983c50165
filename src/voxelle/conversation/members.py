"""Who is in a room."""

from __future__ import annotations

from voxelle.events import Member
from voxelle.utils.exceptions import ValidationError


class Members:
    """Everybody known in a room: those who take part, and those who only wrote something.

    Both are bounded, each for itself, so that a busy chat pushes nobody out of the conversation.
    """

    def __init__(self, room: str, most: int) -> None:
        self._room = room
        self._most = most
        self._seated: dict[tuple[str, str], Member] = {}
        self._writers: dict[tuple[str, str], Member] = {}

    @property
    def all(self) -> tuple[Member, ...]:
        """Everybody; those who take part come last, and of them who came or changed last."""
        return (*self._writers.values(), *self._seated.values())

    def resize(self, most: int) -> None:
        """Know that many members at most, from the next one who comes."""
        self._most = most

    def enter(self, member: Member) -> Member | None:
        """Seat a member, or know their new name; give who had to be forgotten for it, if any."""
        self._writers.pop(member.key, None)
        return self._put(self._seated, member)

    def mention(self, member: Member) -> None:
        """Know who wrote something or did something on the stream."""
        if member.key in self._seated:
            self._seated[member.key] = member
        else:
            self._put(self._writers, member)

    def leave(self, key: tuple[str, str]) -> None:
        """Forget a member; one who is not there is no fault."""
        self._seated.pop(key, None)
        self._writers.pop(key, None)

    def known(self, key: tuple[str, str]) -> Member:
        """Give a member who takes part; raise `ValidationError` for anybody else."""
        member = self._seated.get(key)
        if member is None:
            raise ValidationError(
                f"nobody with the id {key[1]!r} of {key[0]!r} is in room {self._room!r}: "
                "send member_joined first"
            )
        return member

    def _put(self, members: dict[tuple[str, str], Member], member: Member) -> Member | None:
        members.pop(member.key, None)
        members[member.key] = member
        if len(members) <= self._most:
            return None
        return members.pop(next(iter(members)))
