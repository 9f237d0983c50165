"""A circuit breaker: who failed too often in a row is left alone for a while.

Our own, because the libraries we tried let every waiting request through as a probe, and count an
interruption by a listener as a failure of the provider.
"""

from __future__ import annotations

import asyncio
from typing import Literal, TypeAlias

BreakerState: TypeAlias = Literal["closed", "open", "half-open"]
"""Closed lets requests through, open refuses them, half-open waits for the outcome of one probe."""


class Breaker:
    """Tells whether a provider may be asked, by how the requests before ended.

    A request begins with `begin` and ends with one of `succeed`, `fail` and `abandon`. The ticket
    keeps requests apart that began before the state changed: their end changes nothing any more.
    """

    def __init__(self, failures: int, rest_s: float) -> None:
        self._limit = failures
        self._rest_s = rest_s
        self._failures = 0
        self._open_until: float | None = None
        self._is_probing = False
        self._epoch = 0

    @property
    def state(self) -> BreakerState:
        """What the breaker does now; `open` also while its rest is over and nobody has probed."""
        if self._open_until is None:
            return "closed"
        return "half-open" if self._is_probing else "open"

    def rest_s(self) -> float:
        """Give the seconds until a probe is allowed, 0 if a request is allowed now."""
        if self._open_until is None:
            return 0.0
        return max(0.0, self._open_until - asyncio.get_running_loop().time())

    def begin(self) -> int | None:
        """Ask for a request: gives its ticket, or None if it must not be made."""
        if self._open_until is not None:
            if self._is_probing or self.rest_s() > 0:
                return None
            self._is_probing = True
            self._epoch += 1
        return self._epoch

    def answer(self, ticket: int) -> None:
        """Note that the provider has begun to answer: a probe has shown that it works again.

        One more failure opens the breaker again, until an answer came to its end.
        """
        if ticket == self._epoch and self._is_probing:
            self._open_until, self._is_probing = None, False
            self._failures = self._limit - 1

    def succeed(self, ticket: int) -> None:
        """Note that a request came to its end."""
        self.answer(ticket)
        if ticket == self._epoch:
            self._failures = 0

    def fail(self, ticket: int, rest_s: float = 0.0) -> None:
        """Note that a request failed.

        A failure may ask for a rest of its own, in seconds, even if it is the first: a rest
        for too many failures is at least as long.
        """
        if ticket != self._epoch:
            return
        self._failures += 1
        if self._is_probing or self._failures >= self._limit:
            rest_s = max(rest_s, self._rest_s)
        elif rest_s <= 0:
            return
        self._open_until, self._is_probing = asyncio.get_running_loop().time() + rest_s, False
        self._epoch += 1

    def abandon(self, ticket: int) -> None:
        """Note that nobody wanted the answer any more, which says nothing about the provider."""
        if ticket == self._epoch:
            self._is_probing = False
