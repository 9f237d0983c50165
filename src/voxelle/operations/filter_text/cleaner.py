"""The machine that cleans one reply, whatever pieces it comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from voxelle.operations.filter_text import markup
from voxelle.operations.filter_text.markup import Verdict

_MARKS = frozenset("!?,;:…")
_PUNCTUATION = re.compile(r"[!?,;:….\-]")


class Cleaner:
    """Reads from sign to sign; at each one a rule of `markup` tells what becomes of it.

    A rule sees the text from its sign on, and either decides or asks for more. No rule asks for
    more than a few hundred characters, and none decides otherwise because more is there: so the
    joined output depends on the joined input alone.
    """

    def __init__(self, emotes: Iterable[str], *, says_domains: bool) -> None:
        self._rules = markup.Rules(frozenset(emotes), says_domains=says_domains)
        self._text = ""
        self._before = "\n"
        self._is_line_start = True
        self._until = ""
        self._is_last = False
        self._out: list[str] = []
        self._last = ""
        self._run = ""

    def push(self, piece: str) -> str:
        """Take the next piece, and give the text that is certain by now."""
        self._text += piece
        while self._text and self._advance():
            pass
        cleaned = "".join(self._out)
        self._out.clear()
        return cleaned

    def finish(self) -> str:
        """End the reply, and give the rest of it."""
        self._is_last = True
        return self.push("")

    def _advance(self) -> bool:
        """Do one step; tell whether there is more to do now."""
        if self._until:
            return self._skip()
        if self._is_line_start:
            return self._do(self._rules.line_start)
        sign = self._rules.signs.search(self._before + self._text, 1)
        if sign is None:
            self._emit(self._text)
            self._move(len(self._text))
            return False
        if plain := sign.start() - 1:
            self._emit(self._text[:plain])
            self._move(plain)
            return True
        return self._do(self._rules.rule_for(self._text))

    def _do(self, rule: Callable[[str, str, bool], Verdict | None]) -> bool:
        verdict = rule(self._text, self._before, self._is_last)
        if verdict is None:
            return False
        if self._is_line_start:
            self._is_line_start = False
        self._emit(verdict.say)
        self._is_line_start = verdict.ends_line
        self._until = verdict.skip_until
        rest = self._text[verdict.length :]
        if verdict.length and not verdict.read_again:
            self._before = self._text[verdict.length - 1]
        self._text = verdict.read_again + rest
        return True

    def _skip(self) -> bool:
        """Drop what stands before the end of a block."""
        if self._until == " ":  # the rest of an endless word
            rest = _after_word(self._text)
            self._text = rest
            self._until = "" if rest else self._until
            return bool(rest)
        at = self._text.lower().find(self._until)
        if at < 0:
            self._text = self._text[-(len(self._until) - 1) :]
            return False
        self._move(at + len(self._until))
        self._until = ""
        return True

    def _move(self, count: int) -> None:
        if count:
            self._before = self._text[count - 1]
            self._text = self._text[count:]

    def _emit(self, text: str) -> None:
        """Give text away, without the second of two spaces or of two equal marks."""
        if text.isspace() and self._last in ("", " ", "\n"):
            text = "\n" if "\n" in text and self._last == " " else ""
        if not text:
            return
        if self._last in (" ", "\n", "") and text[0] == " ":
            text = text.lstrip(" ")
        if "  " in text:
            text = re.sub(" {2,}", " ", text)
        if self._run or _PUNCTUATION.search(text):
            text = self._tame(text)
        if text:
            self._last = text[-1]
            self._out.append(text)

    def _tame(self, text: str) -> str:
        kept = []
        for character in text:
            if not _PUNCTUATION.match(character):
                self._run = ""
            elif (character in _MARKS and character in self._run) or (
                self._run.count(character) >= (3 if character == "." else 2)
            ):
                continue
            else:
                self._run += character
            kept.append(character)
        return "".join(kept)


def _after_word(text: str) -> str:
    return re.sub(r"^\S+", "", text)
