"""Token buckets: how often something may happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Bucket:
    """Lets `rate` units pass each second, and up to `burst` at once after a pause."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._left, self._at = burst, float("-inf")

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Tell whether `amount` may pass at second `now`; only then is it taken."""
        left = self.left(now)
        self._at = now
        if left < amount:
            self._left = left
            return False
        self._left = left - amount
        return True

    def left(self, now: float) -> float:
        """How much may pass at second `now`."""
        return min(self.burst, self._left + (now - self._at) * self.rate)


class Sparing:
    """Writes down a few of many messages of one kind, and says how many it has left out.

    Clients can cause such messages as often as they like.
    """

    def __init__(self, rate: float = 1.0, burst: float = 10.0) -> None:
        self._bucket = Bucket(rate, burst)
        self._left_out = 0

    def tell(self, write: Callable[..., object], event: str, **facts: object) -> None:
        """Call `write(event, **facts)` unless there were too many; `left_out` counts those."""
        if not self._bucket.take(asyncio.get_running_loop().time()):
            self._left_out += 1
            return
        if self._left_out:
            facts["left_out"], self._left_out = self._left_out, 0
        write(event, **facts)


class Buckets:
    """One bucket per key; of the keys, the ones longest unused are forgotten."""

    def __init__(self, rate: float, burst: float, size: int = 10_000) -> None:
        self._rate, self._burst, self._size = rate, burst, size
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, key: str) -> Bucket:
        """Give the bucket of this key, a full one if it is new."""
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst)
        self._buckets[key] = bucket
        if len(self._buckets) > self._size:
            del self._buckets[next(iter(self._buckets))]
        return bucket
