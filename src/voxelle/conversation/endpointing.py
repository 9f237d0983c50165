"""How much silence ends what somebody says: by their words and by their own pauses."""

from __future__ import annotations

from collections import deque

from voxelle.conversation.settings import EndpointingSettings

_FINISHED = (".", "?", "!", "。", "？", "！", "…")

_UNFINISHED = frozenset(
    """
    a an the and or but so because if when while that which who whose to of for from with in on
    at by as is are was were am be been my your his her its our their this these those i you he
    she we they um uh er erm like well very really just can could will would should may might
    must do does did have has had not than then about into over under between what where why how
    """.split()
)
"""Words after which a sentence seldom ends: function words and fillers of English."""

PAUSES_REMEMBERED = 12
"""Pauses a speaker's habit is judged by: about the last half minute of somebody's speech."""

PAUSES_NEEDED = 3
"""Pauses that must be known before the habit counts."""

USUAL_PAUSE_S = 0.35
"""The pause inside a sentence that the settings are made for; measured medians are 0.2-0.5 s."""

HABIT_MARGIN = 1.25
"""How far above a speaker's long pauses the wait should lie."""

QUICKEST = 0.7
"""Share of the usual wait that even the hastiest speaker is given."""


class Endpointing:
    """Knows one speaker's pauses, and tells how long to wait for more words."""

    def __init__(self, settings: EndpointingSettings) -> None:
        self._settings = settings
        self._pauses: deque[float] = deque(maxlen=PAUSES_REMEMBERED)

    def resettle(self, settings: EndpointingSettings) -> None:
        """Follow other settings from now on; what is known about the speaker stays."""
        self._settings = settings

    def note_pause(self, seconds: float) -> None:
        """Learn from a pause after which the speaker went on."""
        self._pauses.append(min(seconds, self._settings.cap_s))

    def silence_s(self, partial: str) -> float:
        """Tell how much silence ends an utterance whose words so far are `partial`, in seconds."""
        wait = self._by_words(partial)
        if len(self._pauses) >= PAUSES_NEEDED:
            wait = self._by_habit(wait)
        return min(wait, self._settings.cap_s)

    def _by_words(self, partial: str) -> float:
        text = partial.rstrip("\"')]} ”’»")
        if not text:
            return self._settings.unsure_s
        if text.endswith(_FINISHED):
            return self._settings.finished_s
        last = text.rsplit(None, 1)[-1].lower()
        if last.endswith((",", "-", "—", ":", ";")) or last in _UNFINISHED:
            return self._settings.unfinished_s
        return self._settings.unsure_s

    def _by_habit(self, wait: float) -> float:
        # The second longest of the last pauses: one stray pause must not make her slow.
        long_pause = sorted(self._pauses)[-2]
        if long_pause > USUAL_PAUSE_S:
            return max(wait, long_pause * HABIT_MARGIN)
        return wait * max(QUICKEST, long_pause / USUAL_PAUSE_S)
