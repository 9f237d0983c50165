"""What works and what does not, for `/ready`, the log and the people."""

from __future__ import annotations

from dataclasses import dataclass, field

from voxelle.operations.status import Status
from voxelle.utils.secrets import redact

DETAIL_CHARS = 200
"""Characters of `Readiness.detail`: one line of a status bar; it goes into every state."""

_SENTENCE_CHARS = 4_000
"""Characters of one error in `/ready`: as many as a report about the config has."""

_REST = "... (/ready has the rest)"


@dataclass(slots=True)
class Readiness:
    """Which operations are open."""

    has_rooms: bool = False
    """Whether the rooms run."""

    operations: dict[str, str] = field(default_factory=dict[str, str])
    """Names of the providers in use by operation, such as `{"tts": "espeak"}`."""

    missing: dict[str, str] = field(default_factory=dict[str, str])
    """What does not work, each with a sentence that says why and how to mend it."""

    notes: dict[str, str] = field(default_factory=dict[str, str])
    """What works but a person should know, such as that the mind is a demo."""

    @property
    def is_ready(self) -> bool:
        """Whether everything works."""
        return self.has_rooms and not self.missing

    @property
    def detail(self) -> str:
        """All in one short line, for a person; empty if there is nothing to say.

        It has `DETAIL_CHARS` characters at most. What is wrong with the config comes last,
        because that is the longest; `/ready` and the log have all of it.
        """
        told = [f"{what}: {why}" for what, why in self.missing.items()]
        names = sorted(self.notes, key=lambda name: name == "config")
        told += [self.notes[name] for name in names]
        text = " ".join("; ".join(told).split())
        if len(text) > DETAIL_CHARS:
            text = text[: DETAIL_CHARS - len(_REST)].rstrip() + _REST
        return text

    def take(self, status: Status) -> None:
        """Take note of how an operation is doing."""
        what = status.operation
        self.operations[what] = status.name
        self.missing.pop(what, None)
        self.notes.pop(what, None)
        if status.state == "down":
            self.missing[what] = sentence(status.error) or "nothing is in use"
        elif what == "t2t" and status.name == "offline":
            self.notes[what] = (
                "offline demo mind; connect a language model: see .env.example and --config openai"
            )
            if status.error:
                self.notes[what] += f" (the other one failed: {sentence(status.error)})"
        elif status.state == "degraded":
            self.notes[what] = f"{what} is answered by {status.name}: {sentence(status.error)}"


def sentence(error: object) -> str:
    """Write an error as it may be shown to everybody: no secrets, and not endless."""
    return redact(str(error or ""))[:_SENTENCE_CHARS]
