"""What can go wrong while setting up, as sentences that say how to mend it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

OLDEST = (3, 11)
"""The oldest Python that Voxelle runs on (pyproject.toml)."""

NEWEST = (3, 14)
"""The newest Python that the pinned packages exist for (scripts/lock_requirements.py)."""


class SetupError(Exception):
    """Setting up cannot go on; the text is for the person in front of the screen."""


class NoWheelError(SetupError):
    """A package does not exist, ready built, for this system and Python."""


_NETWORK = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "ReadTimeoutError",
    "ProxyError",
    "Max retries exceeded",
    "connection broken by",
    "Connection aborted",
    "CERTIFICATE_VERIFY_FAILED",
    "Temporary failure in name resolution",
    "Network is unreachable",
)
_FULL = ("No space left on device", "Errno 28", "WinError 112", "Disk quota exceeded", "Errno 122")
_FORBIDDEN = ("Permission denied", "Errno 13", "WinError 5]", "Read-only file system", "Errno 30")


def no_room(where: Path) -> SetupError:
    """Say that the disk is full."""
    return SetupError(
        f"The disk is full: setting up needs about 1 GB of room where {where} is. "
        "Make room, then start again; what is half done is mended then."
    )


def not_allowed(where: Path) -> SetupError:
    """Say that the folder cannot be written to."""
    return SetupError(
        f"Voxelle may not write to {where}. Move the Voxelle folder to a place that is yours "
        "(not under Program Files or /usr), close programs that use it, or mend its permissions, "
        "then start again."
    )


def no_venv_module(is_debian: bool) -> SetupError:
    """Say that this Python cannot make a virtual environment."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    how = (
        f"Install it with: sudo apt install {name}"
        if is_debian
        else "Install a complete Python, for example from python.org"
    )
    return SetupError(f"This Python has no venv or ensurepip module. {how}, then start again.")


def too_new() -> SetupError:
    """Say that the pinned packages do not exist for this Python yet."""
    this, newest = (".".join(map(str, version)) for version in (sys.version_info[:2], NEWEST))
    return SetupError(
        f"Python {this} is newer than the packages that Voxelle is pinned to, which go up to "
        f"Python {newest}. Install Python 3.13 as well and start with that one."
    )


def from_os_error(error: OSError, where: Path) -> SetupError:
    """Translate what the system refused; `where` is the folder that was being written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_room(where)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return not_allowed(where)
    return SetupError(f"The system refused while setting up {where}: {error}")


def from_pip(output: str, where: Path) -> SetupError:
    """Translate what pip wrote to its error stream before it failed."""

    def has(signs: tuple[str, ...]) -> bool:
        return any(sign in output for sign in signs)

    if has(("DO NOT MATCH THE HASHES",)):
        return SetupError(
            "A downloaded package is not the one that Voxelle was tested with, so it was not "
            "installed. If you use a proxy or a mirror, ask who runs it; else try again later."
        )
    if has(_FULL):
        return no_room(where)
    if has(_NETWORK):
        return SetupError(
            "The Python package registry cannot be reached. Setting up needs the internet once: "
            "check the connection (and the proxy or firewall, if you have one), then start again."
        )
    if has(("No matching distribution found",)):
        return NoWheelError(
            f"A package is not there, ready built, for this system and Python "
            f"{sys.version_info[0]}.{sys.version_info[1]}. Use a 64-bit Python 3.11, 3.12 or 3.13."
        )
    if has(_FORBIDDEN):
        return not_allowed(where)
    return SetupError(
        "pip could not install the packages; its own words are above. "
        "`python start.py --fresh` makes the environment anew."
    )
