"""Messages between Voxelle and its worker processes, over pipes.

A message is eight bytes (the lengths of header and payload, little-endian), a
JSON object, and raw bytes. Both sides refuse what is larger than it may be.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, cast

from voxelle.utils.exceptions import ProcessError

SIZES = struct.Struct("<II")
"""Bytes of the header and of the payload."""

MAX_HEADER = 65_536
"""Bytes; a line for a voice is at most 5 000 characters, so at most 60 000 as escaped JSON."""

MAX_PAYLOAD = 4_194_304
"""Bytes; a minute of 16 kHz PCM16 has 1.9 MB."""


def pack(header: Mapping[str, object], payload: bytes = b"") -> bytes:
    """Give the bytes of a message; raise `ProcessError` if it is larger than it may be."""
    head = json.dumps(header).encode()
    _check(len(head), len(payload))
    return b"".join((SIZES.pack(len(head), len(payload)), head, payload))


def sizes(prefix: bytes) -> tuple[int, int]:
    """Read the lengths of header and payload; raise `ProcessError` if they are too large."""
    head, payload = SIZES.unpack(prefix)
    _check(head, payload)
    return head, payload


def read_header(raw: bytes) -> dict[str, Any]:
    """Read a header; raise `ProcessError` if it is not a JSON object."""
    try:
        header = json.loads(raw)
    except ValueError as error:
        raise ProcessError(f"a message has a header that is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise ProcessError("a message has a header that is not a JSON object")
    return cast(dict[str, Any], header)


def _check(head: int, payload: int) -> None:
    if head > MAX_HEADER or payload > MAX_PAYLOAD:
        raise ProcessError(
            f"a message of {head} + {payload} bytes is too large;"
            f" {MAX_HEADER} + {MAX_PAYLOAD} are allowed"
        )
