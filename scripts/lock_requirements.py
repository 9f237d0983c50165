"""Make requirements/*.txt, or check that they fit: `python scripts/lock_requirements.py`.

Run it with `.venv`'s Python after changing a dependency in pyproject.toml, and with `--upgrade` to
move every pin forward. Every file holds exact versions and the hashes of all their wheels, for
Linux, macOS and Windows, and no address: where packages come from is the machine's own matter.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
UV = "uv==0.13.9"

SETS = {
    "base": "what every voxelle needs",
    "pocketsphinx": "the offline ear",
    "espeak": "the offline voice, GPL-3, which start.py installs as a separate step",
    "local": "speech recognition on this machine (faster-whisper)",
    "dev": "everything that the tests and scripts/check.py need",
}
"""The lock files; every one but `base` holds what the extra of its name adds to `base`."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = {
    "x86_64-unknown-linux-gnu": ("linux", "Linux", "x86_64"),
    "aarch64-unknown-linux-gnu": ("linux", "Linux", "aarch64"),
    "x86_64-pc-windows-msvc": ("win32", "Windows", "AMD64"),
    "aarch64-pc-windows-msvc": ("win32", "Windows", "ARM64"),
    "aarch64-apple-darwin": ("darwin", "Darwin", "arm64"),
    "x86_64-apple-darwin": ("darwin", "Darwin", "x86_64"),
}
"""What uv calls a machine, and what Python calls its system and processor."""

_ENTRY = re.compile(r"^(?=\S)(.+(?:\n[ \t]+.+)*)", re.MULTILINE)


def environments() -> list[dict[str, str]]:
    """Give the marker values of every machine and Python that is locked for."""
    return [
        {
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "nt" if platform == "win32" else "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "python_version": python,
            "python_full_version": f"{python}.0",
        }
        for (platform, system, machine), python in product(MACHINES.values(), PYTHONS)
    ]


def entries(text: str) -> dict[str, str]:
    """Split a lock into its entries, by their first line without the backslash."""
    found: dict[str, str] = {}
    for match in _ENTRY.finditer(text):
        entry = match.group(1)
        if not entry.startswith("#"):
            found[entry.splitlines()[0].rstrip(" \\")] = entry
    return found


def trim(lock: dict[str, str]) -> dict[str, str]:
    """Drop the entries that no machine needs, and the markers that hold on every one."""
    trimmed: dict[str, str] = {}
    for head, entry in lock.items():
        marker = Requirement(head).marker
        holds = [marker is None or marker.evaluate(values) for values in environments()]
        if not any(holds):
            continue
        new = head.partition(" ;")[0] if all(holds) else head
        new = new.replace("python_full_version < '3.15' and ", "")
        trimmed[new] = new + entry.removeprefix(head)
    return trimmed


def header(name: str) -> str:
    """Give the comment on top of a lock file."""
    adds = "" if name == "base" else " Only what it adds to base.txt."
    return f"# {name}: {SETS[name]}.{adds}\n# Made by scripts/lock_requirements.py; do not edit.\n"


class Uv:
    """The resolver, in an environment of its own that is thrown away."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self._python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        self._run("-m", "pip", "install", "--quiet", UV)

    def lock(self, name: str, *more: str) -> dict[str, str]:
        """Resolve one set for all machines (`base` and the extra `name`; "all" for every extra)."""
        extra = {"base": (), "all": ("--all-extras",)}.get(name, ("--extra", name))
        where = ("--universal", "--python-version", PYTHONS[0], "--generate-hashes")
        return trim(entries(self._compile("pyproject.toml", *where, *extra, *more)))

    def lacks(self, path: Path, machine: str, python: str) -> str:
        """Name a package of a lock that has no wheel for this machine, or give nothing."""
        where = ("--python-platform", machine, "--python-version", python)
        try:
            self._compile(str(path), "--no-deps", "--only-binary", ":all:", *where)
        except subprocess.CalledProcessError as error:
            found = re.search(r"Because ([a-z0-9-]+)", error.stderr)
            return found.group(1) if found else error.stderr
        return ""

    def _compile(self, *arguments: str) -> str:
        plain = ("--no-header", "--no-annotate", "--no-progress")
        return self._run("-m", "uv", "pip", "compile", *plain, *arguments)

    def _run(self, *arguments: str) -> str:
        command = [str(self._python), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8"
        )
        return done.stdout


def lock_all(uv: Uv, scratch: Path, is_upgrade: bool) -> None:
    """Write every lock, all from one resolution, so that any sets fit together."""
    old = scratch / "old.txt"
    current = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.txt"))]
    pins = {head: None for text in current for head in entries(text)}
    old.write_text("\n".join(pins), encoding="utf-8")
    everything = uv.lock("all", *(() if is_upgrade else ("--constraint", str(old))))
    pinned = scratch / "all.txt"
    pinned.write_text("\n".join(everything), encoding="utf-8")
    base: dict[str, str] = {}
    FOLDER.mkdir(exist_ok=True)
    for name in SETS:
        found = uv.lock(name, "--constraint", str(pinned))
        base = base or found
        added = [entry for head, entry in found.items() if name == "base" or head not in base]
        text = header(name) + "\n".join(added) + "\n"
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
        print(f"{name:13} {len(added)} packages")


def show_wheels(uv: Uv) -> int:
    """Print which set can be installed where, and count the gaps in `base`."""
    gaps = 0
    for name, machine, python in product(SETS, MACHINES, PYTHONS):
        lacking = uv.lacks(FOLDER / f"{name}.txt", machine, python)
        if lacking:
            gaps += name == "base"
            print(f"{name:13} {machine:26} Python {python}  no wheel of {lacking}")
    return gaps


def main() -> int:
    """Lock, or say where wheels are missing, which fails if `base` lacks any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move every pin forward")
    parser.add_argument("--wheels", action="store_true", help="only show where wheels are missing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            uv = Uv(Path(scratch) / "venv")
            if arguments.wheels:
                return min(show_wheels(uv), 1)
            lock_all(uv, Path(scratch), arguments.upgrade)
        except subprocess.CalledProcessError as error:
            print(error.stderr, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
