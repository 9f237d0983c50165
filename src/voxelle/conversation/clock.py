"""One timer that hands every speaking room its next sound."""

from __future__ import annotations

import asyncio
from typing import Protocol

from voxelle.audio import FRAME_SECONDS


class Paced(Protocol):
    """Something that sends sound in step with real time."""

    def pump(self, now: float) -> None:
        """Send what is due at this loop time, in seconds."""
        ...


class OutputClock:
    """Ticks every 20 ms while at least one room speaks, and not at all otherwise.

    Deadlines are absolute: a late tick does not shift the ones after it.
    """

    def __init__(self) -> None:
        self._paced: set[Paced] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def add(self, paced: Paced) -> None:
        """Pump this on every tick from now on."""
        self._paced.add(paced)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + FRAME_SECONDS
            self._timer = loop.call_at(self._due, self._tick)

    def discard(self, paced: Paced) -> None:
        """Pump this no more; asking twice does no harm."""
        self._paced.discard(paced)

    def close(self) -> None:
        """Stop ticking."""
        self._paced.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for paced in tuple(self._paced):
            paced.pump(now)
        if not self._paced:
            self._timer = None
            return
        # After a stall the missed ticks are left out: pumping tops everybody up anyway.
        self._due = max(self._due + FRAME_SECONDS, now)
        self._timer = loop.call_at(self._due, self._tick)
