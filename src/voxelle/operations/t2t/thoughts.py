"""What a model thinks before it speaks, taken out of its reply."""

from __future__ import annotations

import re

NAMES = ("think", "thinking", "thought", "reasoning")
"""Tags in which local models write their thoughts: `<think>` (DeepSeek R1, Qwen 3) and its kin."""

_OPENING = re.compile(rf"<({'|'.join(NAMES)})>", re.IGNORECASE)
_CLOSING = re.compile(rf"</({'|'.join(NAMES)})>", re.IGNORECASE)
_TAGS = tuple(f"<{slash}{name}>" for slash in ("", "/") for name in NAMES)


class ThoughtFilter:
    """Takes `<think>...</think>` out of a reply, wherever the pieces cut it.

    A thought that is never closed hides the rest of the reply. With
    `starts_inside` the reply begins within a thought, as with servers whose
    prompt template already opened the tag.
    """

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._is_inside = starts_inside
        self._held = ""
        self._is_after_thought = starts_inside
        self.has_thought = False
        """Whether anything was taken out so far."""

    def push(self, piece: str) -> str:
        """Take a piece, give what may be spoken by now; at most a tag's length is held back."""
        self._held += piece
        spoken: list[str] = []
        while self._step(spoken):
            pass
        return self._trimmed("".join(spoken))

    def finish(self) -> str:
        """Give what was held back, because it could have become a tag and did not."""
        rest, self._held = ("" if self._is_inside else self._held), ""
        return self._trimmed(rest)

    def _step(self, spoken: list[str]) -> bool:
        """Go on to the next tag; tell whether there was a whole one."""
        tag = (_CLOSING if self._is_inside else _OPENING).search(self._held)
        end = tag.start() if tag else len(self._held) - self._length_of_possible_tag()
        if self._is_inside:
            self.has_thought = self.has_thought or bool(self._held[:end].strip())
        else:
            spoken.append(self._held[:end])
        self._held = self._held[tag.end() if tag else end :]
        if tag:
            self._is_inside = not self._is_inside
            self._is_after_thought = True
        return tag is not None

    def _length_of_possible_tag(self) -> int:
        at = self._held.rfind("<")
        ending = self._held[at:].lower() if at >= 0 else ""
        return len(ending) if ending and any(tag.startswith(ending) for tag in _TAGS) else 0

    def _trimmed(self, text: str) -> str:
        """Drop the blank lines between a thought and what is said after it."""
        if self._is_after_thought and text:
            text = text.lstrip()
            self._is_after_thought = not text
        return text
