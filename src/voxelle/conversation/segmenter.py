"""Where speech begins, pauses and ends: a state machine that counts in audio time.

It sees one voice probability per VAD window and nothing else: no clock, no
text, no task. How much silence ends an utterance is asked for when it matters.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

WINDOW_SECONDS = 0.032
"""Length of one VAD window: 512 samples at 16 kHz, what Silero VAD takes."""

VOICE_ABOVE = 0.5
"""Probability at which silence becomes voice: Silero's own default."""

SILENCE_BELOW = 0.35
"""Probability at which voice becomes silence: Silero's default, 0.15 below the other."""

ONSET_WINDOWS = 2
"""Windows of voice in a row that are speech: on labelled speech, 56 ms after it began (median)."""

PAUSE_WINDOWS = 2
"""Windows of silence in a row that are a pause: the moment to begin a reply on speculation."""


class Change(Enum):
    """What a window brought about."""

    STARTED = auto()
    PAUSED = auto()
    RESUMED = auto()
    ENDED = auto()
    """Enough silence: the utterance is complete."""
    CUT = auto()
    """The utterance was too long; speech goes on in a new one."""


class Segmenter:
    """Cuts one speaker's windows into utterances."""

    def __init__(self, silence_s: Callable[[], float], longest_s: float) -> None:
        self._silence_s = silence_s
        self._longest_s = longest_s
        self._is_voice = False
        self._run = 0
        """Windows in a row that are on the other side of where we are."""
        self.is_speech = False
        self.is_paused = False
        self.speech_s = 0.0
        """Seconds since the utterance began, pauses included, the silence at its end not."""
        self.voiced_s = 0.0
        """Seconds of voice in the utterance."""
        self.silence_s = 0.0
        """Seconds of silence since the last voice."""

    def feed(self, probability: float) -> Change | None:
        """Take the next window; tell what it changed, if anything."""
        self._is_voice = probability >= (SILENCE_BELOW if self._is_voice else VOICE_ABOVE)
        return self._while_speech() if self.is_speech else self._while_silent()

    def finish(self) -> Change | None:
        """End the utterance now, because the speaker says that it is complete."""
        if not self.is_speech:
            self._run = 0
            return None
        return self._end(Change.ENDED)

    def _while_silent(self) -> Change | None:
        self._run = self._run + 1 if self._is_voice else 0
        if self._run < ONSET_WINDOWS:
            return None
        self.is_speech = True
        self.is_paused = False
        self.speech_s = self.voiced_s = self._run * WINDOW_SECONDS
        self.silence_s = 0.0
        self._run = 0
        return Change.STARTED

    def _while_speech(self) -> Change | None:
        if self._is_voice:
            return self._voice()
        self.silence_s += WINDOW_SECONDS
        if self.is_paused:
            # Half a window of tolerance: a sum of floats must not cost a whole window.
            if self.silence_s + WINDOW_SECONDS / 2 >= self._silence_s():
                return self._end(Change.ENDED)
        elif self.silence_s + WINDOW_SECONDS / 2 >= PAUSE_WINDOWS * WINDOW_SECONDS:
            self.is_paused = True
            return Change.PAUSED
        return None

    def _voice(self) -> Change | None:
        self.speech_s += self.silence_s + WINDOW_SECONDS
        self.voiced_s += WINDOW_SECONDS
        self.silence_s = 0.0
        if self.speech_s >= self._longest_s:
            return self._end(Change.CUT)
        if self.is_paused:
            self.is_paused = False
            return Change.RESUMED
        return None

    def _end(self, change: Change) -> Change:
        self.is_speech = False
        self.is_paused = False
        self._run = 0
        return change
