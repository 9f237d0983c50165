from __future__ import annotations

import numpy as np
import pytest

from voxelle.client import Playout
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    PlaybackReported,
    RoomJoined,
    VoiceDucked,
    VoiceStopped,
)

FRAME = 480


def sound(turn: int, number: int = 0, value: int = 8_192, frames: int = 1) -> AudioSpoken:
    payload = np.full(FRAME * frames, value, dtype="<i2").tobytes()
    return AudioSpoken(turn=turn, rate=24_000, start=number * 0.02, payload=payload)


def done(turn: int, position: float) -> PlaybackReported:
    return PlaybackReported(turn=turn, position=position, is_done=True)


def test_a_turn_begins_when_enough_is_there_to_survive_a_jitter() -> None:
    playout = Playout()
    playout.take(sound(1, frames=2))
    assert not playout.read(FRAME).any()
    playout.take(sound(1, 2))
    assert playout.read(FRAME) == pytest.approx(0.25)
    assert playout.position == pytest.approx(0.02)


def test_a_short_turn_begins_when_it_is_complete() -> None:
    playout = Playout()
    playout.take(sound(1))
    playout.take(AudioEnded(turn=1, seconds=0.02))
    assert playout.read(FRAME).all()
    assert playout.reports() == [done(1, 0.02)]
    assert playout.reports() == []


def test_playback_is_reported_every_quarter_of_a_second_and_at_the_end() -> None:
    playout = Playout()
    playout.take(sound(1, frames=50))
    playout.take(AudioEnded(turn=1, seconds=1.0))
    for _ in range(60):
        playout.read(FRAME)
    reports = playout.reports()
    assert [report.is_done for report in reports] == [False, False, False, True]
    positions = [report.position for report in reports]
    assert positions == pytest.approx([0.26, 0.52, 0.78, 1.0])


def test_a_stop_fades_drops_the_rest_and_reports_what_was_heard() -> None:
    playout = Playout()
    playout.take(sound(1, frames=50))
    for _ in range(10):
        playout.read(FRAME)
    playout.take(VoiceStopped(turn=1))
    tail = playout.read(FRAME)
    assert np.count_nonzero(tail) <= 192  # 8 ms
    assert (np.diff(tail[:192]) <= 0).all()
    assert not playout.read(FRAME).any()
    *_, last = playout.reports()
    assert last.is_done
    assert last.position == pytest.approx(0.208)


def test_late_sound_of_a_stopped_turn_is_not_played() -> None:
    playout = Playout()
    playout.take(VoiceStopped(turn=3))
    for turn in (1, 2, 3):
        playout.take(sound(turn, frames=10))
        playout.take(AudioEnded(turn=turn, seconds=0.2))
    assert not playout.read(FRAME).any()
    playout.take(sound(4, frames=10))
    assert playout.read(FRAME).all()


def test_a_higher_turn_makes_a_lower_one_stale() -> None:
    playout = Playout()
    playout.take(sound(1, frames=10))
    playout.read(FRAME)
    playout.take(sound(2, value=16_384, frames=10))
    assert playout.read(FRAME) == pytest.approx(0.5)
    playout.take(sound(1, frames=10))
    assert playout.read(FRAME) == pytest.approx(0.5)
    assert playout.reports() == [done(1, 0.02)]


def test_ducking_fades_to_a_lower_gain_and_back() -> None:
    playout = Playout()
    playout.take(sound(1, frames=50))
    playout.read(FRAME)
    playout.take(VoiceDucked(turn=1, gain_db=-20.0, fade_s=0.02))
    fading = playout.read(FRAME)
    assert (np.diff(fading) < 0).all()
    assert playout.read(FRAME) == pytest.approx(0.025, abs=1e-4)
    playout.take(VoiceDucked(turn=1, gain_db=0.0, fade_s=0.02))
    playout.read(FRAME)
    assert playout.read(FRAME) == pytest.approx(0.25)


def test_running_dry_is_counted_and_does_not_move_the_position() -> None:
    playout = Playout()
    playout.take(sound(1, frames=3))
    for _ in range(5):
        playout.read(FRAME)
    assert playout.underruns == 1
    assert playout.position == pytest.approx(0.06)
    playout.take(AudioEnded(turn=1, seconds=0.06))
    assert playout.reports() == [done(1, 0.06)]


def test_another_core_may_count_its_turns_from_one_again() -> None:
    playout = Playout()
    playout.take(sound(9, frames=10))
    playout.take(VoiceStopped(turn=9))
    playout.take(RoomJoined(room="main", character="Iris", rate=24_000))
    playout.take(sound(1, frames=10))
    assert playout.read(FRAME).all()


def test_what_waits_is_bounded() -> None:
    playout = Playout()
    for number in range(200):
        playout.take(sound(1, number, frames=50))
    played = 0
    while playout.read(24_000).any():
        played += 1
    assert played == 30
