"""Finds out that a worker hangs: it must show signs of life while it has something to do."""

from __future__ import annotations

import asyncio
from typing import Protocol

MOST_BEAT_S = 0.5
"""Seconds between two looks at a worker at most; each asks for a sign of life, 40 bytes."""

BEATS = 4
"""How often a worker is looked at, at least, in the time within which a sign has to come."""


class Patient(Protocol):
    """Whose pulse is felt."""

    @property
    def is_busy(self) -> bool:
        """Whether it has something to do; it is left in peace otherwise."""
        ...

    def ask_for_life(self) -> None:
        """Ask it for a sign of life, without waiting for one."""
        ...

    def give_up(self, silent_s: float) -> None:
        """Take note that it was silent for so many seconds, and hangs."""
        ...


class Pulse:
    """Asks a worker for signs of life as long as it is busy; tells when none came in time."""

    def __init__(self, patient: Patient, limit_s: float) -> None:
        self._patient = patient
        self._limit_s = limit_s
        self._asked_at: float | None = None
        self._due_at = 0.0
        self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin to ask, until it is busy no more."""
        if self._timer is None:
            self._look_again()

    def expect(self, within_s: float) -> None:
        """Ask now; a sign of life must come within so many seconds."""
        now = asyncio.get_running_loop().time()
        before = self._due_at if self._asked_at is not None else now + within_s
        self._ask(now, min(before, now + within_s))
        self.watch()

    def felt(self) -> None:
        """Take note of a sign of life."""
        self._asked_at = None

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self, now: float, due_at: float) -> None:
        if self._asked_at is None:
            self._asked_at = now
        self._due_at = due_at
        self._patient.ask_for_life()

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._looked_at = loop.time()
        self._timer = loop.call_later(self._beat_s, self._look)

    @property
    def _beat_s(self) -> float:
        return min(MOST_BEAT_S, self._limit_s / BEATS)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        late_s = now - self._looked_at - self._beat_s
        if self._asked_at is None:
            if not self._patient.is_busy:
                return
            self._ask(now, now + self._limit_s)
        elif late_s > self._beat_s:
            # We were held up ourselves, and its sign may lie unread in the pipe.
            self._due_at += late_s + self._beat_s
        elif now >= self._due_at:
            self._patient.give_up(now - self._asked_at)
            return
        self._look_again()
