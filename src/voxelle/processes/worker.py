"""A helper program that is asked for work, and started again when it dies.

Libraries that hold the interpreter, keep global state or have a licence of their own
live in worker processes. A worker is a Python module run with pipes for input and
output (`serving.serve` is its inside); it ends when its input closes, so it cannot
outlive us. Many requests run at once; each one is a stream of answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from voxelle.processes.child import Call, Child
from voxelle.utils.exceptions import ConfigurationError, ProcessError

log = logging.getLogger(__name__)

MAX_PAUSE_S = 30.0
"""The longest time between two starts of a worker that keeps dying."""

FIRST_PAUSE_S = 0.5
"""The pause after the second death in a row; it doubles with every further one."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker runs, and how patient we are with it."""

    module: str
    """The module to run, as `python -m` takes it."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables set for it beside our own."""

    start_s: float = 30.0
    """How long it may take to say that it is ready: a model is read from a cold disk."""

    answer_s: float = 5.0
    """How long it may show no sign of life while it has work: its loop answers when it is asked
    for one, and the longest step of any worker, making a decoder, takes under a second. It is
    shorter than the patience of whoever asks, so that a worker that hangs does not outlive it."""

    cancel_s: float = 2.0
    """How long it may show none once work of it was cancelled: nobody else may wait behind it."""

    stop_s: float = 3.0
    """How long it may take to end after its input was closed."""

    ahead: int = 64
    """How many answers of one request may wait for the reader."""


class Worker:
    """Keeps one worker process; opened by `async with`, or by `start` and `close`."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._child: Child | None = None
        self._starting = asyncio.Lock()
        self._deaths = 0
        self._may_start_at = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the worker said about itself when it was ready; empty while it does not run."""
        return self._child.facts if self._child else {}

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        return self._child.pid if self._child and self._child.is_alive else None

    @property
    def calls(self) -> int:
        """How many requests are being served."""
        return len(self._child.calls) if self._child else 0

    async def start(self) -> None:
        """Start the process, if it does not run, and wait until it is ready.

        Raises `ProcessError` if it dies, is not ready in time, or died too often a moment
        ago; and what it says itself, such as a `ConfigurationError` for a missing package.
        """
        async with self._starting:
            if self._child is not None and self._child.is_alive:
                return
            if self._child is not None:
                await self._bury(self._child)
            self._child = await self._spawn()

    async def close(self) -> None:
        """End the process; requests that are still being served fail with `ProcessError`."""
        async with self._starting:
            child, self._child = self._child, None
            if child is not None:
                await child.stop(self.settings.stop_s)

    @asynccontextmanager
    async def call(self, payload: bytes = b"", **request: object) -> AsyncGenerator[Call]:
        """Ask for work; on leaving the context, work that is not done is cancelled at once.

        Starts the process again if it has died. Raises what `start` raises. A worker that does
        not live up to that, because it hangs, is killed; its other requests then fail, too.
        """
        await self.start()
        child = self._child
        if child is None:
            raise ProcessError(f"the worker {self.settings.module} is being closed")
        call = child.open_call(request, payload)
        try:
            yield call
            if call.is_done:
                self._deaths = 0
        finally:
            call.close()

    async def _spawn(self) -> Child:
        loop = asyncio.get_running_loop()
        wait_s = self._may_start_at - loop.time()
        if wait_s > 0:
            raise ProcessError(
                f"the worker {self.settings.module} died {self._deaths} times in a row;"
                f" it is started again in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-X", "utf8", "-m", self.settings.module),
            *self.settings.arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(self.settings.environment),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        child = Child(process, self.settings.module, self.settings)
        try:
            async with asyncio.timeout(self.settings.start_s):
                await asyncio.shield(child.ready)
        except TimeoutError:
            await child.stop(0.0)
            self._note_death()
            raise ProcessError(
                f"the worker {self.settings.module} was not ready"
                f" within {self.settings.start_s:g} s; look into the log for what it said"
            ) from None
        except BaseException as error:
            await child.stop(0.0)
            if not isinstance(error, (ConfigurationError, asyncio.CancelledError)):
                self._note_death()
            raise
        return child

    async def _bury(self, child: Child) -> None:
        """Clear away a process that died by itself, and remember that it did."""
        self._child = None
        await child.stop(0.0)
        self._note_death()
        log.warning("worker is started again", extra={"worker": self.settings.module})

    def _note_death(self) -> None:
        self._deaths += 1
        pause = FIRST_PAUSE_S * 2 ** (self._deaths - 2) if self._deaths > 1 else 0.0
        now = asyncio.get_running_loop().time()
        self._may_start_at = now + min(pause, MAX_PAUSE_S)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our own environment, with one thread for number crunching: the workers are the threads."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **extra}
