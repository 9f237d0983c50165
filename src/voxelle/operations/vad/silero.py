"""Silero VAD at 16 kHz, for many speakers in one call, in plain NumPy.

The weights come from the official model of the Silero Team (MIT, see `silero_LICENSE.txt`;
`scripts/make_silero_weights.py` makes the file). The arithmetic is the same graph, written as six
matrix products over all speakers: on one core about 13 us per window from 32 speakers on,
where onnxruntime takes 80, and neither onnxruntime nor torch is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import resources
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from voxelle.operations.base import Options, Provider
from voxelle.utils.exceptions import ConfigurationError

Floats = NDArray[np.float32]

WINDOW = 512
"""Samples in a window, 32 ms: fixed by the model."""

CONTEXT = 64
"""Samples of the window before that the model looks at again."""

BINS = 129
"""Frequencies of its spectrum."""

UNITS = 128
"""Numbers in each half of its memory."""

FILE = "silero_16k.npz"


def load_weights() -> dict[str, Floats]:
    """Read the weights that are shipped; raise `ConfigurationError` if they are not there."""
    try:
        with (
            resources.files("voxelle.operations.vad").joinpath(FILE).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            return {name: stored[name].astype(np.float32) for name in stored.files}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the voice detector's weights {FILE} cannot be read ({error});"
            " install Voxelle again, or use `vad: energy`"
        ) from error


class SileroNet:
    """The network: shares its weights and work space among all streams, keeps no state."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        # The first cosine is the window function itself.
        self.taper = np.abs(weights["stft"][0, 0])
        self.conv0, self.bias0 = _conv(weights, 0, slice(None))
        self.conv1, self.bias1 = _conv(weights, 1, slice(None))
        # What remains is so short that the outer taps only ever see padding.
        self.conv2, self.bias2 = _conv(weights, 2, slice(1, 3))
        self.conv3, self.bias3 = _conv(weights, 3, slice(1, 2))
        lstm = np.concatenate([weights["lstm.weight_ih"], weights["lstm.weight_hh"]], axis=1)
        # sigmoid(x) = (tanh(x / 2) + 1) / 2: the halving is folded into the gates' weights, so
        # that one tanh serves all four; the third is the cell's input, which wants a plain tanh.
        half = np.full(4 * UNITS, 0.5, np.float32)
        half[2 * UNITS : 3 * UNITS] = 1.0
        self.lstm = np.ascontiguousarray(lstm.T) * half
        self.lstm_bias = (weights["lstm.bias_ih"] + weights["lstm.bias_hh"]) * half
        self.out = weights["out.weight"].reshape(UNITS)
        self.out_bias = np.float32(weights["out.bias"].reshape(-1)[0])
        self._make_room(1)

    def run(self, contexts: Floats, windows: Floats, memory: Floats, cells: Floats) -> Floats:
        """Give the probabilities of n windows; `memory` (n, 256) and `cells` (n, 128) are updated.

        Shapes: contexts (n, 64), windows (n, 512); `memory` holds room for the network's own
        features, then its hidden state.
        """
        count = len(windows)
        if count > len(self._sound):
            self._make_room(count)
        self._encode(contexts, windows, memory[:, :UNITS])
        gates = memory @ self.lstm
        gates += self.lstm_bias
        np.tanh(gates, out=gates)
        enter, keep, new, show = (gates[:, n : n + UNITS] for n in range(0, 4 * UNITS, UNITS))
        for gate in (enter, keep, show):
            gate += 1.0
            gate *= 0.5
        cells *= keep
        enter *= new
        cells += enter
        hidden = memory[:, UNITS:]
        np.tanh(cells, out=hidden)
        hidden *= show
        logits = np.maximum(hidden, 0.0) @ self.out + self.out_bias
        return np.asarray(0.5 * np.tanh(0.5 * logits) + 0.5, dtype=np.float32)

    def _encode(self, contexts: Floats, windows: Floats, features: Floats) -> None:
        """Spectrum and convolutions: from sound to 128 features."""
        count = len(windows)
        sound = self._sound[:count]
        sound[:, :CONTEXT] = contexts
        sound[:, CONTEXT : CONTEXT + WINDOW] = windows
        sound[:, CONTEXT + WINDOW :] = sound[:, CONTEXT + WINDOW - 2 : WINDOW - 2 : -1]
        spectra = np.fft.rfft(self._steps[:count] * self.taper, axis=-1)
        self._spectra[:count, 1:5] = np.abs(spectra)
        first = self._spectra_taps[:count].reshape(4 * count, 3 * BINS) @ self.conv0
        first += self.bias0
        np.maximum(first.reshape(count, 4, UNITS), 0.0, out=self._first[:count, 1:5])
        second = self._first_taps[:count].reshape(2 * count, 3 * UNITS) @ self.conv1
        second += self.bias1
        np.maximum(second, 0.0, out=second)
        third = second.reshape(count, UNITS) @ self.conv2
        third += self.bias2
        np.maximum(third, 0.0, out=third)
        last = third @ self.conv3
        last += self.bias3
        np.maximum(last, 0.0, out=features)

    def _make_room(self, count: int) -> None:
        """Make the work space for `count` windows, with views of overlapping runs in it."""
        size = 4  # bytes of a float32
        length = CONTEXT + WINDOW + CONTEXT
        self._sound = np.zeros((count, length), np.float32)
        # Four steps of 256 samples, every 128 of them.
        self._steps = as_strided(
            self._sound, (count, 4, 256), (length * size, 128 * size, size), writeable=False
        )
        # One step of padding on each side, hence six; three neighbours make a tap.
        self._spectra = np.zeros((count, 6, BINS), np.float32)
        self._spectra_taps = as_strided(
            self._spectra,
            (count, 4, 3 * BINS),
            (6 * BINS * size, BINS * size, size),
            writeable=False,
        )
        self._first = np.zeros((count, 6, UNITS), np.float32)
        self._first_taps = as_strided(
            self._first,
            (count, 2, 3 * UNITS),
            (6 * UNITS * size, 2 * UNITS * size, size),
            writeable=False,
        )


