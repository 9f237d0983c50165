"""What each sign of written text means for speech."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from voxelle.operations.filter_text.actions import is_action

MAX_URL = 300
"""Characters of an address that are read; the rest of it is dropped unread."""

SILENT = (
    "\u00a9\u00ae\u2122\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f"
    "\u20e3\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030"
    "\u303d\u3297\u3299\ue000-\uf8ff\ufff0-\uffff\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\U0001f000-\U0001faff\U0001fb00-\U0001fbff\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""Emoji, arrows, boxes, private letters, control and zero-width characters (Unicode 15 blocks)."""

_SILENT_RUN = re.compile(f"[{SILENT}]+")
_LINE = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]+|(?:[-*+•][ \t]+)|>+[ \t]?|(?:[-*_=]{3,40}[ \t]*(?=\n|$)))"
)
_MAYBE_LINE = re.compile(r"[ \t]*[-*_=#>+•]*[ \t]*")
_SPAN = re.compile(r"\*(?=[^\s*])([^*\n]{1,120})(?<=\S)\*")
_BRACKET = re.compile(r"\[([^\[\]\n]{0,100})\]")
_TARGET = re.compile(r"\([^()\n]{0,400}\)")
_TAG_WORDS = re.compile(r"[\w :.'-]{0,100}")
_HTML = re.compile(r"<(?:!--|/?[A-Za-z!@#:][^<>\n]{0,200}>)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});")
_SHORTCODE = re.compile(r":[a-zA-Z0-9_+\-]{1,40}:")
_EMOTICON = re.compile(r"[:;]['-]?(?:[)(/\\|*\]\[]+|[DPpOo3](?!\w))")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]*", re.IGNORECASE)
_URL_STARTS = ("https://", "http://", "www.")
_THOUGHTS = {"think", "thinking", "reasoning", "thought"}
_BLOCKS = {"br", "p", "li", "div", "tr", "h1", "h2", "h3", "hr"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the text at a sign."""

    length: int
    """Characters that are done with."""

    say: str = ""
    """What is given in their place."""

    read_again: str = ""
    """What is read in their place, because it may hold signs itself."""

    skip_until: str = ""
    """Nothing is given before this has come, in lower case; a space stands for any white space."""

    ends_line: bool = False


Rule: TypeAlias = Callable[[str, str, bool], Verdict | None]
"""Takes the text from the sign on, the character before it, and whether the text is complete.

Gives None to wait for more; never if the text is complete.
"""


class Rules:
    """The rules for one set of emotes."""

    def __init__(self, emotes: frozenset[str], *, says_domains: bool) -> None:
        self._emotes = emotes
        self._longest = max(map(len, emotes), default=0)
        self._says_domains = says_domains
        initials = "".join(sorted({re.escape(emote[0]) for emote in emotes if emote[:1].isalnum()}))
        self.signs = re.compile(rf"[*_~`\[<&|\\\n{SILENT}]|(?<!\S)[:;!]|(?<!\w)[hHwW{initials}]")
        self._rules: dict[str, Rule] = {
            "*": star, "_": underscore, "~": tilde, "`": backtick, "[": bracket, "<": angle,
            "&": ampersand, "|": bar, "\\": backslash, "\n": newline, ":": colon, ";": colon,
            "!": exclamation,
        }  # fmt: skip

    def rule_for(self, text: str) -> Rule:
        """Give the rule for the sign that `text` begins with."""
        if rule := self._rules.get(text[0]):
            return rule
        return silent if _SILENT_RUN.match(text) else self.word

    @staticmethod
    def line_start(text: str, before: str, is_last: bool) -> Verdict | None:
        """Drop headings', lists' and quotations' signs."""
        if not is_last and len(text) < 48 and _MAYBE_LINE.fullmatch(text):
            return None
        match = _LINE.match(text)
        return Verdict(match.end() if match else 0)

    def word(self, text: str, before: str, is_last: bool) -> Verdict | None:
        """Drop emotes, and say addresses shortly."""
        word = re.match(r"[^\W_]+", text)
        length = word.end() if word else 1
        if not is_last and length == len(text) and self._may_grow(text):
            return None
        if text[:length] in self._emotes:
            return Verdict(length)
        lower = text[:8].lower()
        if lower.startswith(_URL_STARTS):
            return self._address(text, is_last)
        if not is_last and len(text) < 8 and any(u.startswith(text.lower()) for u in _URL_STARTS):
            return None
        return Verdict(length, say=text[:length])

    def _may_grow(self, text: str) -> bool:
        lower = text.lower()
        return any(start.startswith(lower) for start in _URL_STARTS) or (
            len(text) <= self._longest and any(emote.startswith(text) for emote in self._emotes)
        )

    def _address(self, text: str, is_last: bool) -> Verdict | None:
        match = _URL.match(text, 0, MAX_URL)
        address = match[0] if match else ""
        is_endless = len(address) == MAX_URL
        if not is_last and len(address) == len(text) and not is_endless:
            return None
        bare = address if is_endless else address.rstrip(".,!?;:)]}'*_")
        domain = re.sub(r"^(?:https?://)?(?:[^/?#@]*@)?(?:www\.)?", "", bare, flags=re.IGNORECASE)
        domain = re.split(r"[/?#:]", domain, maxsplit=1)[0]
        say = domain if self._says_domains else ""
        return Verdict(len(bare), say=say, skip_until=" " if is_endless else "")


def silent(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop emoji and characters nobody sees."""
    match = _SILENT_RUN.match(text)
    return Verdict(match.end() if match else 1)


def newline(text: str, before: str, is_last: bool) -> Verdict | None:
    """Keep the end of a line: the voice makes a pause there."""
    return Verdict(1, say="\n", ends_line=True)


def bar(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop the lines of tables and the signs of spoilers."""
    return Verdict(1)


def star(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop stars, with what is between them if it is something done and not said."""
    run = len(text) - len(text.lstrip("*"))
    if run == len(text) and not is_last and run < 8:
        return None
    if run > 1:
        return Verdict(run)
    if before.isalnum() and text[1:2].isdigit():
        return Verdict(1, say="*")
    if span := _SPAN.match(text):
        inner = span[1]
        return Verdict(span.end(), read_again="" if is_action(inner) else inner)
    is_open = len(text) < 122 and not re.search(r"[*\n]", text[1:]) and not text[1:2].isspace()
    return None if is_open and not is_last else Verdict(1)


def underscore(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop underscores around words, and make those within words spaces."""
    if not before.isalnum():
        return Verdict(1)
    if len(text) == 1 and not is_last:
        return None
    return Verdict(1, say=" " if text[1:2].isalnum() else "")


def tilde(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop tildes; before a number one means `about`."""
    if before.isalnum() or before in "~!?":
        return Verdict(1)
    if len(text) == 1 and not is_last:
        return None
    return Verdict(1, say="about " if text[1:2].isdigit() else "")


def backtick(text: str, before: str, is_last: bool) -> Verdict | None:
    """Keep code within a sentence, and drop blocks of it."""
    run = len(text) - len(text.lstrip("`"))
    if run < 3 and run == len(text) and not is_last:
        return None
    return Verdict(3, skip_until="```") if run >= 3 else Verdict(run)


def bracket(text: str, before: str, is_last: bool) -> Verdict | None:
    """Make links their text; leave expression tags alone."""
    closed = _BRACKET.match(text)
    if closed is None:
        is_open = len(text) < 102 and not re.search(r"[\[\]\n]", text[1:])
        return None if is_open and not is_last else Verdict(1, say="[")
    after = text[closed.end() :]
    if not after and not is_last:
        return None
    if after[:1] == "(":
        if target := _TARGET.match(after):
            return Verdict(closed.end() + target.end(), read_again=closed[1])
        if not is_last and len(after) < 402 and not re.search(r"[()\n]", after[1:]):
            return None
    if _TAG_WORDS.fullmatch(closed[1]):
        return Verdict(closed.end(), say=closed[0])
    return Verdict(1, say="[")


def exclamation(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop the sign of a picture, whose text is read as a link's."""
    if len(text) == 1 and not is_last:
        return None
    return Verdict(1, say="" if text[1:2] == "[" else "!")


def angle(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop tags of HTML and Discord, hearts, and all thoughts."""
    if len(text) == 1 and not is_last:
        return None
    if re.match(r"<[3/]+(?!\w)", text) and text[1] == "3":
        return Verdict(2)
    if text.startswith("<!--"):
        return Verdict(4, skip_until="-->")
    return _html(text, is_last)


def _html(text: str, is_last: bool) -> Verdict | None:
    match = _HTML.match(text)
    if match is None:
        may = re.fullmatch(r"</?[A-Za-z!@#:][^<>\n]{0,200}|</", text)
        return None if may and not is_last else Verdict(1, say="" if text[1:2] == "/" else "<")
    if re.match(r"<(https?://|www\.)", text, re.IGNORECASE):
        return Verdict(match.end(), read_again=text[1 : match.end() - 1] + " ")
    name = re.sub(r"[^a-z0-9].*", "", text[1:20].lower())
    if name in _THOUGHTS:
        return Verdict(match.end(), skip_until=f"</{name}>")
    closing = text[1:20].lower().lstrip("/")
    is_block = re.sub(r"[^a-z0-9].*", "", closing) in _BLOCKS
    return Verdict(match.end(), say=" " if is_block else "")


def ampersand(text: str, before: str, is_last: bool) -> Verdict | None:
    """Read entities of HTML as what they stand for."""
    if entity := _ENTITY.match(text):
        meant = html.unescape(entity[0]).replace("\xa0", " ")
        if len(meant) < len(entity[0]):
            return Verdict(entity.end(), read_again=meant)
    elif not is_last and re.fullmatch(r"&(#?\w{0,31})", text):
        return None
    return Verdict(1, say="&")


def backslash(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop a backslash, with the sign that it protects."""
    if len(text) == 1 and not is_last:
        return None
    return Verdict(2 if text[1:2] and text[1] in "*_`~#|\\" else 1)


def colon(text: str, before: str, is_last: bool) -> Verdict | None:
    """Drop shortcodes of emoji, and emoticons."""
    for pattern in (_SHORTCODE, _EMOTICON):
        if match := pattern.match(text):
            if match.end() == len(text) and not is_last and match[0][-1] != ":":
                return None
            return Verdict(match.end())
    if not is_last and re.fullmatch(r"[:;]['-]?|:[a-zA-Z0-9_+\-]{0,40}|[:;]['-]?[DPpOo3]", text):
        return None
    return Verdict(1, say=text[0])
