"""What the offline mind can say, and how a line is chosen that was not said lately."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from zlib import crc32

import yaml

AGO = 10
"""How many replies must pass before anything is said again."""

_FILES = ("small_talk.yaml", "answers.yaml", "stream.yaml", "words.yaml")

_SLOT = re.compile(r"\{(\w+)\}")
_TAG = re.compile(r"\[([a-z][a-z0-9_-]*)\]\s*")
_START = re.compile(r"((?:^|[.!?] )(?:\[[^\]]*\]\s*)*)([^\W\d_])")
_NOT_PLAIN = re.compile(r"[^\w]+")
_LEAST_KEY = 12
"""Letters of a line that prove that it was said; shorter pieces occur by chance."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A kind of small talk: what it looks like, and what may be answered."""

    id: str
    when: re.Pattern[str]
    say: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Everything in the files of the folder `lines`."""

    pools: Mapping[str, tuple[str, ...]]
    small_talk: tuple[Talk, ...]
    favourites: Mapping[str, tuple[str, ...]]
    stop_words: frozenset[str]
    adjectives: frozenset[str]
    never_topics: frozenset[str]


@cache
def load_lines() -> Lines:
    """Read the lines once per process; takes 0.2 s, so call it in a thread first."""
    data: dict[str, Any] = {}
    for name in _FILES:
        text = resources.files(__package__).joinpath(f"lines/{name}").read_text(encoding="utf-8")
        data.update(yaml.safe_load(text))
    talks = tuple(
        Talk(one["id"], re.compile("|".join(f"(?:{p})" for p in one["when"])), tuple(one["say"]))
        for one in data.pop("small_talk")
    )
    favourites = {key: tuple(values) for key, values in data.pop("favourites").items()}
    words = {
        key: frozenset(data.pop(key).split())
        for key in ("stop_words", "adjectives", "never_topics")
    }
    pools = {key: tuple(lines) for key, lines in data.items()}
    pools.update({talk.id: talk.say for talk in talks})
    return Lines(pools, talks, favourites, **words)


def plain(text: str) -> str:
    """Give only the letters and digits of a text, in lower case, without expression tags."""
    return _NOT_PLAIN.sub("", _TAG.sub("", text)).casefold()


@cache
def _key(line: str) -> str:
    """Give the longest piece of a line that is the same whatever its slots hold."""
    pieces = [plain(piece) for piece in _SLOT.split(_TAG.sub("", line))[::2]]
    return max(pieces, key=len)


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses lines by chance, but the same ones for the same conversation."""

    lines: Lines
    salt: str
    said: tuple[str, ...]
    """The last replies, made plain."""

    tags: frozenset[str] | None
    """Expressions that the character has; None if nobody said, then all are kept."""

    def choose(self, pool: str, slots: Mapping[str, str]) -> str:
        """Give a line of a pool that was not said lately, with its slots filled."""
        return self.choose_from(self.lines.pools[pool], slots)

    def fresh(self, pool: str, slots: Mapping[str, str]) -> str:
        """Give a line of a pool, or nothing if all were said lately."""
        return next(self._fresh(self.lines.pools[pool], slots), "")

    def choose_from(self, lines: Iterable[str], slots: Mapping[str, str]) -> str:
        """Give one of the lines; when all were said lately, with words that excuse it."""
        usable = self._usable(tuple(lines), slots)
        if fresh := next(self._fresh(usable, slots), ""):
            return fresh
        # Nothing new is left to say: a new opener makes at least another reply of it.
        for opener in self._shuffled(self.lines.pools["again"]):
            for line in self._shuffled(usable):
                reply = f"{self._fill(opener, slots)} {self._fill(line, slots)}"
                if not self._was_said(plain(reply)) and not self._was_said(_key(opener)):
                    return reply
        return self._fill(usable[0], slots)

    def number(self, sides: int) -> int:
        """Give a number from 1 to `sides`, by chance."""
        return _chance(f"{self.salt} dice") // 7 % sides + 1

    def _fresh(self, lines: tuple[str, ...], slots: Mapping[str, str]) -> Iterator[str]:
        for line in self._shuffled(self._usable(lines, slots)):
            filled = self._fill(line, slots)
            key = _key(line)
            if not self._was_said(key if len(key) >= _LEAST_KEY else plain(filled)):
                yield filled

    def _was_said(self, key: str) -> bool:
        return any(
            key in one or (len(one) >= _LEAST_KEY and key.startswith(one)) for one in self.said
        )

    def _usable(self, lines: tuple[str, ...], slots: Mapping[str, str]) -> tuple[str, ...]:
        usable = tuple(line for line in lines if all(slots.get(s) for s in _SLOT.findall(line)))
        return usable or lines

    def _shuffled(self, lines: Iterable[str]) -> list[str]:
        return sorted(lines, key=lambda line: _chance(f"{self.salt}{line}"))

    def _fill(self, line: str, slots: Mapping[str, str]) -> str:
        line = _TAG.sub(lambda tag: tag[0] if self._has(tag[1]) else "", line)
        text = _SLOT.sub(lambda slot: slots.get(slot[1]) or "you", line)
        return _START.sub(lambda found: found[1] + found[2].upper(), text)

    def _has(self, tag: str) -> bool:
        return self.tags is None or tag in self.tags


def _chance(text: str) -> int:
    return crc32(text.encode("utf-8", "replace"))
