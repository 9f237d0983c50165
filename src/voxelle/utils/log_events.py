"""What one log message holds: the same facts, whoever wrote it and however."""

from __future__ import annotations

import itertools
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from structlog.contextvars import get_contextvars

from voxelle.utils.secrets import redact, redact_all

Category: TypeAlias = Literal[
    "OPERATION", "INTEGRATION", "SECURITY", "PERFORMANCE", "API_REQUEST", "ERROR"
]
"""What a message is about."""

Event: TypeAlias = dict[str, Any]

MAX_TEXT = 4_000
"""Characters of one text in a message; the longest is a reply, of about 1 000."""

MAX_TRACEBACK = 20_000
"""Characters of a traceback; its end is kept, because the error is there."""

_OF_RECORDS = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "_logger",
    "_name",
    "_from_structlog",
    "color_message",  # uvicorn's message again, for terminals
}

_BY_LOGGER: Final[tuple[tuple[str, Category], ...]] = (
    ("voxelle.server.guard", "SECURITY"),
    ("voxelle.server", "API_REQUEST"),
    ("uvicorn", "API_REQUEST"),
    ("voxelle.client", "INTEGRATION"),
    ("voxelle", "OPERATION"),
)


def event_of(record: logging.LogRecord) -> Event:
    """Turn a record, of structlog or of the standard library, into facts without secrets.

    Call it where the message was written: the ids of the session and the turn are taken from the
    context, and the traceback from the exception that is being handled.
    """
    if isinstance(record.msg, dict):
        facts = dict(record.msg)
    else:
        facts = {name: value for name, value in vars(record).items() if name not in _OF_RECORDS}
        facts["event"] = record.getMessage()
    failure = facts.pop("exc_info", None) or record.exc_info
    stack = record.stack_info
    event: Event = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "category": facts.pop("category", None) or category_of(record.name, record.levelno),
        "logger": record.name,
        "event": _short(redact(str(facts.pop("event", "")))),
    }
    event.update(_plain(get_contextvars()))
    event.update(_plain(facts))
    if failure:
        event["exception"] = redact(_traceback(failure))[-MAX_TRACEBACK:]
    if stack:
        event["stack"] = redact(stack)[-MAX_TRACEBACK:]
    return event


def category_of(logger: str, level: int) -> Category:
    """Give the category of a message that does not name one."""
    if level >= logging.ERROR:
        return "ERROR"
    found = (category for prefix, category in _BY_LOGGER if logger.startswith(prefix))
    return next(found, "INTEGRATION")


def printable(value: str) -> str:
    """Give a text in one line that does nothing to a terminal: the rest of it is escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def reason_of(exception: str) -> str:
    """Give what the last error of a traceback says, in one line; ours without its name."""
    lines = [line for line in exception.splitlines() if line.strip()]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    # Under the last frame stand its source and its marks, indented by four, and then the error.
    rest = itertools.dropwhile(
        lambda line: line.startswith("    "), lines[frames[-1] + 1 :] if frames else lines
    )
    said = " ".join(line.strip(" |+-") for line in rest).strip()
    kind, _, words = said.partition(": ")
    if kind.startswith("voxelle.") and words:
        return words
    return said[:MAX_TEXT]


def _plain(facts: dict[str, Any]) -> Event:
    """Take secrets out, and turn what JSON does not know into text."""
    return {str(name): _simple(redact_all(value, str(name))) for name, value in facts.items()}


def _simple(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {name: _simple(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_simple(item) for item in value[:100]]
    try:
        return _short(redact(str(value)))
    except Exception as error:  # noqa: BLE001 - a message is never worth an exception
        return f"({type(value).__name__} that cannot be shown: {type(error).__name__})"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def _traceback(failure: Any) -> str:
    if isinstance(failure, BaseException):
        failure = (type(failure), failure, failure.__traceback__)
    elif not isinstance(failure, tuple):
        failure = sys.exc_info()
    return "".join(traceback.format_exception(*failure)) if failure[1] is not None else ""
