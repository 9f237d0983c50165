from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.conversation.endpointing import Endpointing
from voxelle.conversation.settings import EndpointingSettings

SETTINGS = EndpointingSettings()


@pytest.mark.parametrize(
    "text", ["Is that so?", "Stop!", "I see.", 'He said "no."', "そうですか？"]
)
def test_finished_words_are_answered_soon(text: str) -> None:
    assert Endpointing(SETTINGS).silence_s(text) == SETTINGS.finished_s


@pytest.mark.parametrize("text", ["I went to the", "first of all,", "because", "well um", "So I"])
def test_unfinished_words_are_waited_for(text: str) -> None:
    assert Endpointing(SETTINGS).silence_s(text) == SETTINGS.unfinished_s


@pytest.mark.parametrize("text", ["", "play the red card", "tell me a story"])
def test_without_a_sign_the_wait_lies_between(text: str) -> None:
    assert Endpointing(SETTINGS).silence_s(text) == SETTINGS.unsure_s


def test_somebody_who_pauses_long_is_given_more_time() -> None:
    slow = Endpointing(SETTINGS)
    for pause in (0.6, 0.55, 0.62, 0.58):
        slow.note_pause(pause)
    assert slow.silence_s("tell me") > 0.62


def test_somebody_who_hardly_pauses_is_answered_sooner() -> None:
    quick = Endpointing(SETTINGS)
    for _ in range(6):
        quick.note_pause(0.1)
    assert quick.silence_s("tell me") < SETTINGS.unsure_s
    assert quick.silence_s("tell me") >= 0.7 * SETTINGS.unsure_s


def test_one_stray_pause_changes_nothing_much() -> None:
    usual = Endpointing(SETTINGS)
    for pause in (0.2, 0.25, 1.1, 0.2, 0.22):
        usual.note_pause(pause)
    assert usual.silence_s("tell me") <= SETTINGS.unsure_s


def test_old_habits_are_forgotten() -> None:
    changed = Endpointing(SETTINGS)
    for _ in range(12):
        changed.note_pause(0.9)
    for _ in range(12):
        changed.note_pause(0.15)
    assert changed.silence_s("tell me") < SETTINGS.unsure_s


@given(st.lists(st.floats(0, 30)), st.text(max_size=40))
def test_the_wait_never_exceeds_the_cap(pauses: list[float], text: str) -> None:
    one = Endpointing(SETTINGS)
    for pause in pauses:
        one.note_pause(pause)
    assert 0 < one.silence_s(text) <= SETTINGS.cap_s
