"""Who has the floor: at most one turn of hers at a time, and one more that is being prepared."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol, TypeAlias

from voxelle.conversation.audience import Audience
from voxelle.conversation.cast import Cast
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.playout import Playout
from voxelle.conversation.settings import ConversationSettings
from voxelle.conversation.turn import Task, Turn
from voxelle.events import TurnEnded
from voxelle.utils.exceptions import OperationError
from voxelle.utils.logging_utils import log_context, log_error, log_performance

log = logging.getLogger(__name__)

StopReason: TypeAlias = Literal["interrupted", "silenced"]


CLOSE_S = 2.0
"""Seconds that providers have to end their requests after a stop; then nobody waits for them."""


class FloorListener(Protocol):
    """Who wants to know what happens to the turns."""

    def turn_sounds(self, turn: Turn) -> None:
        """Take note of a turn's first sound."""
        ...

    def turn_ended(self, turn: Turn, end: TurnEnded) -> None:
        """Take note of a turn that is over; the floor is free again."""
        ...


class Floor:
    """Starts, stops and prepares the turns of one room."""

    def __init__(
        self,
        cast: Callable[[], Cast],
        settings: ConversationSettings,
        audience: Audience,
        clock: OutputClock,
        listener: FloorListener,
    ) -> None:
        self.turn: Turn | None = None
        """The turn that has the floor, from the decision until it is over and accounted for."""
        self.prepared: Turn | None = None
        """The turn that was begun on speculation."""
        self._cast = cast
        self._settings = settings
        self._audience = audience
        self._clock = clock
        self._listener = listener
        self._number = 0
        self._reason: StopReason = "interrupted"
        self._performances: dict[Turn, asyncio.Task[None]] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._orphans: set[asyncio.Task[None]] = set()

    @property
    def is_audible(self) -> bool:
        """Whether she can be heard now."""
        if self.turn is None or self.turn.playout.is_stopped:
            return False
        return self.turn.playout.started_at is not None

    def resettle(self, settings: ConversationSettings) -> None:
        """Follow other settings from the next turn on."""
        self._settings = settings

    def prepare(self, task: Task) -> Turn:
        """Begin a turn of which nothing is heard before `begin(turn)`."""
        self.discard()
        self.prepared = self._start(task)
        return self.prepared

    def discard(self) -> None:
        """Throw the prepared turn away, its requests included."""
        if self.prepared is not None:
            self._end(self.prepared)
            self.prepared = None

    def begin(self, task: Task, *, prepared: bool = False) -> Turn:
        """Give the floor to a new turn, or to the prepared one; the floor must be free."""
        turn = self.prepared if prepared else None
        if turn is None:
            self.discard()
            turn = self._start(task)
        self.prepared = None
        self.turn = turn
        turn.task = task
        return turn

    def stop(self, reason: StopReason) -> None:
        """Silence her now; `turn_ended` follows when it is known what was heard."""
        if self.turn is not None and not self.turn.playout.is_stopped:
            self._reason = reason
            self._end(self.turn)

    async def close(self) -> None:
        """Stop everything, and return when every task has ended."""
        self.discard()
        self.stop("silenced")
        for run in tuple(self._runs):
            run.cancel()
        if self._runs:
            await asyncio.wait(self._runs)
        for orphan in self._orphans:
            orphan.cancel()

    def _end(self, turn: Turn) -> None:
        turn.playout.stop()
        if performance := self._performances.get(turn):
            performance.cancel()
        asyncio.get_running_loop().call_later(CLOSE_S, turn.ended.set)

    def _start(self, task: Task) -> Turn:
        self._number += 1
        number = self._number
        playout = Playout(
            number, self._audience, self._clock, self._settings, lambda: self._sounds(turn)
        )
        turn = Turn(number, task, self._cast(), playout, self._settings.longest_reply_s)
        # The run owns the performance and outlives it; the floor owns the run until close().
        performance = asyncio.create_task(self._perform(turn), name=f"turn {number}")
        performance.add_done_callback(lambda _: turn.ended.set())
        self._performances[turn] = performance
        run = asyncio.create_task(self._run(turn, performance), name=f"run of turn {number}")
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return turn

    async def _perform(self, turn: Turn) -> None:
        with log_context(turn=turn.number):  # for whatever a provider writes on its behalf
            await turn.perform()

    def _sounds(self, turn: Turn) -> None:
        loop = asyncio.get_running_loop()
        turn.stamps.setdefault("sound", loop.time())
        self._listener.turn_sounds(turn)
        # After the sound is out: writing a message takes longer than all the rest of this.
        seconds = turn.latency()["sound"]
        loop.call_soon(partial(log_performance, "decision to sound", seconds, turn=turn.number))

    async def _run(self, turn: Turn, performance: asyncio.Task[None]) -> None:
        try:
            await turn.ended.wait()
            await turn.playout.settle()
        finally:
            performance.cancel()
            del self._performances[turn]
            if not performance.done():
                await asyncio.wait([performance], timeout=CLOSE_S)
                self._orphan(turn, performance)
        if turn is self.prepared:
            self.prepared = None
        if turn is self.turn:
            self.turn = None
            self._listener.turn_ended(turn, self._account(turn, performance))

    def _orphan(self, turn: Turn, performance: asyncio.Task[None]) -> None:
        """Let a performance go whose providers do not let go of it; it is kept until it ends."""
        if not performance.done():
            log.error("a provider does not end its work", extra={"turn": turn.number})
            self._orphans.add(performance)
            performance.add_done_callback(self._orphans.discard)

    def _account(self, turn: Turn, performance: asyncio.Task[None]) -> TurnEnded:
        heard, unheard = turn.split()
        if turn.playout.is_stopped:
            return TurnEnded(turn=turn.number, reason=self._reason, heard=heard, unheard=unheard)
        if performance.cancelled():  # nobody here asked for that
            detail = "a provider gave up in the middle"
            return TurnEnded(
                turn=turn.number, reason="failed", heard=heard, unheard=unheard, detail=detail
            )
        error = performance.exception()
        if error is None:
            return TurnEnded(turn=turn.number, reason="finished", heard=heard, unheard=unheard)
        log_error("turn failed", error, turn=turn.number)
        detail = (
            str(error) if isinstance(error, OperationError) else "an unexpected fault; see the log"
        )
        return TurnEnded(
            turn=turn.number, reason="failed", heard=heard, unheard=unheard, detail=detail
        )
