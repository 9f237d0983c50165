"""The envelope of every HTTP answer."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any


def good(message: str, data: object = None) -> dict[str, Any]:
    """Wrap what was asked for."""
    return _envelope(message, data, is_success=True)


def bad(code: str, message: str, reference: str = "") -> dict[str, Any]:
    """Wrap what is wrong and how to mend it; `reference` finds more in the log."""
    data = {"code": code} | ({"reference": reference} if reference else {})
    return _envelope(message, data, is_success=False)


def _envelope(message: str, data: object, *, is_success: bool) -> dict[str, Any]:
    return {
        "success": is_success,
        "message": message,
        "data": data,
        "timestamp": datetime.now(UTC).isoformat(),
        "request_id": secrets.token_hex(8),
    }
