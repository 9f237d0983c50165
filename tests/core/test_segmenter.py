from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.conversation.segmenter import WINDOW_SECONDS, Change, Segmenter


def segmenter(silence_s: float = 0.32, longest_s: float = 60.0) -> Segmenter:
    return Segmenter(lambda: silence_s, longest_s)


def changes(one: Segmenter, windows: str) -> list[tuple[int, Change]]:
    """Feed `#` for voice, `.` for silence and `?` for neither."""
    level = {"#": 0.9, ".": 0.05, "?": 0.42}
    told = [(index, one.feed(level[window])) for index, window in enumerate(windows)]
    return [(index, change) for index, change in told if change is not None]


def test_one_window_of_voice_is_no_speech() -> None:
    assert changes(segmenter(), "..#..#...") == []


def test_two_windows_of_voice_are_speech() -> None:
    assert changes(segmenter(), "..##") == [(3, Change.STARTED)]


def test_silence_is_first_a_pause_and_then_the_end() -> None:
    told = changes(segmenter(0.32), "####" + "." * 12)
    assert told == [(1, Change.STARTED), (5, Change.PAUSED), (13, Change.ENDED)]


def test_voice_in_a_pause_resumes_the_utterance() -> None:
    told = changes(segmenter(0.32), "####...##..........")
    assert [change for _, change in told] == [
        Change.STARTED, Change.PAUSED, Change.RESUMED, Change.PAUSED, Change.ENDED,
    ]  # fmt: skip


def test_what_is_neither_loud_nor_silent_stays_what_it_was() -> None:
    assert changes(segmenter(), "????##????????") == [(5, Change.STARTED)]


def test_speech_without_a_pause_is_cut_and_goes_on_in_a_new_utterance() -> None:
    told = changes(segmenter(longest_s=0.64), "#" * 25)
    assert told == [(1, Change.STARTED), (19, Change.CUT), (21, Change.STARTED)]


def test_speaker_may_say_that_the_utterance_is_complete() -> None:
    one = segmenter()
    assert one.finish() is None
    changes(one, "####")
    assert one.finish() is Change.ENDED
    assert not one.is_speech


def test_how_much_silence_is_asked_for_when_it_matters() -> None:
    waits = iter([0.096, 1.0])
    one = Segmenter(lambda: next(waits), 60.0)
    told = changes(one, "####....")
    assert told[-1] == (6, Change.ENDED)


def test_seconds_of_speech_leave_out_the_silence_at_the_end() -> None:
    one = segmenter()
    changes(one, "####...####" + "." * 12)
    assert one.speech_s == pytest.approx(11 * WINDOW_SECONDS)
    assert one.voiced_s == pytest.approx(8 * WINDOW_SECONDS)


@given(st.lists(st.floats(0, 1)), st.floats(0.05, 1.5))
def test_every_start_has_one_end_and_pauses_lie_between(levels: list[float], wait: float) -> None:
    one = segmenter(wait, longest_s=5.0)
    told = [change for level in levels if (change := one.feed(level)) is not None]
    is_speech = is_paused = False
    for change in told:
        match change:
            case Change.STARTED:
                assert not is_speech
                is_speech, is_paused = True, False
            case Change.PAUSED:
                assert is_speech
                assert not is_paused
                is_paused = True
            case Change.RESUMED:
                assert is_speech
                assert is_paused
                is_paused = False
            case _:
                assert is_speech
                is_speech = False
    assert is_speech == one.is_speech
