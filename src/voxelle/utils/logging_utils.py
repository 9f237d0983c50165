"""Logging: one pipeline for structlog and the standard library, off the event loop.

Whoever writes a message only puts it into a bounded queue; a thread of its own writes it to the
console and to `logs/voxelle.log`. A slow console, a full disk or a flood of messages therefore
never stops the show: what does not fit is counted and left out.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO, TypeAlias

import structlog
from structlog.contextvars import bound_contextvars

from voxelle.utils.log_events import Category, Event, event_of, printable, reason_of
from voxelle.utils.log_file import LogFile

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

QUEUE = 10_000
"""Messages that may wait: some seconds of everything at level debug, about 10 MB."""

STOP_S = 5.0
"""Seconds that the thread gets to write what waits when logging stops."""

# Libraries that say at level info what only their authors want to know.
_TALKATIVE = (
    "httpx",
    "httpcore",
    "httpx2",
    "httpcore2",
    "openai",
    "watchfiles",
    "websockets",
    "asyncio",
    "uvicorn.access",
    "uvicorn.error",  # where uvicorn also notes every socket that opens or closes
)


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What is logged, and where."""

    level: Level = "info"

    folder: Path | None = None
    """Where `voxelle.log` is kept; None keeps nothing."""

    file_bytes: int = 10_000_000
    """Size after which a new file is begun."""

    files: int = 5
    """How many files are kept."""

    console: Literal["text", "json", "none"] = "text"


def set_level(level: Level) -> None:
    """Change the least serious level that is logged, at once and for everybody."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    for name in _TALKATIVE:
        is_debugging = number <= logging.DEBUG
        logging.getLogger(name).setLevel(logging.INFO if is_debugging else logging.WARNING)


class Logging:
    """The pipeline, from `start` to `stop`; there is one per process.

    It is a context manager. Its thread ends in `stop`, after what waits has been written.
    """

    def __init__(self, options: LogOptions, stream: TextIO | None = None) -> None:
        self._options = options
        self._stream = stream
        self._queue: queue.Queue[Event | None] = queue.Queue(QUEUE)
        self._handler = _Inlet(self._queue)
        self._thread: threading.Thread | None = None
        self._console: _Console | None = None
        self._file: LogFile | None = None
        self._before: tuple[int, list[logging.Handler]] | None = None

    def start(self) -> None:
        """Take over everything that is logged in this process."""
        options = self._options
        if options.console != "none":
            stream = sys.stderr if self._stream is None else self._stream
            self._console = _Console(
                stream, is_json=options.console == "json", has_file=options.folder is not None
            )
        if options.folder is not None:
            path = options.folder / "voxelle.log"
            self._file = LogFile(path, options.file_bytes, options.files, self._tell)
        root = logging.getLogger()
        self._before = (root.level, root.handlers[:])
        root.handlers[:] = [self._handler]
        self.set_level(options.level)
        logging.captureWarnings(capture=True)
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=False,
        )
        self._thread = threading.Thread(target=self._write, name="logging", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, at most for `STOP_S` seconds, and give everything back. May block."""
        if self._thread is None or self._before is None:
            return
        root = logging.getLogger()
        level, handlers = self._before
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        with suppress(queue.Full):
            self._queue.put(None, timeout=STOP_S)
        self._thread.join(STOP_S)
        self._thread = None
        if self._file is not None:
            self._file.close()

    def set_level(self, level: Level) -> None:
        """Change the least serious level that is logged, at once."""
        set_level(level)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _write(self) -> None:
        while (event := self._queue.get()) is not None:
            self._deliver(event)
            if lost := self._handler.take_lost():
                self._tell(f"{lost} log messages came too fast and were left out")

    def _deliver(self, event: Event) -> None:
        if self._console is not None:
            self._console.write(event)
        if self._file is not None:
            self._file.write(event)

    def _tell(self, sentence: str) -> None:
        if self._console is not None:
            facts = {"level": "warning", "category": "ERROR", "logger": __name__}
            self._console.write({"timestamp": "", **facts, "event": sentence})


class _Inlet(logging.Handler):
    """Takes messages where they are written, and puts them into the queue without waiting."""

    def __init__(self, to: queue.Queue[Event | None]) -> None:
        super().__init__()
        self._queue = to
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._queue.put_nowait(event_of(record))
        except queue.Full:
            self._lost += 1
        except Exception:  # noqa: BLE001 - a message is never worth an exception
            self._lost += 1

    def take_lost(self) -> int:
        lost, self._lost = self._lost, 0
        return lost


