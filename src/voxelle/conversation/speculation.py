"""A reply that is begun at the first silence, before it is certain that the person has finished."""

from __future__ import annotations

import re
from collections.abc import Callable

from voxelle.conversation.director import Impulse
from voxelle.conversation.floor import Floor
from voxelle.conversation.settings import ConversationSettings
from voxelle.conversation.turn import Task
from voxelle.conversation.utterance import Utterance

MOST_PER_UTTERANCE = 3
"""Replies that may be thrown away during one utterance: each costs the model's time."""

LONGEST_UTTERANCE_S = 10.0
"""Somebody who speaks this long pauses to think; a guess at their end is mostly wrong."""

_WORD = re.compile(r"[^\W_]+")


class Speculation:
    """Knows for which words the prepared turn was begun, and whether they came true."""

    def __init__(self, floor: Floor, settings: ConversationSettings) -> None:
        self._floor = floor
        self._mode = settings.speculation
        self._utterance: Utterance | None = None
        self._words: list[str] = []

    def resettle(self, settings: ConversationSettings) -> None:
        """Follow other settings from the next pause on."""
        self._mode = settings.speculation

    def begin(self, utterance: Utterance, make: Callable[[Utterance], Task]) -> None:
        """Prepare a reply to the words so far, if there are any and they are new."""
        words = _words(utterance.partial)
        if self._mode == "off" or not words or utterance.speech_s > LONGEST_UTTERANCE_S:
            return
        if self._utterance is utterance and self._words == words:
            return
        if utterance.speculations >= MOST_PER_UTTERANCE:
            self.discard()
            return
        utterance.speculations += 1
        self._utterance, self._words = utterance, words
        self._floor.prepare(make(utterance))

    def discard(self, utterance: Utterance | None = None) -> None:
        """Throw the prepared turn away, if it is about this utterance or whatever it is about."""
        if utterance is None or utterance is self._utterance:
            self._utterance, self._words = None, []
            self._floor.discard()

    def fits(self, impulse: Impulse) -> bool:
        """Tell whether the prepared turn answers just this."""
        if self._utterance is None or impulse.utterance is not self._utterance:
            return False
        return len(impulse.remarks) == 1 and _words(impulse.remarks[0].text) == self._words


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
