"""Where configs, prompts, models and logs are.

A home is a folder with `configs/`, `prompts/`, `models/` and `logs/` in it. It is found once, at
start, and handed down: nothing else looks at the environment or the working directory for files.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["configs", "prompts", "models", "logs"]
"""The folders of a home."""

EXAMPLES: tuple[Kind, ...] = ("configs", "prompts")
"""The folders that ship content; `models` and `logs` are filled by running."""

VARIABLE = "VOXELLE_HOME"
"""The environment variable that names the home."""

_MAX_NAME = 500
"""Characters of a name inside a folder: far above any real one, far below what a system refuses."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder; neither it nor its four folders need to exist yet."""

    root: Path
    """Absolute."""

    @property
    def configs(self) -> Path:
        """Config files, and the word lists that they name."""
        return self.root / "configs"

    @property
    def prompts(self) -> Path:
        """What the character is told: instructions, characters and scenes."""
        return self.root / "prompts"

    @property
    def models(self) -> Path:
        """Weights of engines that run on this machine."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        """What happened."""
        return self.root / "logs"

    def folder(self, kind: Kind) -> Path:
        """Give one of the four folders by its name; raise `ValueError` for any other."""
        if kind not in get_args(Kind):
            raise ValueError(f"a home has no folder {kind!r}; it has {', '.join(get_args(Kind))}")
        return self.root / kind

    def resolve(self, kind: Kind, name: str) -> Path:
        """Give the absolute path of a name inside one of the folders.

        The name may hold sub-folders (`characters/iris.md`, with `/` on every system) and need not
        exist. Raises `ValueError`, which says why, for every name that leads out of the folder: an
        absolute one, one with `..`, one through a link, or one that Windows reads differently.
        """
        root = self.folder(kind).resolve()
        if reason := _why_unsafe(name):
            raise ValueError(f"{kind} has no file {name[:100]!r}: {reason}")
        path = root.joinpath(*PurePosixPath(name).parts).resolve()
        if not path.is_relative_to(root):
            raise ValueError(f"{kind} has no file {name!r}: a link leads out of {root}")
        return path

    def furnish(self) -> tuple[Path, ...]:
        """Make the four folders, and copy the example configs and prompts that are missing.

        Nothing that exists is ever changed. Gives the files that were written; raises `OSError`
        if the home cannot be written to. Touches the disk: call it at start, or in a thread.
        """
        written: list[Path] = []
        for kind in get_args(Kind):
            self.folder(kind).mkdir(parents=True, exist_ok=True)
        for kind in EXAMPLES:
            source = examples() / kind
            if source.resolve() != self.folder(kind).resolve():
                written += _copy_missing(source, self.folder(kind))
        return tuple(written)


def find_home(environ: Mapping[str, str] | None = None, here: Path | None = None) -> Home:
    """Find the home: `VOXELLE_HOME`, else the working directory with `configs/`, else the user's.

    `environ` and `here` stand for the environment and the working directory in tests. The folder
    need not exist; `Home.furnish` makes it.
    """
    environ = os.environ if environ is None else environ
    here = Path.cwd() if here is None else here
    if named := environ.get(VARIABLE, "").strip():
        return Home((here / Path(named).expanduser()).resolve())
    if (here / "configs").is_dir():
        return Home(here.resolve())
    return Home(user_folder(environ))


def user_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Give the place where this system wants a program of this user to keep its data."""
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "Voxelle"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Voxelle"
    data = environ.get("XDG_DATA_HOME", "")
    # The XDG specification says that a relative path is invalid and must be ignored.
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local/share") / "voxelle"


def examples() -> Path:
    """Give the folder of the example configs and prompts.

    In a wheel they lie inside the package; in a checkout they are the folders of the repository.
    """
    package = Path(str(files("voxelle")))
    packed = package / "_defaults"
    return packed if packed.is_dir() else package.parent.parent


def _why_unsafe(name: str) -> str:
    windows = PureWindowsPath(name)
    if not name.strip() or len(name) > _MAX_NAME:
        return f"a name has 1 to {_MAX_NAME} characters"
    if any(character in name for character in '\\:*?"<>|') or not name.isprintable():
        return 'a name has no control characters and none of \\ : * ? " < > |, and folders end in /'
    if name.startswith("/") or windows.drive or windows.root:
        return "a name is not an absolute path"
    parts = PurePosixPath(name).parts
    if ".." in parts:
        return "a name does not lead upwards with .."
    # Windows drops dots and spaces at the end of a part, and reads names such as NUL as devices.
    if any(part != part.rstrip(". ") or _is_device(part) for part in parts):
        return "Windows reads a part of this name differently"
    return ""


def _is_device(part: str) -> bool:
    stem = part.partition(".")[0].rstrip().upper()
    numbered = len(stem) == 4 and stem[:3] in {"COM", "LPT"} and stem[3].isdigit()
    return numbered or stem in {"CON", "PRN", "AUX", "NUL"}


def _copy_missing(source: Path, target: Path) -> list[Path]:
    written: list[Path] = []
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            written.append(place)
    return written
