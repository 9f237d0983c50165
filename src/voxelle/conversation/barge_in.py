"""Whether somebody who speaks while she does means to interrupt her."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from voxelle.conversation.settings import BargeInSettings, Policy

Verdict: TypeAlias = Literal["wait", "duck", "stop"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class BargeIn:
    """Judges speech that overlaps hers; knows nothing but seconds and words."""

    def __init__(self, settings: BargeInSettings) -> None:
        self._settings = settings
        phrases = sorted((_words(phrase) for phrase in settings.back_channels), key=len)
        self._back_channels = frozenset(phrases)
        self._longest = max((len(phrase) for phrase in phrases), default=0)

    def policy(self, platform: str) -> Policy:
        """Tell what speech from this platform does to hers."""
        return self._settings.policies.get(platform, "stop")

    def judge(self, platform: str, speech_s: float, partial: str) -> Verdict:
        """Say what to do about speech that has lasted this long and means this so far."""
        policy = self.policy(platform)
        if policy == "ignore":
            return "wait"
        if policy == "stop" and self._is_certain(speech_s, partial):
            return "stop"
        return "duck" if speech_s >= self._settings.duck_after_s else "wait"

    def is_back_channel(self, text: str) -> bool:
        """Tell whether the words only show that somebody listens; no words at all count as that."""
        words = _words(text)
        start = 0
        while start < len(words):
            for length in range(min(self._longest, len(words) - start), 0, -1):
                if words[start : start + length] in self._back_channels:
                    start += length
                    break
            else:
                return False
        return True

    def _is_certain(self, speech_s: float, partial: str) -> bool:
        has_words = bool(_words(partial))
        if has_words and not self.is_back_channel(partial):
            return speech_s >= self._settings.stop_after_words_s
        if has_words:
            return speech_s >= self._settings.longest_back_channel_s
        return speech_s >= self._settings.stop_after_s


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(text))
