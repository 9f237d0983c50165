"""Second-order filters, computed in blocks: no Python step per sample, no SciPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]

BLOCK = 32
"""Samples per matrix product: the fastest of 8 to 128 at 480 samples per frame."""

SILENCE = 1e-18
"""States below this are zero: numbers near the smallest ones make a processor 100 times slower."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def highpass(cutoff_hz: float, rate: int) -> Coefficients:
    """Give a Butterworth high-pass of second order (bilinear transform, warped to the cutoff)."""
    return _highpass(cutoff_hz, math.sqrt(0.5), rate, normal_gain=True)


def k_weighting(rate: int) -> tuple[Coefficients, Coefficients]:
    """Give the two stages of K-weighting (ITU-R BS.1770-4) for any rate.

    The standard lists numbers for 48 kHz only. These are the analogue filters behind them, which
    give the same numbers at 48 kHz: a shelf of +4 dB over 1682 Hz and a high-pass at 38 Hz.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    quality, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + k / quality + k * k
    shelf = Coefficients(
        (high + middle * k / quality + k * k) / scale,
        2 * (k * k - high) / scale,
        (high - middle * k / quality + k * k) / scale,
        2 * (k * k - 1) / scale,
        (1 - k / quality + k * k) / scale,
    )
    return shelf, _highpass(38.13547087602444, 0.5003270373238773, rate, normal_gain=False)


def _highpass(cutoff_hz: float, quality: float, rate: int, *, normal_gain: bool) -> Coefficients:
    k = math.tan(math.pi * cutoff_hz / rate)
    scale = 1 + k / quality + k * k
    b0 = 1 / scale if normal_gain else 1.0
    return Coefficients(b0, -2 * b0, b0, 2 * (k * k - 1) / scale, (1 - k / quality + k * k) / scale)


class Biquad:
    """A second-order filter and its state.

    With the state s of the transposed form, s' = A s + B x and y = s[0] + b0 x. Over a block of
    samples both become one matrix product, so only the state is handed on in Python.
    """

    def __init__(self, coefficients: Coefficients) -> None:
        c = coefficients
        step = np.array([[-c.a1, 1.0], [-c.a2, 0.0]])
        entry = np.array([c.b1 - c.a1 * c.b0, c.b2 - c.a2 * c.b0])
        powers = [np.eye(2)]
        for _ in range(BLOCK):
            powers.append(step @ powers[-1])
        response = np.array([c.b0, *((power @ entry)[0] for power in powers[: BLOCK - 1])])
        self._response: Doubles = np.array(
            [[response[i - j] if i >= j else 0.0 for i in range(BLOCK)] for j in range(BLOCK)]
        )
        self._ringing: Doubles = np.array([power[0] for power in powers[:BLOCK]]).T
        self._entries: Doubles = np.array([power @ entry for power in reversed(powers[:BLOCK])])
        self._powers = [[float(number) for number in power.ravel()] for power in powers]
        self._state = (0.0, 0.0)

    def process(self, samples: Doubles) -> Doubles:
        """Filter the next samples, shape (n,), any n."""
        whole = len(samples) // BLOCK * BLOCK
        filtered = np.empty(len(samples))
        if whole:
            blocks = samples[:whole].reshape(-1, BLOCK)
            filtered[:whole] = self._run(blocks, BLOCK).reshape(-1)
        if rest := len(samples) - whole:
            filtered[whole:] = self._run(samples[whole:].reshape(1, rest), rest)[0]
        return filtered

    def _run(self, blocks: Doubles, size: int) -> Doubles:
        entered = (blocks @ self._entries[BLOCK - size :]).tolist()
        p, q, r, s = self._powers[size]
        u, v = self._state
        states = []
        for first, second in entered:
            states.append((u, v))
            u, v = p * u + q * v + first, r * u + s * v + second
        self._state = (u, v) if abs(u) + abs(v) > SILENCE else (0.0, 0.0)
        result: Doubles = blocks @ self._response[:size, :size]
        result += np.array(states) @ self._ringing[:, :size]
        return result
