"""The inside of a worker process: serves requests that come by standard input.

The work is written as generators that give up their turn now and then, so one
thread serves many requests fairly, and no library has to be safe for threads. A
second thread reads: it hears of a cancellation at once, even in the midst of work. The first
thread answers when the parent asks for a sign of life, so that work that hangs is found out.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeAlias

from voxelle.processes import wire
from voxelle.utils.exceptions import ConfigurationError, ProcessError, ValidationError

MAX_WAITING = 8 * wire.MAX_PAYLOAD
"""Bytes that may wait for one request; far more than the longest utterance has."""

GRACE_S = 5.0
"""How long the work may go on after the parent is gone."""


class Turn(Enum):
    """Why a request lets the others work."""

    PASS = "pass"  # noqa: S105 - the turn is passed on, nothing secret
    """It could go on at once."""

    WAIT = "wait"
    """It has nothing to do until more of it arrives, or until it hears that nothing more will."""

    SLEEP = "sleep"
    """It has nothing to do until another request wakes it."""


Work: TypeAlias = Iterator[Turn]


class Request:
    """One request: what arrived of it, and the way to answer it."""

    def __init__(self, number: int, header: dict[str, Any], server: Server) -> None:
        self.header = header
        self.number = number
        self.is_cancelled = False
        """Whether nobody waits for an answer any more; long work looks at it now and then."""
        self.may_send = int(header.get("ahead", 1))
        self.outbox: deque[bytes] = deque()
        self.is_finished = False
        self.turn = Turn.PASS
        self.has_ended = False
        self._knows_end = False
        self._is_awake = False
        self.waiting_bytes = 0
        self.inbox: deque[bytes] = deque()
        self._server = server

    @property
    def is_complete(self) -> bool:
        """Whether nothing more of it will arrive; ask before the last `read`, not after it."""
        with self._server.changed:
            self._knows_end = self.has_ended
        return self._knows_end

    @property
    def may_run(self) -> bool:
        """Whether there is something to do; whose answers wait for the reader, waits with them."""
        if self.is_cancelled:
            return True
        if self.outbox:
            return False
        if self.turn is Turn.SLEEP:
            return self._is_awake
        has_news = bool(self.inbox) or (self.has_ended and not self._knows_end)
        return has_news or self.turn is Turn.PASS

    def wake(self) -> None:
        """Let it go on, if it sleeps; to be called by the work of another request."""
        self._is_awake = True

    def begin_turn(self) -> None:
        """Note that it goes on now."""
        self._is_awake = False

    def read(self) -> bytes | None:
        """Take the next payload that has arrived; None if there is none at the moment."""
        with self._server.changed:
            if not self.inbox:
                return None
            payload = self.inbox.popleft()
            self.waiting_bytes -= len(payload)
            return payload

    def answer(self, payload: bytes = b"", **header: object) -> None:
        """Send an answer, or keep it until the reader has taken the ones before it."""
        self._server.answer(self, wire.pack({"call": self.number, **header}, payload))


Handler: TypeAlias = Callable[[Request], Work]


class Server:
    """Runs the requests in turn, in the thread that calls `run`."""

    def __init__(self, handler: Handler, source: int, target: int) -> None:
        self._handler = handler
        self._source = source
        self._target = target
        self._requests: dict[int, Request] = {}
        self._turns: deque[tuple[Request, Work]] = deque()
        self._is_over = False
        self._is_asked = False
        self.changed = threading.Condition()

    def run(self) -> None:
        """Serve until the input ends."""
        reader = threading.Thread(target=self._read, name="reader", daemon=True)
        reader.start()
        while (entry := self._next()) is not None:
            self._step(*entry)

    def answer(self, request: Request, message: bytes) -> None:
        """Send a message of a request as soon as it may be sent."""
        with self.changed:
            if request.may_send > 0 and not request.outbox:
                request.may_send -= 1
                self._write(message)
            else:
                request.outbox.append(message)

    def _next(self) -> tuple[Request, Work] | None:
        """Wait for a request that can go on, and take it out of the queue."""
        with self.changed:
            while not self._is_over:
                if self._is_asked:
                    self._is_asked = False
                    self._write(wire.pack({"call": 0, "is_alive": True}))
                for index, (request, _) in enumerate(self._turns):
                    if request.may_run:
                        entry = self._turns[index]
                        del self._turns[index]
                        return entry
                self.changed.wait()
        return None

    def _step(self, request: Request, work: Work) -> None:
        if request.is_cancelled:
            close = getattr(work, "close", None)
            if close is not None:
                close()
            self._forget(request)
            return
        request.begin_turn()
        try:
            request.turn = next(work)
        except StopIteration:
            self._finish(request, {"done": True})
        except Exception as error:  # noqa: BLE001 - the outermost edge of a request
            if not isinstance(error, (ConfigurationError, ValidationError)):
                traceback.print_exc()
            self._finish(request, describe(error))
        else:
            with self.changed:
                self._turns.append((request, work))

    def _finish(self, request: Request, header: dict[str, object]) -> None:
        """Send the last message, which needs no leave, after all that waits before it."""
        with self.changed:
            request.outbox.append(wire.pack({"call": request.number, **header}))
            request.may_send += 1
            request.is_finished = True
            self._flush(request)

    def _forget(self, request: Request) -> None:
        with self.changed:
            self._requests.pop(request.number, None)

    def _flush(self, request: Request) -> None:
        while request.outbox and request.may_send > 0:
            request.may_send -= 1
            self._write(request.outbox.popleft())
        if request.is_finished and not request.outbox:
            self._requests.pop(request.number, None)

    def _write(self, message: bytes) -> None:
        view = memoryview(message)
        try:
            while view:
                view = view[os.write(self._target, view) :]
        except OSError:  # nobody reads any more: the end of the input follows
            self._is_over = True

    def _read(self) -> None:
        """Take in messages until the input ends; then make sure that the process ends, too."""
        try:
            while (message := _read_message(self._source)) is not None:
                with self.changed:
                    self._take(*message)
                    self.changed.notify_all()
        except ProcessError:
            traceback.print_exc()
        with self.changed:
            self._is_over = True
            for request in self._requests.values():
                request.is_cancelled = True
            self.changed.notify_all()
        threading.Thread(target=_end_for_sure, name="end", daemon=True).start()

    def _take(self, header: dict[str, Any], payload: bytes) -> None:
        number, what = int(header.get("call", 0)), header.get("do")
        if what == "start":
            request = Request(number, header, self)
            self._requests[number] = request
            self._turns.append((request, self._handler(request)))
            return
        if what == "show_life":
            self._is_asked = True
            return
        if (known := self._requests.get(number)) is None:
            return  # it has ended in the meantime
        if what == "more":
            _add(known, payload)
        elif what == "end":
            known.has_ended = True
        elif what == "cancel":
            known.is_cancelled = True
            if known.is_finished:
                del self._requests[number]
        elif what == "go_on":
            known.may_send += int(header.get("answers", 0))
            self._flush(known)


def serve(open_handler: Callable[[], tuple[Handler, dict[str, object]]]) -> None:
    """Open a handler, say that it is ready and with what facts, and serve until the input ends.

    What the handler's libraries print goes to standard error, so that it cannot
    disturb the answers. Ctrl+C is left to the parent, which closes our input.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    try:
        handler, facts = open_handler()
    except Exception as error:  # noqa: BLE001 - the outermost edge of the process
        os.write(target, wire.pack({"call": 0, **describe(error)}))
        sys.exit(1)
    os.write(target, wire.pack({"call": 0, "ready": facts}))
    Server(handler, source, target).run()


