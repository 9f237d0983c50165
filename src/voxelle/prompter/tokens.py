"""How many tokens a text costs, guessed without a tokenizer."""

from __future__ import annotations

import re

MESSAGE_TOKENS = 5
"""What the marks around one message cost; 3 to 5 in the chat formats in use."""

_PIECES = re.compile(r"[A-Za-z]+|[^\sA-Za-z]")
_LETTERS_PER_TOKEN = 4
"""English prose has 4 to 5 letters per token; words are rounded up, which is the reserve."""


def estimate(text: str) -> int:
    """Guess the tokens of a text, rather too many than too few.

    A word costs one token per four letters begun, a digit or other ASCII sign one, and
    any other character as many as its UTF-8 form has bytes, less one (é 1, 你 2, 😀 3).
    That is never below the four bytes per token that are usual for English with vocabularies
    of 30 000 tokens and more; models with small vocabularies need more than this says.
    """
    count = 0
    for piece in _PIECES.findall(text):
        if piece.isascii():
            count += (len(piece) + _LETTERS_PER_TOKEN - 1) // _LETTERS_PER_TOKEN
        else:
            count += max(1, len(piece.encode("utf-8", "replace")) - 1)
    return count


def shorten(text: str, tokens: int) -> str:
    """Give the beginning of a text that costs at most `tokens`, cut between words if it can be."""
    if estimate(text) <= tokens:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if estimate(text[:middle]) <= tokens else (fits, middle)
    cut = text[:fits]
    return (cut.rsplit(None, 1)[0] if " " in cut.strip() else cut).rstrip()
