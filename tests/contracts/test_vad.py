"""What every voice detector must do, asked of every one that is registered."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.sounds import hiss, vowels
from voxelle.operations.registry import Choice
from voxelle.operations.vad.manager import VADManager

Windows = NDArray[np.float32]


@pytest.fixture(params=sorted(VADManager.registry.places()))
async def detector(request: pytest.FixtureRequest) -> AsyncIterator[VADManager]:
    manager = VADManager()
    await manager.use([Choice(id=request.param)])
    yield manager
    await manager.close()


VOWELS = vowels()
LOUD = np.sqrt(np.mean(VOWELS**2, axis=1)) > 0.03
"""Which windows hold a vowel."""


def scores(detector: VADManager, windows: Windows, stream: int = 0) -> list[float]:
    return [float(detector.score([stream], window[None])[0]) for window in windows]


async def test_scores_are_probabilities_one_per_row(detector: VADManager) -> None:
    detector.resize(3)
    given = detector.score([2, 0, 1], np.stack([VOWELS[20], hiss(1)[0], np.zeros(512, "f4")]))
    assert given.shape == (3,)
    assert given.dtype == np.float32
    assert ((given >= 0) & (given <= 1)).all()


async def test_voices_score_high_and_noise_low(detector: VADManager) -> None:
    detector.resize(1)
    assert np.mean(scores(detector, hiss(30))[5:]) < 0.2
    given = np.array(scores(detector, VOWELS))
    assert np.mean(given[LOUD] > 0.5) > 0.75
    assert np.mean(given[LOUD]) > np.mean(given[~LOUD]) + 0.3


async def test_streams_do_not_know_of_each_other(detector: VADManager) -> None:
    detector.resize(20)
    sound = [VOWELS[seed : seed + 25] if seed % 2 else hiss(25, 0.01, seed) for seed in range(20)]
    together = np.stack(
        [detector.score(list(range(20)), np.stack([s[n] for s in sound])) for n in range(25)]
    )
    for stream in (0, 7, 19):
        detector.reset(stream)
        alone = scores(detector, sound[stream], stream)
        assert together[:, stream] == pytest.approx(alone, abs=1e-5)


async def test_order_of_the_rows_does_not_matter(detector: VADManager) -> None:
    detector.resize(2)
    first, second = VOWELS[20], hiss(1)[0]
    one = detector.score([0, 1], np.stack([first, second]))
    detector.reset(0)
    detector.reset(1)
    other = detector.score([1, 0], np.stack([second, first]))
    assert one == pytest.approx(other[::-1], abs=1e-6)


async def test_more_room_keeps_what_is_known(detector: VADManager) -> None:
    detector.resize(1)
    sound = np.concatenate([VOWELS[:10], hiss(10, 0.01)])
    expected = scores(detector, sound)
    detector.reset(0)
    given: list[float] = []
    for index, window in enumerate(sound):
        detector.resize(1 + 3 * index)
        given += scores(detector, window[None])
    assert given == pytest.approx(expected, abs=1e-6)


async def test_reset_forgets(detector: VADManager) -> None:
    detector.resize(1)
    fresh = scores(detector, VOWELS[:8])
    assert scores(detector, VOWELS[:8]) != pytest.approx(fresh, abs=1e-6)
    detector.reset(0)
    assert scores(detector, VOWELS[:8]) == pytest.approx(fresh, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
async def test_broken_sound_counts_as_silence_and_poisons_nobody(
    detector: VADManager, bad: float
) -> None:
    detector.resize(2)
    broken = np.full(512, bad, np.float32)
    given = detector.score([0, 1], np.stack([broken, hiss(1)[0]]))
    assert np.isfinite(given).all()
    detector.reset(1)
    after, beside = scores(detector, VOWELS[:40], 0), scores(detector, VOWELS[:40], 1)
    assert np.isfinite(after).all()
    assert after[10:] == pytest.approx(beside[10:], abs=0.2)


async def test_no_windows_are_no_scores(detector: VADManager) -> None:
    detector.resize(1)
    assert detector.score([], np.zeros((0, 512), np.float32)).shape == (0,)


async def test_new_detector_takes_over_the_streams(detector: VADManager) -> None:
    detector.resize(5)
    await detector.use([Choice(id="energy")])
    assert detector.score([4], hiss(1)).shape == (1,)
