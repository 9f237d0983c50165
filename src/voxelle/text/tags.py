"""Expression tags such as `[happy]`, taken out of running text."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TAG = 60
"""Characters a bracket may hold back: far above any expression, far below a sentence."""

_SHORT_WORD = re.compile(r"[\w'’.:+-]{0,20}")
_CLOSED = re.compile(rf"\[([^\[\]\n]{{0,{MAX_TAG}}})\]")


@dataclass(frozen=True, slots=True)
class Tag:
    """A known expression that stood between two runs of text."""

    expression: str


class TagReader:
    """Takes tags out of a text that arrives in pieces.

    A known expression (any case, spaces around it) becomes a `Tag`. Another bracket with one
    short word is taken for an expression nobody knows, and dropped. Everything else keeps its
    words and loses its brackets. At most `MAX_TAG` characters are held back, from a `[` on.
    """

    def __init__(self, expressions: frozenset[str]) -> None:
        self._expressions = {name.casefold(): name for name in expressions}
        self._held = ""

    def read(self, piece: str, *, is_last: bool = False) -> list[str | Tag]:
        """Give the runs of text and the tags that are certain by now, in order."""
        if not self._held and "[" not in piece and "]" not in piece:
            return [piece] if piece else []
        text, self._held = self._held + piece, ""
        found: list[str | Tag] = []
        position = 0
        while (opening := text.find("[", position)) >= 0:
            self._keep(text[position:opening], found)
            if closed := _CLOSED.match(text, opening):
                found.append(self._meaning(closed[1]))
                position = closed.end()
            elif not is_last and _may_close(text, opening):
                self._held = text[opening:]
                return [item for item in found if item]
            else:
                position = opening + 1
        self._keep(text[position:], found)
        return [item for item in found if item]

    @staticmethod
    def _keep(text: str, found: list[str | Tag]) -> None:
        found.append(text.replace("]", ""))

    def _meaning(self, inner: str) -> str | Tag:
        words = " ".join(inner.split())
        if known := self._expressions.get(words.casefold()):
            return Tag(known)
        return " " if _SHORT_WORD.fullmatch(words) else words


def _may_close(text: str, opening: int) -> bool:
    """Whether the bracket at `opening`, not closed so far, may still become a tag."""
    rest = text[opening + 1 :]
    return len(rest) <= MAX_TAG and not any(character in rest for character in "[]\n")
