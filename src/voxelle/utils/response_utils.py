"""The envelope of every answer over HTTP: `{success, message, data, timestamp, request_id}`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, TypedDict

from voxelle.utils.exceptions import VoxelleException
from voxelle.utils.secrets import redact
from voxelle.utils.validators import integer

MAX_PAGE = 200
"""Items of one page at most: what a person looks through, and far below any limit of a message."""

RequestId: TypeAlias = str


class Envelope(TypedDict):
    """An answer as it goes out, ready for JSON."""

    success: bool
    message: str
    """One sentence for people."""

    data: object
    timestamp: str
    """When it was made, in UTC, as ISO 8601."""

    request_id: RequestId
    """What the log calls the request."""


def new_request_id() -> RequestId:
    """Give a new id, 16 hexadecimal digits."""
    return secrets.token_hex(8)


def success(message: str, data: object = None, request_id: RequestId | None = None) -> Envelope:
    """Wrap what was asked for."""
    return _envelope(message, data, request_id, is_success=True)


def error(
    message: str | VoxelleException,
    code: str = "",
    request_id: RequestId | None = None,
    details: Mapping[str, object] | None = None,
) -> Envelope:
    """Wrap what is wrong and how to mend it.

    `code` is a name for programs; of an exception it is its component. An exception's context is
    not shown, because it is for the log. Secrets in the message are hidden.
    """
    if isinstance(message, VoxelleException):
        code = code or message.component
    data = {"code": code, **(details or {})}
    return _envelope(redact(str(message)), data, request_id, is_success=False)


def paginated(
    message: str,
    items: Sequence[object],
    page: int = 1,
    page_size: int = 50,
    request_id: RequestId | None = None,
) -> Envelope:
    """Wrap one page of many items, pages being counted from 1; a page behind the last is empty.

    Raises `ValidationError` for a page below 1 or a size outside 1 to `MAX_PAGE`.
    """
    page = integer(page, "page", least=1)
    page_size = integer(page_size, "page_size", least=1, most=MAX_PAGE)
    first = (page - 1) * page_size
    pages = -(-len(items) // page_size)
    data = {
        "items": list(items[first : first + page_size]),
        "page": page,
        "page_size": page_size,
        "pages": pages,
        "total": len(items),
        "has_next": page < pages,
    }
    return _envelope(message, data, request_id, is_success=True)


def _envelope(
    message: str, data: object, request_id: RequestId | None, *, is_success: bool
) -> Envelope:
    return {
        "success": is_success,
        "message": message,
        "data": data,
        "timestamp": datetime.now(UTC).isoformat(),
        "request_id": request_id or new_request_id(),
    }
