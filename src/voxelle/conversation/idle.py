"""When she says something by herself, because nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

DOUBLINGS = 3
"""How often the wait doubles while she talks to herself and nobody answers."""


class Idle:
    """Waits for a set silence; every time she spoke into the void it waits twice as long."""

    def __init__(self, idle_s: float, speak: Callable[[], None]) -> None:
        self._idle_s = idle_s
        self._speak = speak
        self._monologues = 0
        """Times she spoke by herself since anybody else did."""
        self._timer: asyncio.TimerHandle | None = None

    def resettle(self, idle_s: float) -> None:
        """Follow another setting from the next silence on."""
        self._idle_s = idle_s
        self.stop()

    def arm(self) -> None:
        """Begin to wait, if that has not begun yet; 0 seconds in the settings is never."""
        if self._timer is None and self._idle_s:
            wait = self._idle_s * 2 ** min(self._monologues, DOUBLINGS)
            self._timer = asyncio.get_running_loop().call_later(wait, self._fire)

    def wake(self) -> None:
        """Note that somebody else did something."""
        self._monologues = 0
        self.stop()

    def stop(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._monologues += 1
        self._speak()
