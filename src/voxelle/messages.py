"""What a language model is told and what it may use: messages and tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "instructions",  # who she is and how she speaks; always a system message
    "said",  # spoken words, heard by an ear or spoken by her
    "wrote",  # chat text
    "event",  # something happened on the stream: a raid, a subscription ...
    "direction",  # a stage direction by the operator: do this now
    "idle",  # nobody spoke for a while: say something by yourself
]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said, as the language model gets to see it."""

    role: Literal["system", "user", "assistant"]

    text: str
    """All that a language model needs: the speaker's name is already in it where it matters."""

    kind: Kind = "said"

    speaker: str = ""
    """Display name of who said it; the character's name in the instructions and in her replies."""

    words: str = ""
    """The bare words that were said or written, without name or decoration."""

    facts: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    """What is known about an event, such as `{"type": "raid", "user": "ann", "amount": 12}`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the language model may ask for while it answers."""

    name: str
    description: str

    parameters: Mapping[str, object]
    """JSON schema of the arguments, an object schema."""

    call: Callable[[Mapping[str, object]], Awaitable[str]]
    """Does it, and tells the model the outcome in words; may be cancelled with the turn."""
