"""What requests and notices are made of."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
"""An id or a display name."""

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=4_000)]
"""Something somebody wrote."""

Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TurnNumber: TypeAlias = Annotated[int, Field(ge=0)]
"""Counts the turns of a room up from 1; a higher one always makes a lower one stale."""

Role: TypeAlias = Literal["owner", "moderator", "vip", "subscriber", "member", "bot"]
Source: TypeAlias = Literal["voice", "chat", "event", "direction", "idle"]
"""Where something that may deserve an answer came from."""

State: TypeAlias = Literal["idle", "listening", "thinking", "speaking", "silenced"]
"""What she is doing."""

MAX_PAYLOAD = 64_000
"""Bytes of sound in one message: two seconds of ear audio, far above the usual 20 ms."""


class Member(BaseModel):
    """Somebody in a room; who they are is told by platform and id, never by the name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Name
    id: Name
    name: Name
    """Display name, as the character says it."""

    roles: frozenset[Role] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        """The identity: platform and id."""
        return self.platform, self.id


class EventBase(BaseModel):
    """What every event has: a line of JSON, and perhaps a payload after it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payload: bytes = Field(default=b"", exclude=True, repr=False)


class NoticeBase(EventBase):
    """What everything that the core tells has in common."""

    # A newer core may tell more than this reader knows.
    model_config = ConfigDict(frozen=True, extra="ignore")
