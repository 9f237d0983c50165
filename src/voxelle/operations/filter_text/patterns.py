"""Finding listed patterns in running text, in time that no pattern and no text can stretch.

Python's `re` goes back and forth in a text, for hours if a pattern is unlucky, and cannot tell
whether a text may still become a match. This reads each character once and keeps all the places
of the pattern that may be reached (Thompson's construction), which answers both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from voxelle.operations.filter_text.words import Hit
from voxelle.utils.exceptions import ConfigurationError

MAX_STATES = 1_000
"""Places of one pattern: each may have to be looked at for each character."""

MAX_MATCH = 160
"""Characters that a match may have, and so that a pattern may hold back."""

MAX_KNOWN = 4_096
"""Characters of which a pattern remembers whether it may begin with them."""

_CLASSES = {"d", "D", "w", "W", "s", "S"}


@dataclass(slots=True, eq=False)
class _State:
    test: re.Pattern[str] | None = None
    """What the next character must be; None if none is read here."""

    at_border: bool | None = None
    """True to pass only where a word begins or ends, False only elsewhere."""

    following: list[_State] = field(default_factory=list)
    is_end: bool = False


class _Reader:
    r"""Turns a pattern as written into states.

    Known are: characters, `.`, `\d \w \s` and their opposites, `\b \B`, `[...]`, groups, `|`,
    `? * + {m} {m,} {m,n}`. Everything else is refused, because it cannot be found in one reading.
    """

    def __init__(self, written: str) -> None:
        self._written = written
        self._at = 0
        self._count = 0

    def read(self) -> _State:
        """Give the first state."""
        first, last = self._choice()
        if self._at < len(self._written):
            self._fail("a `)` without its `(`")
        last.is_end = True
        return first

    def _fail(self, why: str) -> None:
        raise ConfigurationError(
            f"pattern {self._written!r} cannot be used: {why} at character {self._at + 1}; known "
            r"are characters, . \d \w \s \b [...] (...) | ? * + {m,n}"
        )

    def _peek(self) -> str:
        return self._written[self._at : self._at + 1]

    def _new(self, **what: object) -> _State:
        self._count += 1
        if self._count > MAX_STATES:
            self._fail(f"it has over {MAX_STATES} places (repetitions multiply)")
        return _State(**what)  # type: ignore[arg-type] # the names are ours, a few lines below

    def _choice(self) -> tuple[_State, _State]:
        first, last = self._new(), self._new()
        while True:
            begin, end = self._sequence()
            first.following.append(begin)
            end.following.append(last)
            if self._peek() != "|":
                return first, last
            self._at += 1

    def _sequence(self) -> tuple[_State, _State]:
        first = last = self._new()
        while self._peek() and self._peek() not in "|)":
            begin, last_of_item = self._repeated()
            last.following.append(begin)
            last = last_of_item
        return first, last

    def _repeated(self) -> tuple[_State, _State]:
        start = self._at
        item = self._item()
        least, most = self._times()
        end = self._at
        first = last = self._new()
        for _ in range(least):
            last = self._join(last, item)
            item = self._again(start, end)
        if most is None:
            last.following.append(item[0])
            item[1].following.append(last)
            return first, last
        for _ in range(most - least):
            after = self._new()
            last.following.append(after)
            self._join(last, item).following.append(after)
            last = after
            item = self._again(start, end)
        return first, last

    @staticmethod
    def _join(last: _State, item: tuple[_State, _State]) -> _State:
        last.following.append(item[0])
        return item[1]

    def _again(self, start: int, end: int) -> tuple[_State, _State]:
        self._at = start
        item = self._item()
        self._at = end
        return item

    def _times(self) -> tuple[int, int | None]:
        simple = {"?": (0, 1), "*": (0, None), "+": (1, None)}
        sign = self._peek()
        if sign in simple and sign:
            self._at += 1
            return self._not_twice(simple[sign])
        if counted := re.compile(r"\{(\d{1,3})(,(\d{0,3}))?\}").match(self._written, self._at):
            self._at = counted.end()
            least = int(counted[1])
            most = least if counted[2] is None else int(counted[3]) if counted[3] else None
            if most is not None and most < least:
                self._fail("a repetition of at most fewer times than at least")
            return self._not_twice((least, most))
        return 1, 1

    def _not_twice(self, times: tuple[int, int | None]) -> tuple[int, int | None]:
        if self._peek() and self._peek() in "?*+{":
            self._fail("a repetition of a repetition")
        return times

    def _item(self) -> tuple[_State, _State]:
        sign = self._peek()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._test(self._set())
        self._at += 1
        if sign in "?*+{^$":
            self._fail(f"{sign!r} that stands for nothing known")
        if sign == ".":
            return self._test(re.compile(r"."))
        if sign != "\\":
            return self._test(re.compile(re.escape(sign.casefold())))
        escaped = self._peek()
        self._at += 1
        if escaped in ("b", "B"):
            state = self._new(at_border=escaped == "b")
            return state, state
        if not escaped or (escaped.isalnum() and escaped not in _CLASSES):
            self._fail(f"'\\{escaped}' that stands for nothing known")
        return self._test(re.compile("\\" + escaped))

    def _group(self) -> tuple[_State, _State]:
        self._at += 3 if self._written.startswith("(?:", self._at) else 1
        if self._peek() == "?":
            self._fail("a group with a special meaning")
        inner = self._choice()
        if self._peek() != ")":
            self._fail("a `(` without its `)`")
        self._at += 1
        return inner

    def _set(self) -> re.Pattern[str]:
        match = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]").match(self._written, self._at)
        if match is None:
            self._fail("a `[` without its `]`")
            raise AssertionError
        try:
            test = re.compile(match[0], re.IGNORECASE)
        except re.error as error:
            self._fail(f"a set that is wrong ({error})")
            raise
        self._at = match.end()
        return test

    def _test(self, test: re.Pattern[str]) -> tuple[_State, _State]:
        state, after = self._new(test=test), self._new()
        state.following.append(after)
        return state, after


class Pattern:
    """A pattern that is looked for in lower-case text without accents and disguise."""

    def __init__(self, written: str, source: int) -> None:
        """Read it; raise `ConfigurationError` if it is wrong, unknown or matches nothing at all."""
        self.first = _Reader(written).read()
        self.source = source
        self._reachable: dict[tuple[_State, bool], list[_State]] = {}
        self._may_begin: dict[str, bool] = {}
        places = [*self.reachable(self.first, at_border=True), *self.reachable(self.first)]
        if any(place.is_end for place in places):
            raise ConfigurationError(f"pattern {written!r} also matches where there is nothing")

    def reachable(self, state: _State, *, at_border: bool = False) -> list[_State]:
        """Give all the states that are reached without reading a character."""
        if (state, at_border) not in self._reachable:
            self._reachable[state, at_border] = _reachable(state, is_border=at_border)
        return self._reachable[state, at_border]

    def may_begin_with(self, character: str) -> bool:
        """Tell whether a match may begin with a character."""
        if character not in self._may_begin:
            if len(self._may_begin) > MAX_KNOWN:
                self._may_begin.clear()
            places = [*self.reachable(self.first, at_border=True), *self.reachable(self.first)]
            self._may_begin[character] = any(
                place.test is not None and place.test.match(character) for place in places
            )
        return self._may_begin[character]


def _reachable(state: _State, *, is_border: bool) -> list[_State]:
    found: dict[int, _State] = {}
    waiting = [state]
    while waiting:
        state = waiting.pop()
        if id(state) in found or (state.at_border is not None and state.at_border != is_border):
            continue
        found[id(state)] = state
        if state.test is None:
            waiting.extend(state.following)
    return [state for state in found.values() if state.test is not None or state.is_end]


@lru_cache(maxsize=4_096)
def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class PatternScanner:
    """Looks for one pattern in one reply, character by character."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._states: dict[_State, int] = {}
        self._match: Hit | None = None
        self._before = " "

    def earliest(self) -> int | None:
        """Give where what may still become a hit begins; None if there is nothing."""
        starts = [*self._states.values(), *([self._match.start] if self._match else [])]
        return min(starts, default=None)

    def read(self, position: int, plain: str) -> list[Hit]:
        """Take what the next character stands for, and give what is certain to be found."""
        hits: list[Hit] = []
        for character in plain:
            hits += self._read(position, character)
        return hits

    def finish(self, position: int) -> list[Hit]:
        """End the reply, which has `position` characters."""
        hits = self._read(position, " ")
        if self._match:
            hits.append(self._match)
        self._states, self._match = {}, None
        return hits

    def forget(self, end: int) -> None:
        """Give up everything that begins before `end`, because that is dealt with."""
        self._states = {state: start for state, start in self._states.items() if start >= end}

    def _read(self, position: int, character: str) -> list[Hit]:
        if character == self._before == " ":  # many spaces are one
            return []
        may_begin = self._pattern.may_begin_with(character)
        if not self._states and not may_begin and self._match is None:
            self._before = character
            return []
        here = dict(self._states)
        if may_begin:
            here.setdefault(self._pattern.first, position)
        is_border = _is_word(self._before) != _is_word(character)
        following: dict[_State, int] = {}
        for state, start in sorted(here.items(), key=lambda item: item[1]):
            for place in self._pattern.reachable(state, at_border=is_border):
                if place.is_end and start < position:
                    self._note(start, position)
                if place.test is not None and place.test.match(character):
                    following.setdefault(place.following[0], start)
        self._states = {s: at for s, at in following.items() if position - at < MAX_MATCH}
        self._before = character
        return self._settle()

    def _note(self, start: int, end: int) -> None:
        if self._match is None or start <= self._match.start:
            self._match = Hit(start, end, self._pattern.source)

    def _settle(self) -> list[Hit]:
        """Give the match as soon as it cannot become longer."""
        match = self._match
        if match is None or any(start <= match.start for start in self._states.values()):
            return []
        self._match = None
        self.forget(match.end)
        return [match]
