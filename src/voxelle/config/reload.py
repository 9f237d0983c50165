"""Taking over a changed config file while the show goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel
from watchfiles import Change, awatch

from voxelle.config.loading import load
from voxelle.config.model import Config
from voxelle.home import Home
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError

log = logging.getLogger(__name__)

SETTLE_MS = 200
"""Milliseconds for which an editor may go on writing: several events of one save are one."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A new config is in use; without any keys, a refused file is as it was before again."""

    old: Config
    new: Config

    keys: tuple[str, ...]
    """What is different, such as `operations.tts` or `conversation.lead_s`, sorted."""

    needs_restart: tuple[str, ...]
    """Those of the keys that do nothing before the next start."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The new file has mistakes; the old config stays in use."""

    error: ConfigurationError


Outcome: TypeAlias = Changed | Rejected


class ConfigWatcher:
    """Keeps the config that is in use, and exchanges it when its file has changed.

    A new file is checked completely before anything changes. What follows from a change, such as
    opening another voice, is up to whoever reads `changes`.
    """

    def __init__(self, path: Path, home: Home, config: Config) -> None:
        self.config = config
        """The config in use."""

        self._path = path
        self._home = home
        self._is_refused = False
        self._reloading = asyncio.Lock()

    async def changes(self, stop: asyncio.Event | None = None) -> Stream[Outcome]:
        """Give what came of every change of the file or of `.env`, until `stop` is set.

        The system tells of changes, nothing is asked for again and again. Folders are watched and
        not files, because editors replace a file instead of writing into it. Cancelled or closed,
        it stops watching.
        """
        files = {self._path.resolve(), (self._home.root / ".env").resolve()}
        # `.env` is rare, and its folder may hold anything: it is watched without sub-folders.
        folders = {file.parent for file in files if file.parent.is_dir()}
        watching = awatch(
            *folders,
            watch_filter=lambda _change, name: Path(name).resolve() in files,
            step=SETTLE_MS,
            debounce=10 * SETTLE_MS,
            stop_event=stop,
            recursive=False,
        )
        async with aclosing(watching) as events:
            async for event in events:
                log.debug("files changed", extra={"files": _names(event)})
                outcome = await self.reload()
                if outcome is not None:
                    yield outcome

    async def reload(self) -> Outcome | None:
        """Read the file now; None if nothing in it is different.

        A file that was refused and is as it was again is a change without keys, once. Whatever is
        wrong with the file, nothing is raised.
        """
        async with self._reloading:
            was_refused, self._is_refused = self._is_refused, True
            try:
                new = await asyncio.to_thread(load, self._path, self._home)
            except ConfigurationError as error:
                return Rejected(error)
            except Exception as error:  # the old config, and the watch on the file, must go on
                log.exception("the config could not be read")
                sentence = f"{self._path}: cannot be read: {type(error).__name__}; the log has more"
                return Rejected(ConfigurationError(sentence))
            self._is_refused = False
            old = self.config
            keys = changed_keys(old, new)
            if not keys and not was_refused:
                return None
            self.config = new
            return Changed(old, new, keys, tuple(key for key in keys if needs_restart(key)))


def changed_keys(old: Config, new: Config) -> tuple[str, ...]:
    """Name what is different; the operations are compared role by role."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = sorted(before.keys() | after.keys())
    return tuple(name for name in names if before.get(name) != after.get(name))


def needs_restart(key: str) -> bool:
    """Tell whether a key only has an effect at the start."""
    model: type[BaseModel] = Config
    for part in key.split("."):
        field = model.model_fields.get(part)
        if field is None:
            return False
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(
            "needs_restart"
        ):
            return True
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return False
        model = field.annotation
    return False


def _leaves(config: Config) -> Iterator[tuple[str, Any]]:
    for name in type(config).model_fields:
        value = getattr(config, name)
        if name == "operations":
            for role in {entry.role for entry in config.operations}:
                yield f"operations.{role}", config.choices(role)
        elif name == "patience":
            yield from ((f"patience.{role}", patience) for role, patience in value.items())
        else:
            yield from _parts(name, value)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        for part in type(value).model_fields:
            yield from _parts(f"{name}.{part}", getattr(value, part))
    else:
        yield name, value


def _names(event: set[tuple[Change, str]]) -> list[str]:
    return sorted(name for _, name in event)
