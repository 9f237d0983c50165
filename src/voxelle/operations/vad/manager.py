"""The voice detector in use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxelle.operations.base import VAD
from voxelle.operations.manager import OperationManager
from voxelle.operations.patience import Patience
from voxelle.operations.registry import Choice, Registry
from voxelle.utils.exceptions import OperationError


class VADManager(OperationManager[VAD]):
    """Tells voices from noise with whichever detector is in use.

    A detector is no stream: it answers at once, between two windows. A new one takes over the
    streams of the old one and knows nothing of their past, which costs it a few windows.
    """

    registry = Registry(
        "vad",
        {
            "silero": "voxelle.operations.vad.silero:SileroVAD",
            "energy": "voxelle.operations.vad.energy:EnergyVAD",
        },
        {},
    )
    error = OperationError

    def __init__(self, patience: Patience | None = None) -> None:
        super().__init__(patience)
        self._streams = 0
        self._prepared: VAD | None = None

    async def use(self, choices: Sequence[Choice]) -> None:
        """Open the choices as `OperationManager.use` does; the streams go on with the new one."""
        await super().use(choices)
        self._current()

    def resize(self, streams: int) -> None:
        """Make room for at least this many streams; what is known about the old ones stays."""
        self._streams = max(self._streams, streams)
        self._current().resize(self._streams)

    def reset(self, stream: int) -> None:
        """Forget one stream, because somebody else will use its place."""
        self._current().reset(stream)

    def score(self, streams: list[int], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tell how likely it is that each window, shape (n, 512) at 16 kHz, holds a voice.

        Raises this operation's error if the detector fails or none is in use.
        """
        detector = self._current()
        try:
            return detector.score(streams, windows)
        except Exception as error:
            sentence = f"{self.name}: {str(error) or type(error).__name__}"
            raise self.error(sentence, provider=self.name, is_retryable=False) from error

    def _current(self) -> VAD:
        """Give the detector in use; one that is new gets room for the streams first."""
        detector = self.provider
        if detector is not self._prepared:
            detector.resize(self._streams)
            self._prepared = detector
        return detector
