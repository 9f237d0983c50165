"""Chat is data: what people write is made harmless before a language model sees it.

A model reads one long text in which special marks say who speaks. Whoever can write
such a mark can speak as somebody else. So everything from outside becomes one line
without marks, and the line begins with a name that cannot hold any.
"""

from __future__ import annotations

import re

NOBODY = "somebody"
"""Stands for a name of which nothing is left."""

# U+FF01-FF5E are the wide twins of ASCII: some models' own marks are written with them.
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_BRACKETS = {ord("["): "(", ord("]"): ")", ord("`"): "'", 0x3010: "(", 0x3011: ")", 0x2223: "|"}
_BLANKS = dict.fromkeys((0x09, 0x2800, 0x3164), " ")
_PLAIN: dict[int, int | str] = {**_WIDE, **_BRACKETS, **_BLANKS}

_LINE_BREAKS = re.compile("[\r\n\v\f\x1c-\x1f\x85\u2028\u2029]+")

# Controls, zero-width and direction marks, fillers, variation selectors, private use,
# tag characters (which hide whole sentences in an emoji) and lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\uffff\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_MARK_FLOOD = re.compile(f"({_MARKS}{{2}}){_MARKS}+")

_TAG = re.compile(r"<[/!|]*\s*[A-Za-z_][^<>]{0,60}>|<\|[^<>]{0,60}>|<\||\|>|<<|>>")
_ROUNDS = 6
"""Marks that are nested deeper than this are no accident: then all that marks consist of goes."""

_MARK_PARTS = dict.fromkeys(map(ord, "<>|#:=()'\"-"), " ")

_ROLES = (
    "system|assistant|user|human|developer|tool|function|model|bot|ai|instructions?|operator|prompt"
)
_LINE_START = re.compile(
    rf"^[\s\W_]*?(?:(?:\(?/?(?:inst|{_ROLES})\)?\s*[:|=\-]+|#+|-{{3,}}|={{3,}}|'{{3,}}|\"{{3,}})\s*)+",
    re.IGNORECASE,
)
_INST = re.compile(r"\(\s*/?\s*(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\s*\)", re.I)
_OUR_MARKS = re.compile(r"\(\s*(?:stream event|stage direction)[^)]*\)?", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^\w .'\-]+")
_RESERVED = frozenset(f"{_ROLES}|instruction|instructions|everybody|everyone".split("|"))


def clean(text: str, limit: int) -> str:
    """Give somebody's words as one harmless line of at most `limit` characters.

    No line break, control, zero-width or direction mark, square bracket, special
    token or role marker is left; ordinary words, punctuation and emoji stay as they are.
    """
    text = _LINE_BREAKS.sub("\n", text[: limit * 4]).translate(_PLAIN)
    text = _MARK_FLOOD.sub(r"\1", _INVISIBLE.sub("", text))
    lines = (_without_marks(line) for line in text.split("\n"))
    # Folding may put two harmless halves together: look once more at the one line.
    return _without_marks(" ".join(" ".join(lines).split()))[:limit].strip()


def _without_marks(line: str) -> str:
    """Take marks away until none is left, also those that appear when others are gone."""
    for _ in range(_ROUNDS):
        shorter = _LINE_START.sub("", _OUR_MARKS.sub("", _INST.sub("", _TAG.sub("", line))))
        if shorter == line:
            return line
        line = shorter
    return " ".join(line.translate(_MARK_PARTS).split())


def clean_name(name: str, limit: int, taken: str = "") -> str:
    """Give a name that can stand before a colon: letters, digits, spaces and `_ . ' -`.

    A name that is a role marker, or is `taken` (the character's own), is marked as a guest's.
    """
    name = _LINE_BREAKS.sub(" ", name[: limit * 4]).translate(_PLAIN)
    name = _MARK_FLOOD.sub(r"\1", _INVISIBLE.sub("", name))
    name = " ".join(_NOT_IN_NAMES.sub(" ", name).split())[:limit].strip(" .'-")
    if not any(letter.isalnum() for letter in name):
        return NOBODY
    plain = name.casefold().strip("_")
    if plain in _RESERVED or (taken and plain == taken.casefold()):
        return f"guest {name}"
    return name


def quote(text: str) -> str:
    """Put cleaned words between quotation marks that they cannot end."""
    return "“" + text.translate({ord(mark): "'" for mark in '"“”„‟«»'}) + "”"
