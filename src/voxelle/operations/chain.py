"""What the managers of chains have in common: every provider is in use, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from typing import TypeVar

from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Choice
from voxelle.operations.seat import Seat
from voxelle.streams import Stream

P = TypeVar("P")
T = TypeVar("T")


class ChainManager(OperationManager[P]):
    """Sends a stream through all providers in use, in their order; there may be none.

    Nothing is tried again, because what went in is gone: a failure ends the stream.
    """

    async def use(self, choices: Sequence[Choice]) -> None:
        """Open all choices, then swap; if one cannot be opened, the old ones stay and it is raised.

        What was in use before is closed after its last stream.
        """
        async with self._swapping:
            opened, failures = await self._open(choices)
            if failures:
                for seat in opened:
                    await seat.close()
                raise next(iter(failures.values()))
            self._swap(tuple(opened))
            self._tell("ok", "")

    @property
    def name(self) -> str:
        """The ids of the chain in order, as in `highpass, limiter`; `none` if it is empty."""
        return ", ".join(seat.name for seat in self._seats) or "none"

    @property
    def is_paid(self) -> bool:
        """Whether any part of the chain may cost money per request."""
        return any(seat.is_paid for seat in self._seats)

    @property
    def providers(self) -> tuple[P, ...]:
        """The providers in use, in their order."""
        return tuple(seat.provider for seat in self._seats)

    @contextmanager
    def running(self) -> Iterator[tuple[Seat[P], ...]]:
        """Give the chain in use, and keep all of it open meanwhile."""
        seats = self._seats
        with ExitStack() as running:
            for seat in seats:
                running.enter_context(seat.running())
            yield seats

    async def through(
        self, stream: Stream[T], apply: Callable[[P, Stream[T]], Stream[T]]
    ) -> Stream[T]:
        """Give the stream as it comes out of the chain; raise this operation's error.

        The chain is the one in use when the first item is asked for, to the end of the stream.
        To close this stream is to close `stream`.
        """
        with self.running() as seats:
            for seat in seats:
                stream = self.guard(apply(seat.provider, stream), seat.name)
            async with aclosing(stream):
                async for item in stream:
                    yield item
