"""What all commands share: the home, the config, logging, and errors as one clear sentence."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from voxelle.config import Config, LoggingSettings, load
from voxelle.config.environment import export_env_file
from voxelle.home import Home, find_home
from voxelle.utils.exceptions import ConfigurationError, ValidationError, VoxelleException
from voxelle.utils.logging_utils import Logging, LogOptions

T = TypeVar("T")

FAILED, USAGE, CONFIGURATION, STOPPED = 1, 2, 3, 130
"""Exit codes; 130 is what shells give a program that Ctrl+C stopped."""

log = logging.getLogger(__name__)


class Session:
    """One call of a command: where it works, what it reads, and how it answers."""

    def __init__(self, home: Home, *, is_json: bool) -> None:
        self.home = home
        self.is_json = is_json
        self.logging = Logging(LogOptions("info", home.logs, console="none"))
        """Before a config is read, and for short commands: only into the file."""
        self.console = Console(stderr=is_json, highlight=False)
        """For people; with `--json` it is the error output, so that programs read only JSON."""

    def config_path(self, name: str) -> Path:
        """Give the file of `--config`: a path that exists, or a name in configs/.

        Raises `ConfigurationError` naming the configs there are.
        """
        path = Path(name).expanduser()
        if path.suffix in {".yaml", ".yml"} and path.is_file():
            return path.resolve()
        # Names of files are made small by `voxelle new`.
        for wanted in (name, name.lower()):
            for suffix in ("", ".yaml", ".yml"):
                try:
                    path = self.home.resolve("configs", wanted + suffix)
                except ValueError:
                    continue
                if path.is_file():
                    return path
        known = ", ".join(self._known_configs()) or "none"
        raise ConfigurationError(
            f"there is no config {name[:100]!r} in {self.home.configs}; known: {known}"
        )

    def _known_configs(self) -> list[str]:
        # Word lists lie there, too; a config is what names its operations.
        files = self.home.configs.glob("*.yaml")
        return sorted(path.stem for path in files if _names_operations(path))

    def load(self, name: str) -> Config:
        """Read the config of `--config`, and put the variables of `.env` where providers look."""
        export_env_file(self.home.root / ".env")
        return load(self.config_path(name), self.home)

    def log_as(self, settings: LoggingSettings) -> None:
        """Log as a config asks for, on the console, too."""
        self.logging.stop()
        self.logging = Logging(
            LogOptions(
                settings.level,
                self.home.logs if settings.is_kept else None,
                round(settings.file_mb * 1_000_000),
                settings.files,
            )
        )
        self.logging.start()

    def answer(self, data: dict[str, Any]) -> None:
        """Write the answer for programs."""
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()

    def warn(self, sentences: Iterable[str]) -> None:
        """Tell people on the error output what did not work although the command went well."""
        console = Console(stderr=True, highlight=False)
        for sentence in sentences:
            console.print(sentence, style="yellow", markup=False, soft_wrap=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run what is asynchronous, on an event loop of its own."""
        return asyncio.run(work)


@contextmanager
def session(*, is_json: bool = False) -> Iterator[Session]:
    """Find the home, log into its logs/, and end the process with a sentence if anything fails.

    A home that is empty is furnished with the examples. Tracebacks go only into the log.
    """
    here = Session(find_home(), is_json=is_json)
    here.logging.start()
    try:
        if not here.home.configs.is_dir():
            _furnish(here.home)
        yield here
    except VoxelleException as error:
        log.exception("a command failed")
        _end(here, str(error), _code_of(error))
    except KeyboardInterrupt:
        raise typer.Exit(STOPPED) from None
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:  # the outermost edge: nobody shall see a traceback
        log.exception("a command failed unexpectedly")
        sentence = f"something unexpected went wrong: {type(error).__name__}: {error}"
        _end(here, f"{sentence}; the log in {here.home.logs} tells more", FAILED)
    finally:
        here.logging.stop()


def _names_operations(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return re.search(r"^[\"']?operations\b", file.read(200_000), re.MULTILINE) is not None
    except OSError:
        return False


def _furnish(home: Home) -> None:
    try:
        home.furnish()
    except OSError as error:
        raise ConfigurationError(
            f"{home.root} cannot be made: {error.strerror}; set VOXELLE_HOME to another folder"
        ) from error


def _code_of(error: VoxelleException) -> int:
    if isinstance(error, ConfigurationError):
        return CONFIGURATION
    return USAGE if isinstance(error, ValidationError) else FAILED


def _end(here: Session, sentence: str, code: int) -> None:
    if here.is_json:
        here.answer({"success": False, "message": sentence, "exit_code": code})
    else:
        Console(stderr=True, highlight=False).print(
            sentence, style="red", markup=False, soft_wrap=True
        )
    raise typer.Exit(code)
