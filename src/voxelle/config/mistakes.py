"""Mistakes of a config as sentences: where, what, and what is allowed instead."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pydantic
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from voxelle.utils.document import Document, Key, Slip
from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.secrets import REDACTED, is_secret_name, redact

SHOWN = 80
"""Characters of a wrong value that are shown."""

MOST_MISTAKES = 20
"""Mistakes that are told at once: a screen full, and more than anybody mends in one go."""

MOST_CHARS = 4_000
"""Characters of the whole report."""

_LINE_CHARS = 700
"""Characters of one mistake: an unknown key beside thirty known ones has 600."""

_GUESSED = 40
"""Characters of a word that may have been meant otherwise; the longest key has 20."""

_SECRET = re.compile(r"(key|token|secret|password|passwd|credential)s?$", re.IGNORECASE)


def slips_of(
    error: pydantic.ValidationError, model: type[BaseModel], prefix: Key = ()
) -> list[Slip]:
    """Turn what pydantic found wrong with a model's data into sentences."""
    found = error.errors(include_url=False)
    return [
        Slip((*prefix, *details["loc"]), _sentence(details, model), value=_shown(details))
        for details in found
    ]


def report(name: str, document: Document, slips: Iterable[Slip], secrets: Collection[str]) -> None:
    """Raise one `ConfigurationError` that names all slips in the order of the file, if any.

    Only the first slip of a key is named, and of all keys the first `MOST_MISTAKES` that fit into
    `MOST_CHARS`; the rest is counted. The error's context holds the lines one by one, as
    `mistakes`. Texts in `secrets` are never shown, and neither is what looks like a secret.
    """
    by_key: dict[Key, Slip] = {}
    for slip in slips:
        by_key.setdefault(slip.key, slip)
    if not by_key:
        return
    ordered = sorted(by_key.values(), key=lambda slip: slip.line or document.line(slip.key))
    lines: list[str] = []
    room = MOST_CHARS
    for slip in ordered[:MOST_MISTAKES]:
        line = shortened(_line(name, document, slip, secrets), _LINE_CHARS)
        room -= len(line) + len("\n  ")
        if lines and room < 0:
            break
        lines.append(line)
    if more := len(ordered) - len(lines):
        lines.append(f"and {more:,} more")
    count = f"{len(ordered):,} mistakes" if len(ordered) > 1 else "one mistake"
    raise ConfigurationError(
        "\n".join([f"{count} in {name}:", *(f"  {line}" for line in lines)]),
        file=name,
        mistakes=lines,
    )


def shortened(text: str, chars: int) -> str:
    """Cut a text that is longer than so many characters, and show that it was cut."""
    return text if len(text) <= chars else text[: chars - 3] + "..."


def shown_path(path: Path, root: Path) -> str:
    """Give a path as people call it: relative to the home if it lies there."""
    path = path.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def known_keys(model: type[BaseModel], key: Sequence[str | int]) -> list[str]:
    """Give the names that may stand beside a key of a model; empty if any may."""
    current: type[BaseModel] | None = model
    annotation: object = model
    for part in key[:-1]:
        if current is not None:
            field = current.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:  # inside a list or a dict: the part is an index or a name of the user's own
            annotation = next(reversed(get_args(annotation) or (None,)), None)
            annotation = model if annotation is Ellipsis else annotation
        current = _model_in(annotation)
    return list(current.model_fields) if current else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind = details["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = known_keys(model, details["loc"])
        sentence = f"is an unknown key; known here: {', '.join(known) or 'none'}"
        return sentence + _guess(str(details["loc"][-1]), known)
    sentence = details["msg"].removeprefix("Value error, ")
    sentence = sentence.replace("Input should be", "must be").replace(
        "unable to parse string as an integer", "this is no whole number"
    )
    if kind in {"literal_error", "enum"}:
        allowed = re.findall(r"'([^']*)'", details.get("ctx", {}).get("expected", ""))
        sentence += _guess(str(details["input"]), allowed)
    if isinstance(details["input"], bool) and kind == "string_type":
        sentence += "; put quotes around yes, no, on and off"
    return sentence


def _guess(word: str, known: list[str]) -> str:
    if len(word) > _GUESSED:
        return ""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(details: ErrorDetails) -> str:
    value: Any = details["input"]
    # Under an unknown key may stand anything: it may be a key's name with a slip of the finger.
    if details["type"] in {"missing", "extra_forbidden"}:
        return ""
    if isinstance(value, dict | list | tuple | BaseModel):
        return ""
    if value is not None and any(_is_secret(str(part)) for part in details["loc"]):
        return REDACTED
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python refuses to write whole numbers of over 4300 digits
        return "a number of thousands of digits"
    return shortened(text, SHOWN)


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None or is_secret_name(name)


def secrets_in(data: Any, name: str = "") -> Iterator[str]:
    """Give the texts that stand under the name of a secret anywhere in a config."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from secrets_in(value, str(key) if _is_secret(str(key)) else name)
    elif isinstance(data, list):
        for value in data:
            yield from secrets_in(value, name)
    elif name and isinstance(data, str):
        yield data


def _line(name: str, document: Document, slip: Slip, secrets: Collection[str]) -> str:
    line = slip.line or document.line(slip.key)
    place = f"{name}:{line}" if line else name
    value = REDACTED if any(secret and secret in slip.value for secret in secrets) else slip.value
    text = _name(slip.key, document.data)
    if value:
        text += f" = {value}"
    text += f": {slip.sentence}"
    # The longest first: it may hold a shorter one.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 3:  # a shorter one is no secret, and stands in many words
            text = text.replace(secret, REDACTED)
    return f"{place}: {redact(text)}"


def _name(key: Key, data: Any) -> str:
    """Write a key as `operations[2] (tts espeak).rate`."""
    text = ""
    for index, part in enumerate(key):
        if isinstance(part, int):
            text += f"[{part}]"
            if index == 1 and key[0] == "operations":
                text += _entry(data, part)
        else:
            text += f".{part}" if text else part
    return text or "file"


def _entry(data: Any, index: int) -> str:
    entry = data["operations"][index]
    if not isinstance(entry, dict):
        return ""
    words = [str(entry[name])[:40] for name in ("role", "id") if name in entry]
    return f" ({' '.join(words)})" if words else ""
