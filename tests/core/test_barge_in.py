from __future__ import annotations

import pytest

from voxelle.conversation.barge_in import BargeIn
from voxelle.conversation.settings import BargeInSettings

BARGE_IN = BargeIn(BargeInSettings(policies={"tv": "ignore", "stage": "duck"}))


@pytest.mark.parametrize(
    ("seconds", "partial", "verdict"),
    [
        (0.05, "", "wait"),
        (0.1, "", "duck"),
        (0.45, "", "duck"),
        (0.5, "", "stop"),
        (0.15, "stop it", "duck"),
        (0.2, "stop it", "stop"),
        (0.9, "mhm", "duck"),
        (0.9, "yeah, right", "duck"),
        (0.9, "yeah but", "stop"),
        (1.5, "yeah yeah yeah", "stop"),
    ],
)
def test_two_steps_by_seconds_and_words(seconds: float, partial: str, verdict: str) -> None:
    assert BARGE_IN.judge("discord", seconds, partial) == verdict


def test_a_source_may_be_ignored_or_only_duck_her() -> None:
    assert BARGE_IN.judge("tv", 9.0, "breaking news tonight") == "wait"
    assert BARGE_IN.judge("stage", 9.0, "stop it now") == "duck"


@pytest.mark.parametrize("text", ["mhm", "Uh huh.", "OK!", "yeah yeah", "I see, okay", "", "..."])
def test_back_channels(text: str) -> None:
    assert BARGE_IN.is_back_channel(text)


@pytest.mark.parametrize("text", ["no", "I see you", "okay stop", "what", "yeahbut"])
def test_words_that_mean_something(text: str) -> None:
    assert not BARGE_IN.is_back_channel(text)
