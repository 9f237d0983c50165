"""What a turn says, and when each word of it is heard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from voxelle.audio import Mark
from voxelle.text import Clause

CHARACTERS_PER_SECOND = 15.0
"""Pace of speech, to guess the length of a line that is not complete yet (usual: 13-17)."""

WORD_TOLERANCE_S = 0.04
"""A word counts as heard if all but this much of it was: two frames, what a report may lag."""

_WORD = re.compile(r"\S+")


@dataclass(slots=True)
class Line:
    """One clause of a reply, and when its words are spoken.

    Times of words come from the voice's marks where it gives them, and lie in proportion
    to the characters between those.
    """

    clause: Clause

    index: int = 0
    """Counts the lines of the turn from 0."""

    offset: float = 0.0
    """Seconds from the beginning of the turn's sound to the beginning of this line's."""

    seconds: float = 0.0
    """Seconds of sound so far."""

    is_complete: bool = False
    """Whether all of its sound is there."""

    words: list[re.Match[str]] = field(init=False)
    _known: dict[int, float] = field(default_factory=dict[int, float], init=False)

    def __post_init__(self) -> None:
        self.words = list(_WORD.finditer(self.clause.text))

    @property
    def length(self) -> float:
        """Seconds the line takes: measured if complete, else at least the usual pace."""
        if self.is_complete:
            return self.seconds
        return max(self.seconds, len(self.clause.text) / CHARACTERS_PER_SECOND)

    def note(self, mark: Mark) -> None:
        """Learn from the voice when a word begins."""
        if mark.kind != "word":
            return
        for index, word in enumerate(self.words):
            if word.start() <= mark.at < word.end():
                self._known.setdefault(index, mark.start)
                return

    def start_of(self, index: int) -> float:
        """Tell when a word begins, in seconds of this line; `len(words)` asks for the end."""
        if index >= len(self.words):
            return self.length
        if index in self._known:
            return self._known[index]
        left, left_at = 0, 0.0
        right, right_at = len(self.clause.text), self.length
        for known, start in self._known.items():
            if known < index and self.words[known].start() >= left:
                left, left_at = self.words[known].start(), start
            elif known > index and self.words[known].start() <= right:
                right, right_at = self.words[known].start(), start
        share = (self.words[index].start() - left) / max(1, right - left)
        return left_at + share * max(0.0, right_at - left_at)

    def heard(self, seconds: float) -> int:
        """Count the whole words in the first seconds of this line's sound."""
        count = 0
        while count < len(self.words) and self.start_of(count + 1) <= seconds + WORD_TOLERANCE_S:
            count += 1
        return count

    def split(self, words: int) -> tuple[str, str]:
        """Cut the text after that many words."""
        if words <= 0:
            return "", self.clause.text
        end = self.words[words - 1].end()
        return self.clause.text[:end], self.clause.text[end:].lstrip()


def split_script(script: Sequence[Line], seconds: float) -> tuple[str, str]:
    """Tell what was heard in the first seconds of a turn, to the last whole word, and the rest."""
    heard: list[str] = []
    unheard: list[str] = []
    for line in script:
        words = line.heard(seconds - line.offset) if seconds > line.offset else 0
        first, rest = line.split(words)
        # Once a word was missed nothing after it was heard, whatever the estimates say.
        (unheard if unheard else heard).append(first)
        unheard.append(rest)
        unheard = [text for text in unheard if text]
    return " ".join(filter(None, heard)), " ".join(unheard)