def describe(error: Exception) -> dict[str, object]:
    """Put an error in a header, so that the parent can raise its like."""
    kind = "failure"
    if isinstance(error, (ConfigurationError, ImportError)):
        kind = "configuration"
    elif isinstance(error, ValidationError):
        kind = "validation"
    return {"error": (str(error) or type(error).__name__)[:2_000], "kind": kind}


def _add(request: Request, payload: bytes) -> None:
    if request.waiting_bytes + len(payload) > MAX_WAITING:
        request.is_cancelled = True
        return
    request.inbox.append(payload)
    request.waiting_bytes += len(payload)


def _read_message(source: int) -> tuple[dict[str, Any], bytes] | None:
    """Read one message; None at the end of the input, be it in the midst of a message."""
    if (prefix := _read_exactly(source, wire.SIZES.size)) is None:
        return None
    head, payload = wire.sizes(prefix)
    raw, body = _read_exactly(source, head), _read_exactly(source, payload)
    if raw is None or body is None:
        return None
    return wire.read_header(raw), body


def _read_exactly(source: int, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count > 0:
        part = os.read(source, min(count, 65_536))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _end_for_sure() -> None:
    """End a process whose work does not end by itself: nobody is left to see its result."""
    threading.Event().wait(GRACE_S)
    os._exit(1)
