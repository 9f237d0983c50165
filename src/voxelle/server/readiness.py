"""What works and what does not, for `/ready`, the log and the people."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Readiness:
    """Which operations are open."""

    has_rooms: bool = False
    """Whether the rooms run."""

    operations: dict[str, str] = field(default_factory=dict[str, str])
    """Names of the providers in use by operation, such as `{"tts": "espeak"}`."""

    missing: dict[str, str] = field(default_factory=lambda: {"start": "it is still starting"})
    """What does not work by operation, each with a sentence that says why and how to mend it."""

    notes: list[str] = field(default_factory=list[str])
    """What works but a person should know, such as that the mind is a demo."""

    @property
    def is_ready(self) -> bool:
        """Whether everything works."""
        return self.has_rooms and not self.missing

    @property
    def detail(self) -> str:
        """All in one line, for a person; empty if there is nothing to say."""
        return "; ".join([*(f"{what}: {why}" for what, why in self.missing.items()), *self.notes])
