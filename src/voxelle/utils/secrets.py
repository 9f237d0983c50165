"""Secrets, and keeping them out of everything that is written down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "(secret)"

LEAST_CHARS = 6
"""A shorter text stands in many words, and hiding it would hide those."""

_NAMES = re.compile(
    r"(^|[_.-])(api_?key|key|token|secret|password|passwd|authorization|cookie|credentials?)$"
    r"|apikey|access_?token|refresh_?token|client_?secret",
    re.IGNORECASE,
)

# Where each form comes from: OpenAI keys, the HTTP Authorization header, Twitch chat passwords,
# GitHub and Hugging Face tokens, Google keys, JSON web tokens, Discord bot tokens, and URLs with a
# password or a token in them.
_FORMS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{8,}"
    r"|(?<=Bearer )[^\s\"',;]{4,}"
    r"|(?<=Basic )[A-Za-z0-9+/=]{8,}"
    r"|\boauth:[A-Za-z0-9]{6,}"
    r"|\b(?:gh[pousr]|hf)_[A-Za-z0-9]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"
    r"|(?<=[?&]token=)[^\s&\"']+"
    r"|(?<=[?&]key=)[^\s&\"']+"
    r"|(?<=[?&]access_token=)[^\s&\"']+",
    re.IGNORECASE,
)

DEPTH = 8
"""Levels of lists and mappings that are followed; nothing that we log has more than three."""

_MOST = 1_000
"""Secrets that are remembered at once: far more than any config has."""

_known: dict[str, None] = {}


def remember_secret(secret: str) -> None:
    """Hide this text wherever it is logged from now on; texts under six characters are no secrets.

    Kept for the life of the process, the newest thousand.
    """
    if len(secret) < LEAST_CHARS:
        return
    _known.pop(secret, None)
    _known[secret] = None
    while len(_known) > _MOST:
        del _known[next(iter(_known))]


def is_secret_name(name: str) -> bool:
    """Tell whether what stands under this name is a secret, as under `api_key`."""
    return _NAMES.search(name) is not None


def redact(text: str) -> str:
    """Give a text without the secrets that are known and those that look like one."""
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, REDACTED)
    return _FORMS.sub(REDACTED, text)


def redact_all(value: Any, name: str = "", depth: int = 0) -> Any:
    """Give facts without secrets: by the names of their keys, and in every text.

    Lists and mappings are followed `DEPTH` levels deep; what is deeper is left out.
    """
    if name and is_secret_name(name) and value not in (None, ""):
        return REDACTED
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _redact_inside(value, depth) if depth < DEPTH else "..."
    return value


def _redact_inside(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name): redact_all(item, str(name), depth + 1) for name, item in value.items()}
    return [redact_all(item, "", depth + 1) for item in value]
