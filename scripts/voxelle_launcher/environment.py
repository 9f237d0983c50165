"""The virtual environment beside start.py: whether it works, and how it is made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from voxelle_launcher import trouble

_PROBE = "import sys; print(*sys.version_info[:2])"
PROBE_S = 30.0
"""How long the environment's Python may take to answer: a cold Windows disk needs seconds."""

_LEAKS = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")


@dataclass
class Stamp:
    """What start.py knows about an environment that it made."""

    is_whole: bool = False
    """False while something is being installed; a stamp that stays so was interrupted."""
    python: str = ""
    """The Python that the packages were installed for, such as "3.11"."""
    sets: dict[str, str] = field(default_factory=dict)
    """The digest of each installed lock file, by its name."""
    missing: dict[str, str] = field(default_factory=dict)
    """The digest of each optional lock file that has no wheels for this machine, by its name."""
    source: str = ""
    """The digest of the pyproject.toml that the project itself was linked with."""
    packages: list[str] = field(default_factory=list)
    """The names of the `.dist-info` folders that have to be there."""


class Environment:
    """The folder `.venv` under the project's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.scripts = self.folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.python = self.scripts / ("python.exe" if sys.platform == "win32" else "python")
        self._stamp = self.folder / "voxelle-stamp.json"

    def version(self) -> str | None:
        """Ask the environment's Python for its version ("3.11"); None if it does not run."""
        try:
            done = subprocess.run(
                [str(self.python), "-I", "-S", "-c", _PROBE],
                capture_output=True,
                text=True,
                timeout=PROBE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        words = done.stdout.split()
        return ".".join(words) if done.returncode == 0 and len(words) == 2 else None

    def site_packages(self, version: str) -> Path:
        """Give the folder that packages are installed into."""
        if sys.platform == "win32":
            return self.folder / "Lib" / "site-packages"
        return self.folder / "lib" / f"python{version}" / "site-packages"

    def packages(self, version: str) -> list[str]:
        """List the `.dist-info` folders of what is installed."""
        return sorted(path.name for path in self.site_packages(version).glob("*.dist-info"))

    def stamp(self) -> Stamp | None:
        """Read the stamp; None if there is none or it is not readable."""
        try:
            read = json.loads(self._stamp.read_text(encoding="utf-8"))
            stamp = Stamp(**read)
        except (OSError, ValueError, TypeError):
            return None
        kinds = {name: type(value) for name, value in vars(Stamp()).items()}
        is_right = all(type(getattr(stamp, name)) is kind for name, kind in kinds.items())
        return stamp if is_right else None

    def write(self, stamp: Stamp) -> None:
        """Replace the stamp, in one step."""
        new = self._stamp.with_suffix(".new")
        new.write_text(json.dumps(vars(stamp), indent=1), encoding="utf-8")
        new.replace(self._stamp)

    def make(self) -> None:
        """Make the environment from nothing, with this Python; whatever was there is removed."""
        if find_spec("venv") is None or find_spec("ensurepip") is None:
            raise trouble.no_venv_module(Path("/etc/debian_version").exists())
        self.remove()
        self.folder.mkdir()
        self.write(Stamp())
        command = [sys.executable, "-m", "venv", str(self.folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=clean()
        )
        if done.returncode:
            words = (done.stdout + done.stderr).strip()
            if "ensurepip" in words:
                raise trouble.no_venv_module(Path("/etc/debian_version").exists())
            raise trouble.SetupError(f"Python could not make {self.folder}: {words[-500:]}")

    def remove(self) -> None:
        """Remove the environment, whatever it is."""
        if self.folder.is_symlink() or self.folder.is_file():
            self.folder.unlink()
        elif self.folder.exists():
            shutil.rmtree(self.folder)


def clean(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Copy the environment's variables without those that point at another Python's packages."""
    environ = os.environ if environ is None else environ
    kept = {name: value for name, value in environ.items() if name.upper() not in _LEAKS}
    return kept | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
