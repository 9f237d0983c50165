"""What the clause cutter knows about written language."""

from __future__ import annotations

import re

ABBREVIATIONS = frozenset(
    "mr mrs ms mx dr prof rev hon gen col capt lt sgt st mt vs e.g i.e cf ca approx fig vol "
    "bzw ca z.b d.h u.a usw nr str".split()
)
"""Words that end in a full stop and (nearly) never end a sentence."""

LAST_WORDS = frozenset("etc inc ltd corp jr sr a.m p.m al ph.d".split())
"""Abbreviations that may end a sentence: they do when a capital letter follows."""

DANGLING = frozenset(
    "a an the this that these those my your his her its our their some any no every each of in on "
    "at to for from with by as into onto over under about than and or but nor so if because when "
    "while until since although though which who whose is are was were be been am i'm you're we're "
    "they're he's she's it's not very really too more most such what how i you he she we they will "
    "would can could should may might must have has had do does did don't doesn't didn't won't "
    "can't let's mr mrs ms dr "
    "der die das den dem des ein eine einen einem einer und oder aber in im am an auf zu zur zum "
    "von vom mit bei für le la les un une des du de et ou el los las una y o".split()
)
"""Words after which a voice must not stop: something is bound to follow them."""

OPENING = frozenset(
    "and or but so because when while until since although though if which who that then before "
    "after than with without for from in on at by to into about over under between through during "
    "und oder aber weil wenn dass mit ohne für von et ou mais parce que y o pero porque".split()
)
"""Words before which a voice may take a breath."""

CLOSERS = "\"'”’»)]}」』*_"
"""Quotation marks and brackets that still belong to the sentence they end."""

STRONG = ".!?…。！？"
WEAK = ",;:，、；：—–"
WIDE = "。！？，、；："
"""Marks of scripts that write no spaces: the next word follows at once."""

BORDER = re.compile(
    rf"(?P<strong>[{STRONG}]+[{re.escape(CLOSERS)}]*)"
    rf"|(?P<weak>[{WEAK}]+[{re.escape(CLOSERS)}]*|--+|(?<= )-(?= ))"
    r"|(?P<space>\s)"
)
"""Everything at which something may be decided."""

_WIDE_LETTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

_EDGES = "\"'“”‘’«»()[]{}「」『』*_¿¡.,;:!?…—–-"


def bare(word: str) -> str:
    """Give a word as the lists above have it."""
    return word.strip(_EDGES).casefold().replace("’", "'")


def is_initial(word: str) -> bool:
    """Tell whether a word before a full stop is an initial: `J`, `U.S`, but not `I`."""
    letters = word.lstrip("\"'“‘(").split(".")
    return all(len(letter) == 1 and letter.isalpha() for letter in letters) and word != "I"


def is_address(word: str) -> bool:
    """Tell whether a word looks like an address or a path, whose marks end nothing."""
    return "://" in word or word.startswith(("www.", "http", "mailto")) or "@" in word.strip("@")


def wide_words(text: str, end: int) -> int:
    """Count the words of scripts without spaces in `text[:end]`: two letters make about one."""
    return len(_WIDE_LETTER.findall(text, 0, end)) // 2
