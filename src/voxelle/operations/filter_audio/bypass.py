"""What happens when an effect fails while somebody listens: the show goes on without it."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import aclosing

from voxelle.audio import AudioFrame
from voxelle.operations.base import AudioFilter
from voxelle.streams import Stream

MAX_LATENCY_S = 2.0
"""Seconds a filter may lag behind and still be bypassed without a gap: 50 times the slowest."""

log = logging.getLogger(__name__)


class _Tap:
    """Lets a filter read a source that it cannot close, and remembers what it still owes."""

    def __init__(self, source: Stream[AudioFrame]) -> None:
        self._source = source
        self._owed: deque[AudioFrame] = deque()
        self.failure: Exception | None = None
        """What the source itself raised: not the filter's fault."""

        self.rate: int | None = None
        self._rate_out: int | None = None
        self._reached = 0.0

    async def frames(self) -> Stream[AudioFrame]:
        """Read the source."""
        while (frame := await self._next()) is not None:
            if self.rate is None:
                self.rate, self._reached = frame.rate, frame.start
            self._owed.append(frame)
            while self._owed[-1].start - self._owed[0].start > MAX_LATENCY_S:
                self._owed.popleft()
            yield frame

    async def _next(self) -> AudioFrame | None:
        try:
            return await anext(self._source, None)
        except Exception as error:
            self.failure = error
            raise

    def note(self, frame: AudioFrame) -> None:
        """Note that the filter gave this: what came in before its end is no longer owed."""
        self._rate_out = frame.rate
        self._reached = frame.start + frame.seconds
        while self._owed and self._end(self._owed[0]) <= self._reached + 1e-6:
            self._owed.popleft()

    @staticmethod
    def _end(frame: AudioFrame) -> float:
        return frame.start + frame.seconds

    async def rest(self) -> Stream[AudioFrame]:
        """Give what the filter took and did not give back, then what it did not take."""
        while self._owed:
            frame = self._owed.popleft()
            skip = max(0, round((self._reached - frame.start) * frame.rate))
            start = frame.start + skip / frame.rate
            marks = tuple(mark for mark in frame.marks if not skip or mark.start >= start)
            yield AudioFrame(frame.samples[skip:], frame.rate, start, marks)
        while (later := await anext(self._source, None)) is not None:
            yield later

    @property
    def may_go_on(self) -> bool:
        """Whether the sound may go on without the filter: not at another rate than before."""
        return self._rate_out in (None, self.rate)


async def with_bypass(effect: AudioFilter, source: Stream[AudioFrame]) -> Stream[AudioFrame]:
    """Give what the filter makes of `source`; if it fails, go on with `source` as it is.

    Not a sample is lost or heard twice at the change. If it failed after it had
    begun to give another rate than it got, its error is raised. Closes `source`.
    """
    async with aclosing(source):
        tap = _Tap(source)
        try:
            async with aclosing(effect.apply(tap.frames())) as changed:
                async for frame in changed:
                    tap.note(frame)
                    yield frame
        except Exception:
            if tap.failure is not None:
                raise tap.failure from tap.failure.__cause__
            if not tap.may_go_on:
                raise
            log.exception("an audio filter failed; this line goes on without it")
        else:
            return
        async with aclosing(tap.rest()) as rest:
            async for frame in rest:
                yield frame
