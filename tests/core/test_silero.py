"""Our arithmetic against the official model's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from contracts.sounds import vowels
from voxelle.operations.base import Options
from voxelle.operations.vad import silero
from voxelle.operations.vad.silero import SileroVAD, load_weights
from voxelle.utils.exceptions import ConfigurationError

DIGEST = "b851386e9f000549776bcb7ff8d0ffe0bc51e6db0abb3f5a810331cc0b45ab57"
"""Of the names and numbers of silero-vad 6.2.3."""

GOLDEN = Path(__file__).parent / "data" / "silero_golden.json"


async def test_scores_are_those_of_the_official_model() -> None:
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    windows = vowels()
    async with SileroVAD(Options()) as vad:
        vad.resize(1)
        given = [float(vad.score([0], window[None])[0]) for window in windows]
    assert len(given) == len(expected) == 250
    assert 0.3 < np.mean(np.array(expected) > 0.5) < 0.7  # both answers are put to the test
    assert given == pytest.approx(expected, abs=1e-5)


async def test_scores_in_a_batch_are_those_of_the_official_model() -> None:
    expected = np.array(json.loads(GOLDEN.read_text(encoding="utf-8")))
    windows = vowels()
    lags = [0, 3, 40, 41, 100]
    async with SileroVAD(Options()) as vad:
        vad.resize(len(lags))
        given = np.zeros((len(lags), len(windows)))
        for now in range(len(windows) + max(lags)):
            rows = [row for row, lag in enumerate(lags) if 0 <= now - lag < len(windows)]
            batch = np.stack([windows[now - lags[row]] for row in rows])
            for row, score in zip(rows, vad.score(rows, batch), strict=True):
                given[row, now - lags[row]] = score
    for scores in given:
        assert scores == pytest.approx(expected, abs=1e-5)


def test_weights_are_those_that_were_released() -> None:
    weights = load_weights()
    digest = hashlib.sha256()
    for name in sorted(weights):
        assert weights[name].dtype == np.float32
        digest.update(name.encode() + weights[name].tobytes())
    assert sum(one.size for one in weights.values()) == 309_633
    assert digest.hexdigest() == DIGEST


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "FILE", "nowhere.npz")
    with pytest.raises(ConfigurationError, match=r"nowhere\.npz"):
        load_weights()


def test_licence_of_the_weights_is_shipped() -> None:
    notice = Path(silero.__file__).with_name("silero_LICENSE.txt").read_text(encoding="utf-8")
    assert "Silero Team" in notice
    assert "MIT License" in notice


async def test_detector_that_is_not_open_says_so() -> None:
    vad = SileroVAD(Options())
    vad.resize(1)
    with pytest.raises(RuntimeError, match="not open"):
        vad.score([0], np.zeros((1, 512), np.float32))
