"""Sounds that are made up, the same on every machine, in windows of 512 samples at 16 kHz."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.float32]

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_silero_weights.py"


def vowels() -> Windows:
    """8 s of vowels with breaks: the sound that onnxruntime's answers are known for."""
    return cast(Windows, runpy.run_path(str(SCRIPT))["signal"]()).reshape(-1, 512)


def hiss(count: int, loudness: float = 0.001, seed: int = 1) -> Windows:
    noise = np.random.default_rng(seed).standard_normal((count, 512)) * loudness
    return noise.astype(np.float32)
