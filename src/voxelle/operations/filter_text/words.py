"""Finding listed words in running text, however they are spelled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from voxelle.operations.filter_text.fold import Folded, fold_word
from voxelle.utils.exceptions import ConfigurationError

MAX_GAP = 3
"""Signs or spaces between two letters of one word."""

MAX_SPAN = 200
"""Characters that one word may be drawn out to; what goes on for longer is caught as it is."""

MIN_SPACED = 3
"""Letters of a word that is found when it is spelled `l i k e   t h i s`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of a list: `word` is a whole word, `word*` begins one, `*word*` stands in one."""

    letters: str
    may_go_on: bool
    may_begin_within: bool
    source: int
    """The number of the list it is from."""

    @classmethod
    def read(cls, written: str, source: int) -> Entry:
        """Read it as written; raise `ConfigurationError` if there is no word in it."""
        bare = written.strip()
        letters = fold_word(bare.strip("*"))
        if len(letters) < 2 or " " in bare:
            raise ConfigurationError(
                f"{written!r} is no word of two or more letters; phrases belong under `patterns`"
            )
        return cls(letters, bare.endswith("*"), bare.startswith("*"), source)


class Hit(NamedTuple):
    """Where something was found: from `start` up to `end`, counted from the reply's beginning."""

    start: int
    end: int
    source: int


@dataclass(slots=True, eq=False)
class _Node:
    letter: str = ""
    depth: int = 0
    children: dict[str, _Node] = field(default_factory=dict)
    whole: Entry | None = None
    open: Entry | None = None


class _Trail(NamedTuple):
    """A way in which the text so far may be the beginning of a word."""

    node: _Node
    start: int
    end: int
    true_letters: bool
    is_spaced: bool
    chunk: int
    """Different letters since the last gap: 1, or 2 for more."""

    gap: int
    """0 no gap since the last letter, 1 signs, 2 a space among them."""

    gap_length: int


class WordList:
    """All words of all lists as one tree, and the innocent words that contain one."""

    def __init__(self, entries: Iterable[Entry], allowed: Iterable[str]) -> None:
        self.root = _Node()
        self.root_within = _Node()
        self._allowed = frozenset(fold_word(word) for word in allowed if not word.endswith("*"))
        self._allowed_starts = tuple(fold_word(word) for word in allowed if word.endswith("*"))
        for entry in entries:
            self._add(self.root, entry)
            if entry.may_begin_within:
                self._add(self.root_within, entry)

    @staticmethod
    def _add(node: _Node, entry: Entry) -> None:
        for letter in entry.letters:
            node = node.children.setdefault(letter, _Node(letter, node.depth + 1))
        if entry.may_go_on:
            node.open = entry
        else:
            node.whole = entry
            plural = node.children.setdefault("s", _Node("s", node.depth + 1))
            plural.whole = plural.whole or entry

    def allows(self, word: str) -> bool:
        """Tell whether a word that contains a listed one is innocent."""
        return word in self._allowed or word.startswith(self._allowed_starts or ("\0",))


class WordScanner:
    """Reads one reply, character by character."""

    def __init__(self, words: WordList) -> None:
        self._words = words
        self._trails: set[_Trail] = set()
        self._open: list[Hit] = []
        self._word = ""
        self._is_within = False

    def earliest(self) -> int | None:
        """Give where what may still become a hit begins; None if there is nothing."""
        starts = [trail.start for trail in self._trails] + [hit.start for hit in self._open]
        return min(starts, default=None)

    def read(self, position: int, folded: Folded) -> list[Hit]:
        """Take the next character, and give what is certain to be found by it."""
        if folded.is_ignored:
            return []
        hits = [] if folded.is_letter else self._border()
        if folded.is_letter:
            self._word = (self._word + folded.plain)[-64:]
        trails = self._trails
        fresh = not self._is_within
        for letters in folded.letters:
            trails = self._letter(trails, letters, position, folded, may_begin=fresh)
            fresh = False
        if folded.is_gap:
            trails = (trails if folded.letters else set()) | self._gaps(folded)
        elif not folded.letters:
            trails = set()
        self._trails = trails
        self._is_within = folded.is_letter
        return hits + self._too_long(position)

    def finish(self) -> list[Hit]:
        """End the reply."""
        hits = self._border()
        self._trails = set()
        return hits

    def forget(self, end: int) -> None:
        """Give up everything that begins before `end`, because that is dealt with."""
        self._trails = {trail for trail in self._trails if trail.start >= end}
        self._open = [hit for hit in self._open if hit.start >= end]

    def _border(self) -> list[Hit]:
        """Give what is found because a word has ended here."""
        hits = []
        for trail in self._trails:
            entry = trail.node.whole
            is_spelled = trail.is_spaced and trail.node.depth < MIN_SPACED
            if entry and not trail.gap and trail.true_letters and not is_spelled:
                hits.append(Hit(trail.start, trail.end, entry.source))
        if self._open and not self._words.allows(self._word):
            hits += self._open
        self._open = []
        self._word = ""
        return hits

    def _letter(
        self, trails: set[_Trail], letters: str, position: int, folded: Folded, *, may_begin: bool
    ) -> set[_Trail]:
        found: set[_Trail] = set()
        for letter in letters:
            for trail in trails:
                found.update(_go_on(trail, letter, position, folded))
            for root, may in (
                (self._words.root, may_begin),
                (self._words.root_within, self._is_within),
            ):
                if may and (node := root.children.get(letter)):
                    found.add(
                        _Trail(node, position, position + 1, folded.is_letter, False, 1, 0, 0)
                    )
        for trail in found:
            if trail.node.open and trail.true_letters and not trail.gap:
                self._open.append(Hit(trail.start, position + 1, trail.node.open.source))
        if self._open and folded.is_letter:
            self._open = [hit._replace(end=position + 1) for hit in self._open]
        return found

    def _gaps(self, folded: Folded) -> set[_Trail]:
        found = set()
        for trail in self._trails:
            gap = 2 if folded.is_space else max(1, trail.gap)
            may_span = trail.chunk == 1 or not folded.is_space
            if may_span and trail.gap_length < MAX_GAP and trail.node.children:
                found.add(trail._replace(gap=gap, gap_length=trail.gap_length + 1))
        return found

    def _too_long(self, position: int) -> list[Hit]:
        return [
            Hit(trail.start, position + 1, 0)
            for trail in self._trails
            if position - trail.start >= MAX_SPAN
        ] + [
            hit._replace(end=position + 1) for hit in self._open if position - hit.start >= MAX_SPAN
        ]


def _go_on(trail: _Trail, letter: str, position: int, folded: Folded) -> list[_Trail]:
    """Give the ways in which a trail may go on with one more letter."""
    found = []
    true = trail.true_letters or folded.is_letter
    if letter == trail.node.letter and not trail.gap:
        found.append(trail._replace(end=position + 1, true_letters=true))
    child = trail.node.children.get(letter)
    if child is None:
        return found
    if trail.gap == 0:
        if not trail.is_spaced:
            found.append(_Trail(child, trail.start, position + 1, true, False, 2, 0, 0))
        return found
    is_spaced = trail.is_spaced or trail.gap == 2
    found.append(_Trail(child, trail.start, position + 1, true, is_spaced, 1, 0, 0))
    return found
