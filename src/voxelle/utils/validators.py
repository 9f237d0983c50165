"""Checks of what comes from outside: each gives the value, or says in a sentence what is wrong.

All of them raise `ValidationError`, whose context names the field. `name` is what the sender calls
the value. Wrong values are shown only as far as they are short and harmless.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from voxelle.utils.exceptions import ValidationError
from voxelle.utils.secrets import redact

T = TypeVar("T")

RATES = (8_000, 192_000)
"""Hertz of any sound that a person made or will hear."""


def string(
    value: object,
    name: str,
    *,
    least: int = 1,
    most: int = 4_000,
    may_break: bool = True,
) -> str:
    """Check a text: between `least` and `most` characters, without control characters.

    White space around it is taken away. Tabs and line breaks are let through if `may_break`.
    """
    if not isinstance(value, str):
        _refuse(name, f"must be a text, not {_kind(value)}")
    text = value.strip()
    if not least <= len(text) <= most:
        _refuse(name, f"must have {least} to {most} characters, not {len(text)}")
    allowed = "\t\n\r" if may_break else ""
    if any((ord(c) < 32 and c not in allowed) or 0x7F <= ord(c) < 0xA0 for c in text):
        _refuse(name, "must not hold control characters")
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        _refuse(name, "must be whole Unicode characters")
    return text


def integer(value: object, name: str, *, least: int | None = None, most: int | None = None) -> int:
    """Check a whole number within bounds; a bool is none, and neither is `1.0` or `"1"`."""
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(name, f"must be a whole number, not {_kind(value)}")
    _check_bounds(value, name, least, most)
    return value


def number(
    value: object, name: str, *, least: float | None = None, most: float | None = None
) -> float:
    """Check a finite number within bounds; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, f"must be a number, not {_kind(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        _refuse(name, "must be a finite number")
    _check_bounds(result, name, least, most)
    return result


def list_of(
    value: object,
    name: str,
    check: Callable[[object, str], T],
    *,
    least: int = 0,
    most: int = 1_000,
) -> list[T]:
    """Check a list by checking every item, which is called `name[0]`, `name[1]` ..."""
    if not isinstance(value, list | tuple):
        _refuse(name, f"must be a list, not {_kind(value)}")
    if not least <= len(value) <= most:
        _refuse(name, f"must have {least} to {most} items, not {len(value)}")
    return [check(item, f"{name}[{index}]") for index, item in enumerate(value)]


def choice(value: object, name: str, allowed: Collection[str]) -> str:
    """Check that a text is one of those that are allowed."""
    if not isinstance(value, str) or value not in allowed:
        shown = f", not {redact(value[:40])!r}" if isinstance(value, str) else ""
        _refuse(name, f"must be one of {', '.join(sorted(allowed))}{shown}")
    return value


def rate(value: object, name: str = "rate", *, exactly: int | None = None) -> int:
    """Check a sample rate in hertz: 8 000 to 192 000, or exactly the one that is asked for."""
    found = integer(value, name)
    if exactly is not None and found != exactly:
        _refuse(name, f"must be {exactly} Hz, not {found} Hz")
    if not RATES[0] <= found <= RATES[1]:
        _refuse(name, f"must be {RATES[0]} to {RATES[1]} Hz, not {found} Hz")
    return found


def audio(
    value: object, name: str = "audio", *, rate_hz: int, least_s: float = 0.0, most_s: float = 600.0
) -> NDArray[np.float32]:
    """Check mono sound and give it as float32, shape (n,).

    Takes float arrays, and 16-bit ones, which are brought to [-1, 1]. Every sample must be finite
    and the length within the bounds, in seconds at `rate_hz`.
    """
    if not isinstance(value, np.ndarray):
        _refuse(name, f"must be an array, not {_kind(value)}")
    if value.ndim != 1:
        _refuse(name, f"must be mono, of shape (n,), not {value.shape}")
    if value.dtype == np.int16:
        samples = value.astype(np.float32) / np.float32(32_768)
    elif value.dtype in (np.float32, np.float64):
        samples = value.astype(np.float32, copy=False)
    else:
        _refuse(name, f"must be float32 or int16, not {value.dtype}")
    seconds = len(samples) / rate(rate_hz)
    if not least_s <= seconds <= most_s:
        _refuse(name, f"must last {least_s:g} to {most_s:g} s, not {seconds:.3g} s")
    if not np.isfinite(samples).all():
        _refuse(name, "must hold only finite numbers, no NaN and no infinity")
    return samples


def pcm16(value: object, name: str = "audio", *, most: int = 64_000) -> bytes:
    """Check little-endian 16-bit mono sound: whole samples, at most `most` bytes."""
    if not isinstance(value, bytes | bytearray | memoryview):
        _refuse(name, f"must be bytes, not {_kind(value)}")
    if len(value) > most:
        _refuse(name, f"must have at most {most} bytes, not {len(value)}")
    if len(value) % 2:
        _refuse(name, f"must be whole samples of two bytes, not {len(value)} bytes")
    return bytes(value)


def path_in(value: object, name: str, folder: Path) -> Path:
    """Check a file name that must stay inside a folder, links followed; it need not exist.

    Touches the disk.
    """
    text = string(value, name, most=500, may_break=False)
    if "\\" in text or ":" in text:
        _refuse(name, r"must not hold \ or :; folders end in /")
    root = folder.resolve()
    path = (root / text).resolve()
    if path == root or not path.is_relative_to(root):
        _refuse(name, "must stay inside its folder")
    return path


def url(
    value: object,
    name: str,
    *,
    schemes: Collection[str] = ("http", "https"),
    may_be_private: bool = False,
) -> str:
    """Check an address: a known scheme, a host, no password in it.

    Addresses of this machine and of private networks are refused unless `may_be_private`; names
    are not looked up, so a name may still lead there.
    """
    text = string(value, name, most=2_000, may_break=False)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port  # raises if it is no port
    except ValueError:
        _refuse(name, "is no address")
    if parts.scheme.lower() not in schemes:
        _refuse(name, f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not host or " " in text:
        _refuse(name, "must name a host")
    if parts.username is not None or parts.password is not None:
        _refuse(name, "must not hold a user or a password")
    if not may_be_private and _is_private(host):
        _refuse(name, "must not lead to this machine or a private network")
    return text


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost")


def _check_bounds(value: float, name: str, least: float | None, most: float | None) -> None:
    if least is not None and value < least:
        _refuse(name, f"must be at least {least:g}, not {value:g}")
    if most is not None and value > most:
        _refuse(name, f"must be at most {most:g}, not {value:g}")


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


def _refuse(name: str, sentence: str) -> NoReturn:
    raise ValidationError(f"{name} {sentence}", field=name)
