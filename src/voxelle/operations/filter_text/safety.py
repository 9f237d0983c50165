"""The last gate before the voice: what must not be said is not said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from voxelle.home import find_home
from voxelle.operations.base import Options, Provider
from voxelle.operations.filter_text.fold import fold
from voxelle.operations.filter_text.lists import Action, Lists, SafetyFile, SafetyList, read_file
from voxelle.operations.filter_text.patterns import PatternScanner
from voxelle.operations.filter_text.slices import sliced
from voxelle.operations.filter_text.words import Hit, WordScanner
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError

log = logging.getLogger(__name__)


class SafetyOptions(Options):
    """Settings of the safety filter."""

    path: Annotated[str, Field(min_length=1, max_length=500)] = "configs/safety.yaml"
    """The file of lists, relative to the home."""

    words: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    """More words that are replaced, as in the file."""

    allow: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    """More innocent words."""

    stand_in: Annotated[str, Field(max_length=200)] = "bleep"
    """Spoken for a word that is replaced."""

    refusal: Annotated[str, Field(max_length=400)] = "Hm, let's talk about something else."
    """Spoken when the rest of a reply is withheld."""


@dataclass(frozen=True, slots=True)
class Catch:
    """Something that was caught; the words themselves are not repeated."""

    list_name: str
    action: Action
    masked: str
    """The first letter, and how many follow: `s…(3)`; nothing of a pattern."""

    at: int
    """Characters of the reply before it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the filter makes of a whole text."""

    text: str
    """What may be said."""

    catches: tuple[Catch, ...]

    @property
    def is_safe(self) -> bool:
        """Whether nothing was caught."""
        return not self.catches


class SafetyFilter(Provider):
    """Replaces listed words, and withholds the rest of a reply that goes too far.

    It fails closed: lists that cannot be read keep it from opening, and if it fails within a
    reply, the rest of that reply is withheld. Text passes at once, unless it may still become
    something listed. Set `on_catch` to be told what was caught; the log is told in any case.
    """

    options_type = SafetyOptions
    options: SafetyOptions

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.on_catch: Callable[[Catch], None] | None = None
        """Called for each catch; must not block or raise."""
        self._lists: Lists | None = None

    async def __aenter__(self) -> Self:
        self._lists = await asyncio.to_thread(self._load)
        return self

    def _load(self) -> Lists:
        path = Path(self.options.path)
        own = SafetyList(name="options", words=self.options.words)
        file = SafetyFile(lists=(own,), allow=self.options.allow)
        return Lists([file, read_file(path if path.is_absolute() else find_home().root / path)])

    async def apply(self, text: Stream[str]) -> Stream[str]:
        """Give what may be said, and nothing after a refusal; to close this closes `text`."""
        gate = self._gate()
        async with aclosing(sliced(text)) as pieces:
            async for piece in pieces:
                if said := self._pass(gate, piece):
                    yield said
                if gate.is_closed:
                    return
        if said := self._pass(gate, None):
            yield said

    def verdict(self, text: str) -> Verdict:
        """Give what may be said of a whole text, and what was caught in it."""
        gate = self._gate()
        said = self._pass(gate, text)
        if not gate.is_closed:
            said += self._pass(gate, None)
        return Verdict(said, tuple(gate.catches))

    def _tell(self, catch: Catch) -> None:
        if self.on_catch is None:
            return
        try:
            self.on_catch(catch)
        except Exception:
            log.exception("the listener of the safety filter failed")

    def _gate(self) -> Gate:
        if self._lists is None:
            raise ConfigurationError("the safety filter is not open; nothing can be let through")
        return Gate(self._lists, self.options.stand_in, self.options.refusal)

    def _pass(self, gate: Gate, piece: str | None) -> str:
        """Let a piece through the gate, or the rest if it is None; close it on any failure."""
        known = len(gate.catches)
        try:
            said = gate.finish() if piece is None else gate.push(piece)
        except Exception:  # whatever it is, nothing unfiltered may be said
            log.exception("the safety filter failed; the rest of the reply is withheld")
            said = gate.close()
        for catch in gate.catches[known:]:
            log.warning(
                "the safety filter caught something",
                extra={"category": "SECURITY", "list": catch.list_name, "action": catch.action,
                       "masked": catch.masked, "at": catch.at},
            )  # fmt: skip
            self._tell(catch)
        return said


class Gate:
    """Lets one reply through, character by character."""

    def __init__(self, lists: Lists, stand_in: str, refusal: str) -> None:
        self._lists = lists
        self._stand_in = stand_in
        self._refusal = refusal
        self._words = WordScanner(lists.words)
        self._patterns = [PatternScanner(pattern) for pattern in lists.patterns]
        self._held = ""
        self._held_at = 0
        self._read = 0
        self.is_closed = False
        """Whether the rest of the reply is withheld."""
        self.catches: list[Catch] = []

    def push(self, piece: str) -> str:
        """Take the next piece, and give what may be said by now."""
        if self.is_closed:
            return ""
        self._held += piece
        said = []
        for character in piece:
            folded = fold(character)
            hits = self._words.read(self._read, folded)
            for pattern in self._patterns:
                hits += pattern.read(self._read, folded.plain)
            self._read += 1
            if hits:
                said.append(self._deal(hits))
                if self.is_closed:
                    return "".join(said)
        said.append(self._release())
        return "".join(said)

    def finish(self) -> str:
        """End the reply, and give the rest of what may be said."""
        if self.is_closed:
            return ""
        hits = self._words.finish()
        for pattern in self._patterns:
            hits += pattern.finish(self._read)
        # A refusal has emptied what is held, so that nothing is left to follow it.
        return self._deal(hits) + self._take(self._read)

    def close(self) -> str:
        """Withhold the rest; give what is said instead."""
        if self.is_closed:
            return ""
        self.is_closed = True
        self._held = ""
        return self._refusal

    def _release(self) -> str:
        starts = [self._words.earliest(), *(pattern.earliest() for pattern in self._patterns)]
        return self._take(min((start for start in starts if start is not None), default=self._read))

    def _take(self, end: int) -> str:
        count = max(0, end - self._held_at)
        said, self._held = self._held[:count], self._held[count:]
        self._held_at += count
        return said

    def _deal(self, hits: list[Hit]) -> str:
        """Say the stand-in for what was found, from left to right, the longest first."""
        said = []
        for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
            if hit.start < self._held_at:
                continue  # a part of what was just dealt with
            found = self._lists.lists[hit.source]
            said.append(self._take(hit.start))
            word = self._take(hit.end)
            masked = f"{word[:1]}…({len(word) - 1})"
            self.catches.append(Catch(found.name, found.action, masked, hit.start))
            if found.action == "stop":
                return "".join([*said, self.close()])
            said.append(self._stand_in)
            self._words.forget(hit.end)
            for pattern in self._patterns:
                pattern.forget(hit.end)
        return "".join(said)