class _Console:
    """Writes messages for people, or as JSON for programs, to a terminal or a pipe."""

    def __init__(self, stream: TextIO, *, is_json: bool, has_file: bool) -> None:
        self._stream = stream
        self._has_file = has_file
        if is_json:
            self._render: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        else:
            colors = stream.isatty()
            self._render = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
        self._is_json = is_json

    def write(self, event: Event) -> None:
        # A pipe that nobody reads any more, or a console that cannot show a letter.
        with suppress(OSError, ValueError):
            self._stream.write(self._render(None, "", self._shown(event)) + "\n")
            self._stream.flush()

    def _shown(self, event: Event) -> Event:
        if self._is_json:
            return dict(event)
        exception = str(event.get("exception", ""))
        facts = {name: value for name, value in event.items() if name != "exception"}
        if exception and self._has_file:
            reason = reason_of(exception)
            # Most who log a failure already say why; then that stands there once.
            if not any(reason in str(value) for value in facts.values()):
                facts["event"] = f"{event['event']}: {reason}"
        shown = {k: printable(v) if isinstance(v, str) else v for k, v in facts.items()}
        shown.pop("category", None)
        shown["timestamp"] = str(event["timestamp"])[11:19]
        if exception and not self._has_file:
            shown["exception"] = exception
        return shown


def log_context(**ids: object) -> Any:
    """Add ids, such as `session_id` and `turn`, to every message that is written inside.

    A context manager; it follows tasks that are started inside.
    """
    return bound_contextvars(**ids)


def log_operation_start(operation: str, **facts: object) -> None:
    """Note that an operation begins."""
    _log("OPERATION", logging.INFO, "operation started", operation=operation, **facts)


def log_operation_complete(operation: str, seconds: float, **facts: object) -> None:
    """Note that an operation came to its end, and how long it took."""
    took = round(seconds, 4)
    _log("OPERATION", logging.INFO, "operation complete", operation=operation, s=took, **facts)


@contextmanager
def log_operation(operation: str, **facts: object) -> Iterator[None]:
    """Note the start of an operation and how it ended: complete, failed or cancelled."""
    log_operation_start(operation, **facts)
    start = _now()
    try:
        yield
    except asyncio.CancelledError:
        took = round(_now() - start, 4)
        _log("OPERATION", logging.INFO, "operation cancelled", operation=operation, s=took, **facts)
        raise
    except Exception as error:
        took = round(_now() - start, 4)
        said = {"operation": operation, "s": took, "error": str(error), **facts}
        _log("ERROR", logging.ERROR, "operation failed", **said)
        raise
    log_operation_complete(operation, _now() - start, **facts)


def log_integration(service: str, event: str, **facts: object) -> None:
    """Note something that a service outside Voxelle did."""
    _log("INTEGRATION", logging.INFO, event, service=service, **facts)


def log_security_event(event: str, **facts: object) -> None:
    """Note something that may be an attack, or a secret that was used wrongly."""
    _log("SECURITY", logging.WARNING, event, **facts)


def log_performance(measure: str, seconds: float, **facts: object) -> None:
    """Note how long something took."""
    _log("PERFORMANCE", logging.INFO, "measured", measure=measure, s=round(seconds, 4), **facts)


def log_api_request(method: str, path: str, status: int, seconds: float, **facts: object) -> None:
    """Note a request over HTTP and its answer; the path goes in without its query.

    Looking at a page is noted at debug, everything that changes something or fails at info.
    """
    said = {"method": method, "path": path.partition("?")[0], "status": status, **facts}
    # Whoever waits for the start asks twenty times a second, and 503 is the answer to that.
    is_look = method in {"GET", "HEAD"} and (status < 400 or status == 503)
    level = logging.DEBUG if is_look else logging.INFO
    _log("API_REQUEST", level, "request", s=round(seconds, 4), **said)


def log_error(event: str, error: BaseException, **facts: object) -> None:
    """Note a failure with its traceback."""
    _log("ERROR", logging.ERROR, event, exc_info=error, error=str(error), **facts)


def _log(category: Category, level: int, message: str, /, **facts: object) -> None:
    logger = structlog.stdlib.get_logger("voxelle.events")
    logger.log(level, message, category=category, **facts)


def _now() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.perf_counter()
