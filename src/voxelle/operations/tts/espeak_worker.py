"""The inside of the espeak worker: `python -m voxelle.operations.tts.espeak_worker '{...}'`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from voxelle.operations.tts.espeak_library import EspeakLibrary, Event
from voxelle.processes.serving import Handler, Request, Turn, Work, serve

PIECE = 300
"""Characters that are read in one go, 20 s of sound made in 40 ms; then others have their turn."""

_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)]*\s+|\n\s*")


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into pieces of at most 300 characters, with the index at which each begins.

    It is cut after a sentence if there is one, else between words, else anywhere.
    """
    start = 0
    while len(text) - start > PIECE:
        window = text[start : start + PIECE]
        ends = [match.end() for match in _SENTENCE_END.finditer(window)]
        cut = ends[-1] if ends else window.rfind(" ") + 1 or PIECE
        yield start, text[start : start + cut]
        start += cut
    yield start, text[start:]


class Words:
    """Finds the words of a text that espeak's events mean."""

    def __init__(self, text: str) -> None:
        self._words = [match.span() for match in re.finditer(r"\S+", text)]
        self._next = 0

    def find(self, at: int) -> tuple[int, int] | None:
        """Give begin and end of the word there; None if it was given before, or there is none.

        espeak counts an emoji or a number as many words, some of them where blanks are.
        """
        for index in range(self._next, len(self._words)):
            begin, end = self._words[index]
            if begin > at:
                return None
            if at < end:
                self._next = index + 1
                return begin, end
        return None


class Reader:
    """Reads one request aloud."""

    def __init__(self, library: EspeakLibrary, request: Request) -> None:
        self._library = library
        self._request = request
        self._samples = 0
        self._start = 0.0
        self._last = 0.0
        self._is_pause = True

    def read(self, text: str) -> Work:
        """Read the text piece by piece; others have their turn between the pieces."""
        words = Words(text)
        for begin, piece in pieces(text):
            self._start = self._samples / self._library.rate

            def take(pcm: bytes, events: list[Event], begin: int = begin) -> bool:
                marks = [mark for event in events if (mark := self._mark(event, begin, words))]
                self._samples += len(pcm) // 2
                if pcm or marks:
                    self._request.answer(pcm, marks=marks)
                return not self._request.is_cancelled

            self._library.speak(piece, take)
            yield Turn.PASS

    def _mark(self, event: Event, begin: int, words: Words) -> list[Any] | None:
        """Give a mark as [begin, end, phoneme, seconds]; None if there is nothing new in it."""
        start = self._last = max(self._last, round(self._start + event.start, 4))
        if event.is_word:
            span = words.find(begin + event.at)
            return [*span, "", start] if span else None
        if not event.phoneme and self._is_pause:
            return None
        self._is_pause = not event.phoneme
        return [-1, -1, event.phoneme, start]


def read_text(request: Request) -> Iterator[Turn | str]:
    """Wait for the whole text of a request; its last item is the text."""
    parts: list[bytes] = []
    while True:
        is_complete = request.is_complete  # before the rest is read: then it is all
        while (part := request.read()) is not None:
            parts.append(part)
        if is_complete:
            yield b"".join(parts).decode()
            return
        yield Turn.WAIT


def open_handler() -> tuple[Handler, dict[str, object]]:
    """Load the library with the voice that the arguments name."""
    options = json.loads(sys.argv[1])
    library = EspeakLibrary()
    library.choose(options["voice"], options["variant"])
    library.set(rate=options["rate"], pitch=options["pitch"], range=options["range"])
    library.set(volume=options["volume"])

    def handle(request: Request) -> Work:
        for item in read_text(request):
            if isinstance(item, str):
                yield from Reader(library, request).read(item)
            else:
                yield item

    return handle, {"rate": library.rate, "version": library.version}


if __name__ == "__main__":
    serve(open_handler)
