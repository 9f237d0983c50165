"""What a voice is given to read, made harmless once for all voices."""

from __future__ import annotations

import unicodedata

SILENT = ("Cc", "Cs", "Cn")
"""Unicode categories nobody can read aloud: control characters, halves of characters, and none."""


def plain(line: str) -> str:
    """Put a blank for each character that is a command or an error to some voice.

    espeak-ng takes control characters for commands and NUL for the end; half a character cannot
    be sent to a server. The line keeps its length, so an index into it stays right.
    """
    return "".join(" " if unicodedata.category(one) in SILENT else one for one in line)
