"""Cutting a reply into clauses while it is still being written."""

from __future__ import annotations

import re
from contextlib import aclosing

from voxelle.streams import Stream
from voxelle.text.clause import Clause, Cue
from voxelle.text.grammar import (
    ABBREVIATIONS,
    BORDER,
    CLOSERS,
    DANGLING,
    LAST_WORDS,
    OPENING,
    STRONG,
    WIDE,
    bare,
    is_address,
    is_initial,
    wide_words,
)
from voxelle.text.tags import Tag, TagReader

LONG_WORDS = 25
"""Words after which a sentence is cut at a comma: about ten seconds of speech."""

LONG_CHARACTERS = 200
"""The same in characters, for long words; also where a sentence without any comma is cut."""

MAX_CHARACTERS = 400
"""Characters after which a clause ends wherever it is: nothing may be held for ever."""

_INTERESTING = re.compile(r"[^\w' ]|\s\s")
_LOOSE_MARK = re.compile(r" +(?=[,.!?;:…]+(?:\s|$))")
_NEEDLESS_SPACE = re.compile(r"\s*\n\s*|[^\S\n]+")


class Cutter:
    """Cuts one reply, piece by piece; `clauses` is the same as a stream.

    The end of a piece counts as the end of a word only behind a mark that ends something
    (`there.`, `well,`): so no mark ever waits for the next piece, unless it stands behind a
    number or an abbreviation. Cut at words, the same reply always gives the same clauses.
    """

    def __init__(
        self,
        expressions: frozenset[str] = frozenset(),
        first_words: tuple[int, int] = (4, 8),
        long_words: int = LONG_WORDS,
    ) -> None:
        self._tags = TagReader(expressions)
        self._first_words = first_words
        self._long_words = long_words
        self._is_first = True
        self._is_last = False
        self._may_be_orphan = False
        self._text = ""
        self._cues: list[Cue] = []
        self._clear()

    def push(self, piece: str) -> list[Clause]:
        """Take the next piece, and give the clauses that are complete now."""
        ready: list[Clause] = []
        for item in self._tags.read(piece, is_last=self._is_last):
            if isinstance(item, Tag):
                self._append(" ")
                self._cues.append(Cue(item.expression, len(self._text)))
            else:
                self._append(item)
                self._cut(ready)
        return ready

    def finish(self) -> list[Clause]:
        """End the reply, and give what is left of it.

        Marks with no word before them are dropped. Tags with nothing behind them come in a
        clause without text.
        """
        self._is_last = True
        ready = self.push("")
        self._cut(ready)
        if self._has_words(len(self._text)) or self._cues:
            self._emit(len(self._text), ready)
        return ready

    def _clear(self) -> None:
        self._scan = 0
        self._ends: list[int] = []
        self._weak = 0

    def _append(self, piece: str) -> None:
        if self._may_be_orphan and piece:  # `."` whose quotation mark came too late
            self._may_be_orphan = False
            piece = piece.lstrip(STRONG + CLOSERS) if piece[0] not in "*_" else piece
        if _INTERESTING.search(piece) or (self._text[-1:].isspace() and piece[:1].isspace()):
            piece = _NEEDLESS_SPACE.sub(lambda run: "\n" if "\n" in run[0] else " ", piece)
            piece = _LOOSE_MARK.sub("", piece)
            self._join(piece)
        elif not self._text:
            self._text = piece.lstrip()
        else:
            self._text += piece

    def _join(self, piece: str) -> None:
        """Put `piece` behind the text, with at most one white space between them."""
        if not self._text or self._text[-1] == "\n":
            piece = piece.lstrip()
        elif self._text[-1] == " ":
            if piece[:1] == "\n" or (piece[:1] in set(",.!?;:…") and not piece[1:2].isalnum()):
                self._drop_last_space()
            elif piece[:1] == " ":
                piece = piece[1:]
        self._text += piece

    def _drop_last_space(self) -> None:
        self._text = self._text[:-1]
        end = len(self._text)
        self._scan = min(self._scan, end)
        if self._ends and self._ends[-1] == end:
            self._ends.pop()
        self._cues = [Cue(cue.expression, min(cue.at, end)) for cue in self._cues]

    def _cut(self, ready: list[Clause]) -> None:
        """Emit every clause whose end is certain."""
        while (end := self._find_end()) is not None:
            self._emit(end, ready)

    def _find_end(self) -> int | None:
        while border := BORDER.search(self._text, self._scan):
            if border.start() >= MAX_CHARACTERS:
                break
            end = self._judge(border)
            if end is None:  # it depends on what comes next
                break
            self._scan = border.end()
            if end and self._has_words(end):
                return end
        if len(self._text) > MAX_CHARACTERS:
            return self._resting_place(1) or MAX_CHARACTERS
        return None

    def _judge(self, border: re.Match[str]) -> int | None:
        """Give the index at which to cut because of this border, 0 for none, None to wait."""
        if border["space"]:
            return self._judge_space(border)
        following = self._text[border.end() : border.end() + 1]
        if border["strong"]:
            return self._judge_strong(border, following)
        return self._judge_weak(border, following)

    def _judge_strong(self, border: re.Match[str], following: str) -> int | None:
        marks = border["strong"]
        if following and not following.isspace() and marks[0] not in WIDE:
            return 0
        word = self._word_before(border.start())
        if is_address(word) and not following and not self._is_last:
            return None
        if marks[0] == "." and (verdict := self._judge_stop(border, word)) != -1:
            return verdict
        if marks.startswith("…"):
            return self._weak_end(border) or self._if_capital(border)
        return border.end()

    def _judge_stop(self, border: re.Match[str], word: str) -> int | None:
        """Judge a full stop; -1 if it is an ordinary one."""
        known = bare(word)
        if border["strong"].startswith(".."):
            return self._weak_end(border) or self._if_capital(border)
        if known in LAST_WORDS:
            return self._if_capital(border)
        if word and word[-1].isdigit():
            if border.end() == len(self._text) and not self._is_last:
                return None
            is_heading = border.start() == len(word)  # `3. Apples`
            return 0 if is_heading else -1
        return 0 if known in ABBREVIATIONS or is_initial(word) else -1

    def _if_capital(self, border: re.Match[str]) -> int | None:
        """Cut if a capital letter follows; wait if nothing follows yet."""
        rest = self._text[border.end() :].lstrip("\"'“‘(")
        if not rest.strip():
            return 0 if self._is_last else None
        return border.end() if rest.lstrip()[:1].isupper() else 0

    def _judge_weak(self, border: re.Match[str], following: str) -> int | None:
        word = self._word_before(border.start())
        if not following and not self._is_last and word[-1:].isdigit():
            return None
        is_within = following and not following.isspace() and border["weak"][0] in ",;:"
        if is_within or is_address(word):
            return 0
        if border["weak"][0] in "–—-" and word[-1:].isdigit() and following.isdigit():
            return 0
        return self._weak_end(border)

    def _weak_end(self, border: re.Match[str]) -> int:
        end = border.end()
        is_word = not self._text[border.start() - 1 : border.start()].isspace()
        words = len(self._ends) + wide_words(self._text, end) + is_word
        if self._is_first:
            return end if words >= self._first_words[0] else 0
        if words >= self._long_words or end >= LONG_CHARACTERS:
            return end
        self._weak = end
        return 0

    def _judge_space(self, border: re.Match[str]) -> int | None:
        end = border.start()
        if border[0] == "\n":
            return end
        if self._text[end - 1].isalnum() or self._text[end - 1] not in "–—-":
            self._ends.append(end)
        if self._is_first:
            if len(self._ends) < self._first_words[1]:
                return 0
            return self._resting_place(self._first_words[0])
        is_long = len(self._ends) >= self._long_words or end >= LONG_CHARACTERS
        if not is_long:
            return 0
        if self._weak or end < LONG_CHARACTERS:
            return self._weak
        return self._resting_place(self._long_words // 2)

    def _resting_place(self, at_least: int) -> int:
        """Give the best end of a word to stop at, after `at_least` words; 0 if there is none."""
        fallback = 0
        for index in range(len(self._ends) - 1, at_least - 2, -1):
            end = self._ends[index]
            following = self._ends[min(index + 1, len(self._ends) - 1)]
            word = self._word_before(end)
            if bare(word) in DANGLING or word[-1].isdigit():
                continue
            if bare(self._text[end + 1 : following]) in OPENING:
                return end
            fallback = fallback or end
        return fallback

    def _word_before(self, position: int) -> str:
        start = max(self._text.rfind(" ", 0, position), self._text.rfind("\n", 0, position))
        return self._text[start + 1 : position]

    def _has_words(self, end: int) -> bool:
        return any(character.isalnum() for character in self._text[:end])

    def _emit(self, end: int, ready: list[Clause]) -> None:
        """Give the text before `end` away, and start anew with the rest."""
        text = self._text[:end].rstrip()
        rest = self._text[end:].lstrip()
        skipped = len(self._text) - len(rest)
        is_rest = self._is_last and not rest
        mine = [cue for cue in self._cues if cue.at < end or is_rest]
        later = self._cues[len(mine) :]
        if not any(character.isalnum() for character in text):
            text = ""
        ready.append(Clause(text, tuple(Cue(c.expression, min(c.at, len(text))) for c in mine)))
        self._text = rest
        self._cues = [Cue(cue.expression, max(0, cue.at - skipped)) for cue in later]
        self._is_first = False
        self._may_be_orphan = end == skipped and not rest
        self._clear()


async def clauses(
    pieces: Stream[str],
    *,
    expressions: frozenset[str] = frozenset(),
    first_words: tuple[int, int] = (4, 8),
    long_words: int = LONG_WORDS,
) -> Stream[Clause]:
    """Cut a reply into clauses, each given as soon as its last word is certain.

    A clause is a sentence, except the first one: to let the voice begin early it ends at the
    first comma, colon or dash behind `first_words[0]` words, or after `first_words[1]` words at
    the best place to breathe. A sentence of over `long_words` words is cut at its commas. Tags
    of `expressions` become cues. Closing this stream closes `pieces`.
    """
    cutter = Cutter(expressions, first_words, long_words)
    async with aclosing(pieces):
        async for piece in pieces:
            for clause in cutter.push(piece):
                yield clause
    for clause in cutter.finish():
        yield clause
