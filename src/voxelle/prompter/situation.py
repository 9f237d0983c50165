"""The moment at which she is to say something: what was said, who is there, what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from voxelle.events import Member, StreamEventReceived
from voxelle.messages import Kind


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was said, written or that happened, as it was received."""

    kind: Kind

    text: str
    """The bare words; of her own remarks only those that were heard. Not yet cleaned."""

    at: datetime
    member: Member | None = None
    """Who said it; None for herself, the operator and what nobody in particular did."""

    is_own: bool = False
    """Whether she said it herself."""

    facts: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    """What is known about an event: type, user, amount, text."""


@dataclass(frozen=True, slots=True)
class Context:
    """Something she should know now: what a game tells, a memory, a note by the operator."""

    id: str
    name: str
    """The heading under which she sees it."""

    description: str
    """What it is for, told to people in the dashboard; she does not see it."""

    text: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that changes from turn to turn."""

    remarks: Sequence[Remark]
    """Oldest first; the last ones are to be answered."""

    now: datetime
    """The local time where the stream is made."""

    members: Sequence[Member] = ()
    contexts: Sequence[Context] = ()
    """Oldest first; when they are too long together, the oldest are left out."""


def event_facts(event: StreamEventReceived) -> dict[str, str | int]:
    """Tell what is known about a stream event, in the form of `Remark.facts`."""
    facts: dict[str, str | int] = {"type": event.event}
    if event.member is not None:
        facts["user"] = event.member.name
    if event.amount:
        facts["amount"] = event.amount
    if event.text:
        facts["text"] = event.text
    return facts
