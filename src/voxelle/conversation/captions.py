"""Words, phonemes and expressions of a turn, told as their sound goes out."""

from __future__ import annotations

from collections.abc import Callable

from voxelle.audio import AudioFrame
from voxelle.conversation.script import Line
from voxelle.events import CaptionSpoken, ExpressionChanged, Notice, PhonemesSpoken, Word


class Captions:
    """Follows one turn's sound, and tells each word and cue once, a little before it is heard."""

    def __init__(self, turn: int, tell: Callable[[Notice], None]) -> None:
        self._turn = turn
        self._tell = tell
        self._line: Line | None = None
        self._next_word = 0
        self._next_cue = 0

    def advance(self, line: Line, frame: AudioFrame, end: float) -> None:
        """Tell what begins before `end`, in seconds of the turn's sound; the frame is of `line`."""
        if line is not self._line:
            self._finish_line(line.offset)
            self._line, self._next_word, self._next_cue = line, 0, 0
        self._tell_words(line, end)
        self._tell_cues(line, end)
        phonemes = tuple(
            Word(text=mark.text, start=line.offset + mark.start)
            for mark in frame.marks
            if mark.kind == "phoneme" and mark.text
        )
        if phonemes:
            self._tell(PhonemesSpoken(turn=self._turn, phonemes=phonemes))

    def finish(self, end: float) -> None:
        """Tell what is left of the last line; asking twice does no harm."""
        self._finish_line(end)

    def _finish_line(self, end: float) -> None:
        if self._line is None:
            return
        self._tell_words(self._line, end, is_end=True)
        self._tell_cues(self._line, end, is_end=True)
        self._line = None

    def _tell_words(self, line: Line, end: float, *, is_end: bool = False) -> None:
        first = self._next_word
        words: list[Word] = []
        while self._next_word < len(line.words):
            start = line.offset + line.start_of(self._next_word)
            if start >= end and not is_end:
                break
            words.append(Word(text=line.words[self._next_word].group(), start=min(start, end)))
            self._next_word += 1
        if self._next_word > first:
            self._tell(CaptionSpoken(turn=self._turn, line=line.index, words=tuple(words)))

    def _tell_cues(self, line: Line, end: float, *, is_end: bool = False) -> None:
        cues = line.clause.cues
        while self._next_cue < len(cues):
            start = line.offset + self._start_of(line, cues[self._next_cue].at)
            if start >= end and not is_end:
                return
            cue = cues[self._next_cue]
            self._tell(
                ExpressionChanged(turn=self._turn, expression=cue.expression, start=min(start, end))
            )
            self._next_cue += 1

    def _start_of(self, line: Line, at: int) -> float:
        for index, word in enumerate(line.words):
            if word.end() > at:
                return line.start_of(index)
        return line.start_of(len(line.words))
