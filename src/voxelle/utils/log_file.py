"""A log file that never stops the show."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from voxelle.utils.log_events import Event

PAUSE = 20
"""Messages that are left out after a failure before the file is tried again."""


class LogFile(logging.handlers.RotatingFileHandler):
    """Writes one JSON per line, begins a new file when one is full, and survives a full disk.

    A failure is told once, by `tell`, until writing works again. Used by one thread.
    """

    def __init__(self, path: Path, max_bytes: int, files: int, tell: Callable[[str], None]) -> None:
        # Opening is left to the first message, where a failure is handled like any other.
        super().__init__(
            path, maxBytes=max_bytes, backupCount=files - 1, encoding="utf-8", delay=True
        )
        self._tell = tell
        self._is_failing = False
        self._skip = 0

    def write(self, event: Event) -> None:
        """Write one message, or leave it out while the disk does not take it."""
        if self._skip > 0:
            self._skip -= 1
            return
        line = json.dumps(event, ensure_ascii=False, default=str)
        self.emit(logging.makeLogRecord({"msg": line}))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; what the disk refuses is told once and tried again later."""
        try:
            if self.stream is None:
                Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            if self.shouldRollover(record):
                self.doRollover()
            logging.FileHandler.emit(self, record)
        except OSError:
            self.handleError(record)
        else:
            if self._is_failing and self._skip == 0:
                self._is_failing = False
                self._tell("the log file can be written again")

    def doRollover(self) -> None:  # noqa: N802 - the name that the standard library gave it
        """Begin a new file; where that is impossible, go on with the old one."""
        # Windows refuses to rename a file that somebody looks at.
        with suppress(PermissionError):
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - likewise
        """Tell the first failure, and leave the file alone for a while."""
        error = sys.exc_info()[1]
        self._skip = PAUSE
        if not self._is_failing:
            self._is_failing = True
            reason = getattr(error, "strerror", None) or error
            self._tell(f"the log file cannot be written, the show goes on: {reason}")
        # What is buffered would fail again whenever the file is closed.
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()

    def close(self) -> None:
        """Close the file, whatever the disk says."""
        with suppress(OSError, ValueError):
            super().close()
