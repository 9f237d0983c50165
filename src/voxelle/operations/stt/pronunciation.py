"""A guess at how an English word that is in no dictionary is said, in ARPABET.

Names of characters and streamers are such words. The guess goes from left to right and takes the
longest spelling it knows; it is a start, and `words` in the configuration can say it better.
"""

from __future__ import annotations

import re

PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH"
    " UH UW V W Y Z ZH".split()
)
"""The sounds of the en-us acoustic model, those of the CMU dictionary without stress."""

_SPELLINGS: dict[str, str] = {
    "tion": "SH AH N",
    "sion": "ZH AH N",
    "ough": "AO",
    "eigh": "EY",
    "augh": "AO",
    "tch": "CH",
    "igh": "AY",
    "sch": "SH",
    "dge": "JH",
    "eau": "OW",
    "air": "EH R",
    "ear": "IH R",
    "eer": "IH R",
    "our": "AO R",
    "ch": "CH",
    "sh": "SH",
    "th": "TH",
    "ph": "F",
    "wh": "W",
    "ck": "K",
    "ng": "NG",
    "qu": "K W",
    "gh": "G",
    "kn": "N",
    "wr": "R",
    "ps": "P S",
    "oo": "UW",
    "ee": "IY",
    "ea": "IY",
    "ai": "EY",
    "ay": "EY",
    "oa": "OW",
    "ou": "AW",
    "ow": "OW",
    "oi": "OY",
    "oy": "OY",
    "au": "AO",
    "aw": "AO",
    "ew": "Y UW",
    "ei": "EY",
    "ey": "IY",
    "ie": "IY",
    "ue": "UW",
    "er": "ER",
    "ir": "ER",
    "ur": "ER",
    "ar": "AA R",
    "or": "AO R",
    "a": "AE",
    "b": "B",
    "c": "K",
    "d": "D",
    "e": "EH",
    "f": "F",
    "g": "G",
    "h": "HH",
    "i": "IH",
    "j": "JH",
    "k": "K",
    "l": "L",
    "m": "M",
    "n": "N",
    "o": "AA",
    "p": "P",
    "q": "K",
    "r": "R",
    "s": "S",
    "t": "T",
    "u": "AH",
    "v": "V",
    "w": "W",
    "x": "K S",
    "y": "Y",
    "z": "Z",
}

_ENDINGS: dict[str, str] = {"a": "AH", "o": "OW", "i": "IY", "y": "IY", "u": "UW", "e": ""}
"""How a vowel is said at the end of a word; an e is silent there."""

_LONG: dict[str, str] = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}
"""How a vowel is said before one consonant and a silent e."""


def guess(word: str) -> str:
    """Give the sounds of a word; an empty text if it has no letters."""
    letters = re.sub("[^a-z]", "", word.lower())
    letters = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", letters)
    sounds: list[str] = []
    at = 0
    while at < len(letters):
        spelling, sound = _sound(letters, at)
        sounds += sound.split()
        at += len(spelling)
    return " ".join(sounds)


def _sound(letters: str, at: int) -> tuple[str, str]:
    """Give the next spelling of a word and its sound."""
    rest = letters[at:]
    if len(rest) == 1 and at > 0 and rest in _ENDINGS:
        return rest, _ENDINGS[rest]
    if re.fullmatch(r"[aeiou][^aeiouy]e", rest):
        return rest[0], _LONG[rest[0]]
    if rest[0] == "c" and rest[1:2] in ("e", "i", "y") and rest[1:2]:
        return "c", "S"
    if rest[0] == "y" and at > 0 and rest[1:2] not in _LONG:
        return "y", "IH"
    for length in (4, 3, 2, 1):
        if (spelling := rest[:length]) in _SPELLINGS and len(spelling) == length:
            return spelling, _SPELLINGS[spelling]
    return rest[0], ""
