"""One provider that is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar, cast

from voxelle.operations.base import Provider
from voxelle.operations.breaker import Breaker

P = TypeVar("P")

log = logging.getLogger(__name__)


class Seat(Generic[P]):
    """A provider from its opening to its closing, which outlives a swap while streams of it run.

    It is opened and closed in a task of its own, because some libraries insist that both happen
    in the same task. `close` ends that task; whoever opened a seat must close it.
    """

    def __init__(self, name: str, provider: Provider, breaker: Breaker) -> None:
        self.name = name
        self.breaker = breaker
        self.is_paid = provider.is_paid
        self.failure = ""
        """Its last failure, in one sentence."""
        self._opened: Provider = provider
        self._running = 0
        self._is_retired = False
        self._may_close = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def provider(self) -> P:
        """The provider, with the face of its operation."""
        return cast(P, self._opened)

    @property
    def is_closed(self) -> bool:
        """Whether the provider has let go of everything."""
        return self._life is None or self._life.done()

    async def open(self) -> None:
        """Open the provider; raise what it raises. Cancelled, it is closed again."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(opened), name=f"provider {self.name}")
        try:
            await opened
        except BaseException:
            self._life.cancel()
            await asyncio.wait([self._life])
            raise

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the provider open meanwhile."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._settle()

    def retire(self) -> None:
        """Let the provider close as soon as its last stream has ended."""
        self._is_retired = True
        self._settle()

    async def close(self) -> None:
        """Close the provider now, whatever still runs, and wait until it is closed."""
        self._may_close.set()
        if self._life is not None:
            await asyncio.wait([self._life])

    def _settle(self) -> None:
        if self._is_retired and self._running == 0:
            self._may_close.set()

    async def _live(self, opened: asyncio.Future[None]) -> None:
        try:
            async with self._opened:
                if not opened.done():
                    opened.set_result(None)
                await self._may_close.wait()
        except Exception as error:
            if opened.done():
                log.exception("a provider failed while it closed", extra={"provider": self.name})
            else:
                opened.set_exception(error)
