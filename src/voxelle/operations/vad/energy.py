"""A voice detector that only listens for loudness: no weights, hardly any cost.

It follows the noise floor of each stream and asks how far above it a window is. Steady noise is
no trouble; music and typing are taken for a voice, so it is the fallback, and the tests' choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from voxelle.operations.base import Options, Provider

Floats = NDArray[np.float32]


class EnergyOptions(Options):
    """How loud a voice is."""

    threshold_db: float = Field(
        default=12.0,
        gt=0,
        le=60,
        description="Decibels above the noise at which a window is as likely a voice as not.",
    )
    least_db: float = Field(
        default=-50.0,
        ge=-100,
        lt=0,
        description="Level, in decibels below full scale, under which nothing is a voice.",
    )


FIRST_FLOOR_DB = -60.0
"""The noise of a quiet room through a usual microphone, until we know better."""

FALL = 0.3
"""Share of the way the floor goes down to a quieter window: it is there in about 0.2 s."""

RISE_DB = 0.05
"""Decibels the floor rises per louder window, 1.6 dB/s: slower than any voice."""

SLOPE_DB = 2.0
"""Decibels over which the probability goes from 0.5 to 0.73."""


class EnergyVAD(Provider):
    """Takes for a voice what is louder than the noise."""

    options_type = EnergyOptions
    options: EnergyOptions

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._floors = np.zeros(0, np.float32)

    def resize(self, streams: int) -> None:
        """Make room for at least this many streams; what is known about the old ones stays."""
        if (more := streams - len(self._floors)) > 0:
            fresh = np.full(more, FIRST_FLOOR_DB, np.float32)
            self._floors = np.concatenate([self._floors, fresh])

    def reset(self, stream: int) -> None:
        """Forget one stream, because somebody else will use its place."""
        self._floors[stream] = FIRST_FLOOR_DB

    def score(self, streams: list[int], windows: Floats) -> Floats:
        """Tell how likely it is that each window, shape (n, 512) at 16 kHz, holds a voice.

        `streams` names the stream of each row, no stream twice; the result has shape (n,). What is
        not finite counts as silence.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            power = np.einsum("ij,ij->i", windows, windows) / max(1, windows.shape[1])
        power = np.nan_to_num(power, nan=0.0, posinf=0.0)
        levels = (10.0 * np.log10(power + 1e-10)).astype(np.float32)
        floors = self._floors[streams]
        above = levels - np.maximum(floors, self.options.least_db - self.options.threshold_db)
        self._floors[streams] = np.where(
            levels < floors, floors + FALL * (levels - floors), floors + RISE_DB
        )
        steps = np.clip((above - self.options.threshold_db) / SLOPE_DB, -30.0, 30.0)
        return np.asarray(1.0 / (1.0 + np.exp(-steps)), dtype=np.float32)
