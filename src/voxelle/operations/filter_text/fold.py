"""What a character may stand for, whatever it is disguised as."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Letters of other alphabets that look like Latin ones, and Latin ones that Unicode does not take
# apart. Written for this project by looking through the Cyrillic, Greek, Armenian, Cherokee and
# phonetic blocks; the pairs are (what it looks like, the lower-case characters that do).
_LOOK_ALIKES = {
    "a": "аαɑᴀᗅӓӑ", "b": "ьвβʙɓƀᏏ", "c": "сϲᴄⅽƈ", "d": "ԁɗđᴅⅾᏧ", "e": "еεєҽɛᴇëэ", "f": "ғƒꜰϝ",
    "g": "ɡցɢǥɠ", "h": "һнħʜհɦ", "i": "іιɪıɨӏ", "j": "јϳᴊʝɉ", "k": "кκᴋƙқҟ", "l": "ⅼłʟɭƚו",
    "m": "мᴍⅿɱ", "n": "пηɴոŋɲ", "o": "оοσօøᴏθơɵ", "p": "рρᴘþƥ", "q": "ԛզɋ", "r": "гʀɾɽя",
    "s": "ѕꜱʂș", "t": "тτᴛŧţƭ", "u": "υսᴜʉцư", "v": "ѵνᴠʋ", "w": "ԝωᴡшѡɯ", "x": "хχⅹ×җ",
    "y": "уγʏүɏƴ", "z": "ᴢʐƶȥʑ",
}  # fmt: skip
_LOOKS_LIKE = {alike: letter for letter, all_ in _LOOK_ALIKES.items() for alike in all_}

_LEET = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b",
    "9": "g", "@": "a", "$": "s", "!": "i", "|": "il", "+": "t", "€": "e", "£": "l", "¡": "i",
    "(": "c", "<": "c", "§": "s", "¢": "c",
}  # fmt: skip
"""Digits and signs that are read as letters."""

_SQUARED = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))
"""Letters in black circles, in squares and of flags, which Unicode does not take apart either."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What one character is to the safety filter."""

    plain: str
    """Lower case, without accents and disguise; empty if it is invisible."""

    letters: tuple[str, ...]
    """For each letter it stands for (`ﬃ` for three), those that it may be: `1` is `il`."""

    is_letter: bool
    """Whether it is a letter by itself, and so continues a word."""

    is_space: bool

    @property
    def is_ignored(self) -> bool:
        """Whether it is as if it were not there."""
        return not self.plain

    @property
    def is_gap(self) -> bool:
        """Whether it may stand between the letters of a word: neither letter nor digit."""
        return not self.is_letter and not self.plain.isalnum()


@lru_cache(maxsize=8_192)
def fold(character: str) -> Folded:
    """Tell what one character may stand for."""
    if character.isspace():
        return Folded(" ", (), is_letter=False, is_space=True)
    parts = unicodedata.normalize("NFKD", _unsquare(character)).casefold()
    kept = [part for part in parts if unicodedata.category(part) not in ("Mn", "Me", "Cf", "Cc")]
    plain = "".join(_LOOKS_LIKE.get(part, part) for part in kept)
    if plain.isspace():
        return Folded(" ", (), is_letter=False, is_space=True)
    letters = tuple(_LEET.get(part, part) for part in plain if part in _LEET or part.isalpha())
    return Folded(plain, letters, is_letter=plain.isalpha(), is_space=False)


def fold_word(word: str) -> str:
    """Give a word without accents and disguise, letters only."""
    return "".join(part for character in word for part in fold(character).plain if part.isalpha())


def _unsquare(character: str) -> str:
    for first, count in _SQUARED:
        if first <= ord(character) < first + count:
            return chr(ord("a") + ord(character) - first)
    return character
