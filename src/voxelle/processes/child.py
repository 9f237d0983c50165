"""One run of a worker process, seen from outside: its pipes, and the requests it serves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxelle.processes import wire
from voxelle.processes.pulse import Pulse
from voxelle.streams import Stream
from voxelle.utils.exceptions import (
    ConfigurationError,
    ProcessError,
    ValidationError,
    VoxelleException,
)

if TYPE_CHECKING:
    from voxelle.processes.worker import WorkerSettings

log = logging.getLogger(__name__)

MAX_LINES = 200
"""Lines of a worker's standard error that go to the log; a worker in trouble repeats itself."""

MAX_LINE = 500
"""Characters of such a line."""

END_S = 2.0
"""Seconds a process may take to end when its pipes are closed already."""

ERRORS: dict[str, type[VoxelleException]] = {
    "configuration": ConfigurationError,
    "validation": ValidationError,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a request."""

    header: Mapping[str, Any]
    payload: bytes


class Call:
    """One request that a worker serves."""

    def __init__(self, number: int, child: Child) -> None:
        self.number = number
        self.is_done = False
        """Whether the worker has given its last answer."""
        self._child = child
        self._ahead = child.settings.ahead
        self._taken = 0
        self._answers: asyncio.Queue[Answer | Exception | None] = asyncio.Queue()

    async def send(self, payload: bytes) -> None:
        """Send more of the request; waits while the pipe is full, raises if the worker died."""
        await self._child.send({"call": self.number, "do": "more"}, payload)

    async def end(self) -> None:
        """Say that the request is complete."""
        await self._child.send({"call": self.number, "do": "end"})

    async def answers(self) -> Stream[Answer]:
        """Give the answers as they come, at most `ahead` of them waiting here.

        Raises what the worker says went wrong, or `ProcessError` if it dies. A worker that
        hangs is killed, so that the next request meets a fresh one.
        """
        while (answer := await self._answers.get()) is not None:
            if isinstance(answer, Exception):
                raise answer
            self._taken += 1
            if self._taken >= max(1, self._ahead // 2):
                self._child.post({"call": self.number, "do": "go_on", "answers": self._taken})
                self._taken = 0
            yield answer

    def fail(self, error: Exception) -> None:
        """End the answers with an error of ours: what was to be sent cannot be."""
        self._answers.put_nowait(error)

    def put(self, answer: Answer | VoxelleException | None) -> None:
        """Take in what the worker says; None is the end. Raises `ProcessError` if unasked for."""
        if self._answers.qsize() > self._ahead:
            raise ProcessError("the worker sends more answers than it may")
        self.is_done = self.is_done or answer is None or isinstance(answer, VoxelleException)
        self._answers.put_nowait(answer)

    def close(self) -> None:
        """Let go of the request; work that is not done is cancelled."""
        if self._child.calls.pop(self.number, None) is not None:
            self._child.post({"call": self.number, "do": "cancel"})
            self._child.expect_life()


class Child:
    """One process, from its start to its end."""

    def __init__(self, process: Process, module: str, settings: WorkerSettings) -> None:
        self.module = module
        self.settings = settings
        self.calls: dict[int, Call] = {}
        self.facts: Mapping[str, Any] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process = process
        self._count = 0
        self._is_doomed = False
        self._fault = ""
        self._pulse = Pulse(self, settings.answer_s)
        self._last_lines: deque[str] = deque(maxlen=5)
        self._life = asyncio.create_task(self._live(), name=f"worker {module}")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs and can be asked for work."""
        is_running = not self._life.done() and self._process.returncode is None
        return is_running and not self._is_doomed

    def open_call(self, request: Mapping[str, object], payload: bytes) -> Call:
        """Begin a request."""
        self._count += 1
        call = self.calls[self._count] = Call(self._count, self)
        fixed = {"call": call.number, "do": "start", "ahead": self.settings.ahead}
        try:
            message = wire.pack({**request, **fixed})
        except ProcessError:
            del self.calls[call.number]
            raise
        self._write(message)
        if payload:
            self._write(wire.pack({"call": call.number, "do": "more"}, payload))
        self._pulse.watch()
        return call

    def expect_life(self) -> None:
        """End the process, unless it shows within `cancel_s` that it does not hang."""
        if self.is_alive:
            self._pulse.expect(self.settings.cancel_s)

    @property
    def is_busy(self) -> bool:
        """Whether it has requests to serve."""
        return bool(self.calls)

    def ask_for_life(self) -> None:
        """Ask the thread that works for a sign of life."""
        self.post({"call": 0, "do": "show_life"})

    def give_up(self, silent_s: float) -> None:
        """End the process, because it hangs."""
        self._fault = f"was silent for {silent_s:.1f} s and is ended"
        log.error("worker hangs and is ended", extra={"worker": self.module, "pid": self.pid})
        self.kill()

    async def send(self, header: Mapping[str, object], payload: bytes = b"") -> None:
        """Send a message, and wait while the pipe is full; raise `ProcessError` if it is broken."""
        if not self.is_alive:
            raise self._death()
        self._write(wire.pack(header, payload))
        try:
            await self._stdin.drain()
        except OSError as error:
            raise self._death() from error

    def post(self, header: Mapping[str, object]) -> None:
        """Send a small message without waiting, if there is somebody to read it."""
        if self.is_alive:
            self._write(wire.pack(header))

    def kill(self) -> None:
        """End the process at once."""
        self._is_doomed = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self, patience_s: float) -> None:
        """Close its input, give it time to end by itself, and wait until it is gone."""
        self._stdin.close()
        try:
            await asyncio.wait([self._life], timeout=patience_s)
        finally:
            if not self._life.done():
                self.kill()
        await asyncio.wait([self._life])

    @property
    def _stdin(self) -> asyncio.StreamWriter:
        if self._process.stdin is None:
            raise ProcessError(f"the worker {self.module} was started without pipes")
        return self._process.stdin

    def _write(self, message: bytes) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(message)

    async def _live(self) -> None:
        """Read all that the process says until it ends, and tell everybody who waits for it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_answers(), name=f"answers of {self.module}")
                group.create_task(self._read_log(), name=f"log of {self.module}")
        finally:
            self._pulse.stop()
            self._stdin.close()
            await self._see_it_end()
            error = self._death()
            if not self.ready.done():
                self.ready.set_exception(error)
            self.ready.exception()  # whoever waited for it has been told; nobody else has to be
            for call in self.calls.values():
                call.put(error)
            self.calls.clear()

    async def _see_it_end(self) -> None:
        """Wait for a process whose pipes are closed; one that goes on all the same is killed."""
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    async def _read_answers(self) -> None:
        try:
            while (message := await self._read_message()) is not None:
                self._pulse.felt()
                self._take(*message)
        except (ProcessError, OSError):
            log.exception("worker is ended: it cannot be understood", extra={"worker": self.module})
            self.kill()

    async def _read_message(self) -> tuple[dict[str, Any], bytes] | None:
        stdout = self._process.stdout
        if stdout is None:
            return None
        try:
            head, payload = wire.sizes(await stdout.readexactly(wire.SIZES.size))
            header = wire.read_header(await stdout.readexactly(head))
            return header, await stdout.readexactly(payload)
        except asyncio.IncompleteReadError:
            return None

    def _take(self, header: dict[str, Any], payload: bytes) -> None:
        error = None
        if "error" in header:
            kind = ERRORS.get(str(header.get("kind")), ProcessError)
            error = kind(str(header["error"]), worker=self.module)
        number = header.get("call")
        if number == 0 and not self.ready.done():
            self._take_readiness(header, error)
            return
        call = self.calls.get(number) if isinstance(number, int) else None
        if call is None:
            return  # cancelled in the meantime
        if error is not None or header.get("done"):
            del self.calls[call.number]
            call.put(error)
        else:
            call.put(Answer(header, payload))

    def _take_readiness(self, header: Mapping[str, Any], error: VoxelleException | None) -> None:
        if error is not None:
            self.ready.set_exception(error)
        else:
            self.facts = dict(header.get("ready") or {})
            self.ready.set_result(None)

    async def _read_log(self) -> None:
        """Pass the process's standard error on to the log, within bounds."""
        stderr = self._process.stderr
        if stderr is None:
            return
        count = 0
        rest = b""
        while chunk := await stderr.read(4_096):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-MAX_LINE:]
            for line in lines:
                text = line.decode("utf-8", "replace").strip()[:MAX_LINE]
                self._last_lines.append(text)
                count += 1
                if count <= MAX_LINES:
                    log.info("worker says", extra={"worker": self.module, "line": text})

    def _death(self) -> ProcessError:
        code = self._process.returncode
        said = " | ".join(line for line in self._last_lines if line)
        what = self._fault or f"has ended (exit code {code})"
        sentence = f"the worker {self.module} {what}"
        return ProcessError(f"{sentence}; it said: {said}" if said else sentence, exit_code=code)
