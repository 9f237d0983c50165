"""Make the project itself importable, without building it: nothing is fetched, nothing can fail."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

from voxelle_launcher.environment import Environment

_POSIX = '#!/bin/sh\nexec "$(dirname -- "$0")/python" -m voxelle "$@"\n'
_WINDOWS = '@"%~dp0python.exe" -m voxelle %*\r\n'


def digest(root: Path) -> str:
    """Give the digest of what `link` depends on; it is never empty."""
    return hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()


def link(environment: Environment, version: str) -> str:
    """Make `import voxelle`, the `voxelle` command and its version work; give the digest.

    The path in the `.pth` file is relative and plain ASCII: before Python 3.13 Windows reads such
    files in its local encoding, so a home folder with an umlaut would be lost. The `.dist-info`
    is what pip would write, so that pip lists the project and can remove it.
    """
    text = (environment.root / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    place = environment.site_packages(version)
    for old in place.glob("voxelle-*.dist-info"):
        shutil.rmtree(old)
    info = place / f"voxelle-{project['version']}.dist-info"
    info.mkdir()
    source = os.path.relpath(environment.root / "src", place)
    files = {
        place / "voxelle.pth": source + "\n",
        info / "METADATA": f"Metadata-Version: 2.1\nName: voxelle\nVersion: {project['version']}\n",
        info / "INSTALLER": "start.py\n",
        info / "entry_points.txt": _entry_points(project),
    }
    if sys.platform == "win32":
        files[environment.scripts / "voxelle.cmd"] = _WINDOWS
    else:
        files[environment.scripts / "voxelle"] = _POSIX
    names = [Path(os.path.relpath(path, place)).as_posix() for path in [*files, info / "RECORD"]]
    files[info / "RECORD"] = "".join(f"{name},,\n" for name in names)
    for path, content in files.items():
        path.write_text(content, encoding="utf-8", newline="")
    if sys.platform != "win32":
        (environment.scripts / "voxelle").chmod(0o755)
    return digest(environment.root)


def _entry_points(project: dict[str, Any]) -> str:
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    return "\n".join(lines)
