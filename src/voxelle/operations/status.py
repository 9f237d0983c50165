"""How an operation is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "degraded", "down"]
"""Ok: the first choice works. Degraded: it failed, or a fallback answers. Down: nothing answers."""


@dataclass(frozen=True, slots=True)
class Status:
    """How an operation is doing, for pages and metrics."""

    operation: str

    name: str
    """The provider that would be asked now; `none` before one is open."""

    state: State

    error: str = ""
    """The last failure in one sentence; empty while all is well."""

    since: float = 0.0
    """The loop's time, in seconds, at which this state began."""
