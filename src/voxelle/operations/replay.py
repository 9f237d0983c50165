"""An utterance that can be given to a second ear when the first one fails."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

from voxelle.audio import AudioFrame
from voxelle.streams import Stream

LIMIT_S = 30.0
"""Seconds of sound that are remembered, 1.9 MB: the longest that Whisper hears in one piece."""


class Replay:
    """What was heard so far of an utterance that still goes on; made by `replayable`.

    One reader at a time: a new reader comes when the one before has failed.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._kept_s = limit_s
        self._frames: deque[AudioFrame] = deque()
        self._held_s = 0.0
        self._dropped = 0
        self._read = 0
        self._is_ended = False
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        self._heard_s = 0.0
        self._due_at: float | None = None
        self._watch: Callable[[], None] | None = None

    @property
    def may_replay(self) -> bool:
        """Whether the utterance is still known from its beginning."""
        return self._dropped == 0

    @property
    def due_at(self) -> float | None:
        """The loop's time since which the ear owes an answer; None if it owes none.

        It does when the person has finished, and while the ear is a whole memory behind. Of an
        utterance that comes faster than it was spoken, it does once it could have been spoken.
        """
        return self._due_at

    def watch(self, call: Callable[[], None] | None) -> None:
        """Call now and at every change of `due_at`; replaces the last call."""
        self._watch = call
        if call is not None:
            call()

    def forget(self) -> None:
        """Keep nothing that was read: the first ear does its work."""
        self._kept_s = 0.0
        self._drop()

    async def again(self) -> Stream[AudioFrame]:
        """Give the utterance from its beginning; raise `ValueError` if that is forgotten.

        Closing this stream leaves the utterance open for the next reader.
        """
        if not self.may_replay:
            raise ValueError("the beginning of the utterance is no longer known")
        self._read = 0
        while True:
            if self._read < self._dropped + len(self._frames):
                frame = self._frames[self._read - self._dropped]
                self._read += 1
                self._drop()
                yield frame
            elif self._is_ended:
                if self._failure is not None:
                    raise self._failure
                return
            else:
                await self._wait()

    async def fill(self, source: Stream[AudioFrame]) -> None:
        """Take in the source until it ends; waits when the memory is full of unread sound."""
        try:
            async with aclosing(source):
                async for frame in source:
                    while self._held_s >= self._limit_s and not self._drop():
                        self._turn_due(True)
                        await self._wait()
                    self._frames.append(frame)
                    self._held_s += frame.seconds
                    self._heard_s += frame.seconds
                    self._drop()
                    self._changed.set()
        except BaseException as error:
            self._failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_ended = True
            self._changed.set()
            self._turn_due(True)

    def _turn_due(self, is_due: bool) -> None:
        if (self._due_at is not None) != is_due:
            now = asyncio.get_running_loop().time()
            spoken = self._began + self._heard_s if self._is_ended else now
            self._due_at = max(now, spoken) if is_due else None
            if self._watch is not None:
                self._watch()

    def _drop(self) -> bool:
        before = self._dropped
        while self._held_s >= self._kept_s and self._dropped < self._read:
            self._held_s -= self._frames.popleft().seconds
            self._dropped += 1
        if self._dropped > before:
            self._turn_due(self._is_ended)
            self._changed.set()
        return self._dropped > before

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


@asynccontextmanager
async def replayable(source: Stream[AudioFrame]) -> AsyncGenerator[Replay]:
    """Take an utterance in, in a task of its own, so that a reader may fail without harm to it.

    On leaving the context the task is cancelled and `source` closed.
    """
    replay = Replay()
    task = asyncio.create_task(replay.fill(source), name="replay")
    try:
        yield replay
    finally:
        task.cancel()
        await asyncio.wait([task])