class SileroVAD(Provider):
    """Tells voices from everything else, also under music and clicking keys."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._net: SileroNet | None = None
        self._contexts = np.zeros((0, CONTEXT), np.float32)
        self._memory = np.zeros((0, 2 * UNITS), np.float32)
        self._cells = np.zeros((0, UNITS), np.float32)

    options_type = Options

    async def __aenter__(self) -> Self:
        self._net = SileroNet(await asyncio.to_thread(load_weights))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._net = None

    def resize(self, streams: int) -> None:
        """Make room for at least this many streams; what is known about the old ones stays."""
        if (more := streams - len(self._cells)) <= 0:
            return
        self._contexts = np.pad(self._contexts, ((0, more), (0, 0)))
        self._memory = np.pad(self._memory, ((0, more), (0, 0)))
        self._cells = np.pad(self._cells, ((0, more), (0, 0)))

    def reset(self, stream: int) -> None:
        """Forget one stream, because somebody else will use its place."""
        self._contexts[stream] = 0.0
        self._memory[stream] = 0.0
        self._cells[stream] = 0.0

    def score(self, streams: list[int], windows: Floats) -> Floats:
        """Tell how likely it is that each window, shape (n, 512) at 16 kHz, holds a voice.

        `streams` names the stream of each row, no stream twice; the result has shape (n,). A
        window that is not finite counts as silence, and its stream begins anew.
        Raises `RuntimeError` if the detector is not open.
        """
        if self._net is None:
            raise RuntimeError("the voice detector is not open")
        if not streams:
            return np.zeros(0, np.float32)
        memory, cells = self._memory[streams], self._cells[streams]
        with np.errstate(invalid="ignore", over="ignore"):
            scores = self._net.run(self._contexts[streams], windows, memory, cells)
        self._contexts[streams] = windows[:, -CONTEXT:]
        self._memory[streams] = memory
        self._cells[streams] = cells
        if not np.isfinite(scores).all():
            for row in np.flatnonzero(~np.isfinite(scores)):
                self.reset(streams[row])
            scores = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
        return scores


def _conv(weights: Mapping[str, Floats], number: int, taps: slice) -> tuple[Floats, Floats]:
    """Give a convolution as a matrix, shape (taps * inputs, outputs), and its bias."""
    kernel = weights[f"conv{number}.weight"][:, :, taps]
    matrix = kernel.transpose(2, 1, 0).reshape(-1, len(kernel))
    return np.ascontiguousarray(matrix), weights[f"conv{number}.bias"]
