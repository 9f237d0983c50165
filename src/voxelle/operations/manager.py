"""What the managers of the operations have in common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import ClassVar, Final, Generic, TypeVar

from voxelle.operations.breaker import Breaker
from voxelle.operations.patience import Patience, is_timeout, persist
from voxelle.operations.registry import Choice, Registry
from voxelle.operations.replay import Replay
from voxelle.operations.seat import Seat
from voxelle.operations.status import State, Status
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, OperationError, ValidationError

P = TypeVar("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

STUMBLE_S = 5.0
"""Seconds for which a provider that broke off in mid-answer is not asked, if there is a fallback:
whoever goes on with a line at once then meets another voice."""


class _End:
    """What stands for the end of a stream that gave nothing."""


_END: Final = _End()


class OperationManager(Generic[P]):
    """Keeps providers open, asks the right one, and gives their failures our names.

    A manager has the face of its operation: whoever wants a voice is handed the TTS manager and
    sees a TTS. The first choice is asked as long as it works, the others are its fallbacks.
    Providers change between streams, never during one: a stream that runs while others are put
    into use ends on the provider it began with, which is closed after its last stream.
    """

    registry: ClassVar[Registry]
    error: ClassVar[type[OperationError]]

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._seats: tuple[Seat[P], ...] = ()
        self._retired: set[Seat[P]] = set()
        self._left_out = ""
        self._swapping = asyncio.Lock()
        self._listeners: list[Callable[[Status], None]] = []
        self._status = Status(self.registry.operation, "none", "down", "nothing is in use")

    async def use(self, choices: Sequence[Choice]) -> None:
        """Open the choices, the first being primary and the others its fallbacks; then swap.

        A fallback that cannot be opened is left out, with a warning. If the primary cannot be, and
        nothing is in use yet, the first fallback that opens takes its place, with a warning; if
        something is in use, it stays and the error is raised: `ConfigurationError`, or this
        operation's error. What was in use before is closed after its last stream.
        """
        if not choices:
            raise ConfigurationError(f"{self.registry.operation} needs at least one provider")
        async with self._swapping:
            opened, failures = await self._open(choices)
            if not opened or (self._seats and 0 in failures):
                for seat in opened:
                    await seat.close()
                raise failures[0]
            for index, error in failures.items():
                log.warning(
                    "a provider cannot be opened and is left out",
                    extra={"operation": self.registry.operation, "provider": choices[index].id},
                    exc_info=error,
                )
            self._swap(tuple(opened))
            self._left_out = str(failures.get(0, ""))
            self._tell("degraded" if self._left_out else "ok", self._left_out)

    async def close(self) -> None:
        """Close every provider now; streams that still run fail. It may be used again."""
        seats = [*self._seats, *self._retired]
        self._seats, self._retired = (), set()
        for seat in seats:
            await seat.close()
        self._tell("down", "nothing is in use")

    @property
    def name(self) -> str:
        """The id of the provider that would be asked now; `none` before one is open."""
        return self._asked.name if self._seats else "none"

    @property
    def is_paid(self) -> bool:
        """Whether the provider that would be asked now may cost money per request."""
        return bool(self._seats) and self._asked.is_paid

    @property
    def provider(self) -> P:
        """The provider that would be asked now; raises this operation's error if there is none."""
        if not self._seats:
            raise self.error("nothing is in use", provider="none", is_retryable=False)
        return self._asked.provider

    @property
    def status(self) -> Status:
        """How the operation is doing."""
        return self._status

    def on_change(self, call: Callable[[Status], None]) -> Callable[[], None]:
        """Call with every new status; gives what ends that. The call must not block or raise."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

    async def attempt(
        self, ask: Callable[[P], Stream[T]], source: Replay | None = None
    ) -> Stream[T]:
        """Give the stream that `ask` gets from a provider, whichever of them answers.

        Before the first item, a retryable failure is tried again unless it was a time-out, and
        then the next provider is asked; afterwards a failure is raised, because part of the answer
        was already given away. No step may take longer than `patience` says.
        `source` is what the provider listens to, if it does: the time for its answer then
        begins at its end, and nobody is asked again once its beginning is forgotten. Raises this
        operation's error; to close this stream is to close the provider's.
        """
        failure: OperationError | None = None
        for seat in self._seats:
            try:
                stream, first = await self._begin(seat, ask, source)
            except OperationError as error:
                failure = error
                self._note_failure(seat, error)
                if source is not None and not source.may_replay:
                    break
                continue
            async with aclosing(stream):
                if source is not None:
                    source.forget()
                self._note_answer(seat)
                try:
                    if not isinstance(first, _End):
                        yield first
                        async for item in stream:
                            yield item
                except OperationError as error:
                    self._note_failure(seat, error)
                    raise
            return
        if failure is None:
            raise self.error("nothing is in use", provider="none", is_retryable=False)
        self._tell("down", str(failure))
        raise failure

    async def guard(self, stream: Stream[T], name: str | None = None) -> Stream[T]:
        """Pass a provider's stream on; whatever it raises becomes this operation's error.

        Only a `ValidationError` stays what it is: the request is wrong, and not the provider.
        """
        name = self.name if name is None else name
        try:
            async with aclosing(stream):
                while not isinstance(item := await self._guarded(stream, name), _End):
                    yield item
        except (OperationError, ValidationError):
            raise
        except Exception as error:
            raise self._translate(error, name) from error

    async def _guarded(self, stream: Stream[T], name: str) -> T | _End:
        try:
            return await anext(stream, _END)
        except (asyncio.CancelledError, GeneratorExit) as error:
            # A library that was cancelled inside has failed; whoever reads goes on.
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            raise self._translate(error, name) from error

    @property
    def _asked(self) -> Seat[P]:
        closed = (seat for seat in self._seats if seat.breaker.state == "closed")
        return next(closed, self._seats[0])

    async def _open(self, choices: Sequence[Choice]) -> tuple[list[Seat[P]], dict[int, Exception]]:
        opened: list[Seat[P]] = []
        failures: dict[int, Exception] = {}
        try:
            for index, choice in enumerate(choices):
                try:
                    opened.append(await self._open_one(choice))
                except (ConfigurationError, OperationError) as error:
                    failures[index] = error
        except BaseException:
            for seat in opened:
                await seat.close()
            raise
        return opened, failures

    async def _open_one(self, choice: Choice) -> Seat[P]:
        breaker = Breaker(self.patience.failures, self.patience.rest_s)
        seat: Seat[P] = Seat(choice.id, self.registry.create(choice), breaker)
        try:
            await seat.open()
        except (ConfigurationError, OperationError):
            raise
        except Exception as error:
            raise self._translate(error, choice.id) from error
        return seat

    def _swap(self, seats: tuple[Seat[P], ...]) -> None:
        self._retired = {seat for seat in (*self._retired, *self._seats) if not seat.is_closed}
        self._seats = seats
        for seat in self._retired:
            seat.retire()

    async def _begin(
        self, seat: Seat[P], ask: Callable[[P], Stream[T]], source: Replay | None
    ) -> tuple[Stream[T], T | _End]:
        async def once() -> tuple[Stream[T], T | _End]:
            stream = self._perform(seat, ask, source)
            return stream, await anext(stream, _END)

        def may_repeat(error: OperationError) -> bool:
            log.warning("a provider is asked again", extra=_facts(error))
            return seat.breaker.state == "closed" and (source is None or source.may_replay)

        return await persist(once, self.patience, may_repeat)

    async def _perform(
        self, seat: Seat[P], ask: Callable[[P], Stream[T]], source: Replay | None
    ) -> Stream[T]:
        """Ask one provider once, and tell its breaker how that ended."""
        ticket = seat.breaker.begin()
        if ticket is None:
            raise self.error(
                f"{seat.name} is left alone for {seat.breaker.rest_s():.0f} s, as it failed: "
                f"{seat.failure}",
                provider=seat.name,
                is_retryable=False,
            )
        has_begun = False
        try:
            with seat.running():
                guarded = self.guard(_ask_inside(ask, seat), seat.name)
                async with aclosing(self._in_time(guarded, seat, source)) as stream:
                    async for item in stream:
                        if not has_begun:
                            has_begun = True
                            seat.breaker.answer(ticket)
                        yield item
            seat.breaker.succeed(ticket)
        except OperationError as error:
            seat.failure = str(error)
            seat.breaker.fail(ticket, self._rest_s(seat, error, has_begun=has_begun))
            raise
        finally:
            # Changes nothing after a success or a failure; otherwise nobody wanted the answer.
            seat.breaker.abandon(ticket)

    async def _in_time(self, stream: Stream[T], seat: Seat[P], source: Replay | None) -> Stream[T]:
        """Pass a stream on; raise this operation's error if it stalls."""
        is_first = True
        async with aclosing(stream):
            while True:
                if source is not None:
                    item = await self._next_heard(stream, seat, source, is_first=is_first)
                else:
                    patience = self.patience
                    limit_s = patience.first_item_s if is_first else patience.next_item_s
                    item = await self._next(stream, seat, limit_s)
                if isinstance(item, _End):
                    return
                is_first = False
                yield item

    async def _next(self, stream: Stream[T], seat: Seat[P], limit_s: float) -> T | _End:
        try:
            async with asyncio.timeout(limit_s or None):
                return await anext(stream, _END)
        except TimeoutError as error:
            sentence = f"{seat.name} gave nothing within {limit_s:g} s"
            raise self.error(sentence, provider=seat.name, is_retryable=True) from error

    async def _next_heard(
        self, stream: Stream[T], seat: Seat[P], source: Replay, *, is_first: bool
    ) -> T | _End:
        """Wait for an ear, whose time begins when it has to answer."""
        try:
            async with asyncio.timeout(None) as deadline:
                source.watch(
                    lambda: deadline.reschedule(self._due(seat, source, is_first=is_first))
                )
                return await anext(stream, _END)
        except TimeoutError as error:
            what = "nothing" if is_first else "no last words"
            sentence = f"{seat.name} gave {what} in time (see final_s)"
            raise self.error(sentence, provider=seat.name, is_retryable=True) from error
        finally:
            source.watch(None)

    def _due(self, seat: Seat[P], source: Replay, *, is_first: bool) -> float | None:
        """Give the time at which an ear has failed: its share, while others can follow it."""
        if source.due_at is None:
            return None
        start = max(source.due_at, asyncio.get_running_loop().time())
        left_s = max(0.0, source.due_at + self.patience.final_s - start)
        if is_first and source.may_replay and seat in self._seats:
            rest = self._seats[self._seats.index(seat) + 1 :]
            left_s /= 1 + sum(other.breaker.rest_s() == 0 for other in rest)
        return start + left_s

    def _rest_s(self, seat: Seat[P], error: OperationError, *, has_begun: bool) -> float:
        """Tell how long a seat that failed rests whatever it did before: only if others work."""
        if not any(other.breaker.state == "closed" for other in self._seats if other is not seat):
            return 0.0
        if is_timeout(error):
            return self.patience.rest_s
        return min(STUMBLE_S, self.patience.rest_s) if has_begun else 0.0

    def _translate(self, error: BaseException, name: str) -> OperationError:
        is_retryable = isinstance(error, OSError)
        sentence = f"{name}: {str(error) or type(error).__name__}"
        return self.error(sentence, provider=name, is_retryable=is_retryable)

    def _note_answer(self, seat: Seat[P]) -> None:
        if seat not in self._seats:
            return
        if seat is not self._seats[0]:
            before = self._seats[self._seats.index(seat) - 1]
            self._tell("degraded", before.failure or self._status.error)
        else:
            self._tell("degraded" if self._left_out else "ok", self._left_out)

    def _note_failure(self, seat: Seat[P], error: OperationError) -> None:
        # Who is left alone for a while has failed before, and that was told then.
        if seat.failure in ("", str(error)):
            log.warning("a provider failed", extra=_facts(error))
        if seat in self._seats:
            self._tell("degraded", seat.failure or str(error))

    def _tell(self, state: State, error: str) -> None:
        before = self._status
        since = asyncio.get_running_loop().time() if state != before.state else before.since
        self._status = Status(self.registry.operation, self.name, state, error, since)
        if self._status != before:
            for call in tuple(self._listeners):
                call(self._status)


def _facts(error: OperationError) -> dict[str, object]:
    return {"provider": error.provider, "error": str(error)}


async def _ask_inside(ask: Callable[[P], Stream[T]], seat: Seat[P]) -> Stream[T]:
    """Ask inside the guard, so that a provider that fails at once fails like any other."""
    async with aclosing(ask(seat.provider)) as stream:
        async for item in stream:
            yield item
