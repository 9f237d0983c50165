"""Bring the environment to what the lock files say, and do nothing if it is there already."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxelle_launcher import linking, trouble
from voxelle_launcher.environment import Environment, Stamp, clean

LAYOUT = "1"
"""Raise it when what start.py itself writes into the environment changes."""

OPTIONAL = {
    "pocketsphinx": "the offline ear (pocketsphinx): without it she hears only through another "
    "speech-to-text provider, see configs/",
    "espeak": "the offline voice (espeak-ng): without it she speaks only through another "
    "text-to-speech provider, see configs/",
}
"""The sets that a machine may lack, and what is missing then."""

NOTICES = {
    "espeak": "The offline voice espeak-ng is a separate program under the GPL-3; "
    "Voxelle itself is MIT.",
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """A lock file that has to be installed."""

    name: str
    path: Path
    digest: str


def wanted(root: Path, names: Sequence[str]) -> list[Wanted]:
    """Read the lock files of these names."""
    found = []
    for name in names:
        path = root / "requirements" / f"{name}.txt"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise trouble.SetupError(
                f"{path} is missing: this copy of Voxelle is not complete. Get it again."
            ) from None
        digest = hashlib.sha256(LAYOUT.encode() + content).hexdigest()
        found.append(Wanted(name, path, digest))
    return found


def prepare(environment: Environment, names: Sequence[str], say: Say, is_fresh: bool) -> bool:
    """Make, mend or fill the environment; gives whether anything had to be done.

    Sets that were installed before stay and are kept up to date. Raises `SetupError`; what is half
    done then is mended by the next call.
    """
    try:
        return _prepare(environment, names, say, is_fresh)
    except OSError as error:
        raise trouble.from_os_error(error, environment.folder) from error


def _prepare(environment: Environment, names: Sequence[str], say: Say, is_fresh: bool) -> bool:
    stamp = environment.stamp()
    version = None if is_fresh else environment.version()
    reason = "As asked" if is_fresh else _why_unusable(environment, stamp, version)
    if reason:
        if environment.folder.exists() or environment.folder.is_symlink():
            say(f"{reason}: making .venv anew.")
        stamp, version = None, None
    kept = [name for name in (stamp.sets if stamp else {}) if name not in names]
    sets = wanted(environment.root, [*names, *kept])
    known = (stamp.sets | stamp.missing) if stamp else {}
    is_filled = stamp is not None and all(known.get(one.name) == one.digest for one in sets)
    if stamp and is_filled and stamp.source == linking.digest(environment.root):
        return False
    if version is None:
        if sys.version_info[:2] > trouble.NEWEST:
            raise trouble.too_new()
        say("Setting up Voxelle. This happens once and takes a few minutes.")
        environment.make()
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    _fill(environment, stamp or Stamp(python=version), sets, say)
    return True


def _why_unusable(environment: Environment, stamp: Stamp | None, version: str | None) -> str:
    if version is None:
        return "The environment's Python does not run"
    if not trouble.OLDEST <= tuple(map(int, version.split("."))) <= trouble.NEWEST:
        return f"The environment has Python {version}"
    if stamp is None:
        # Made by hand: what is in it may be wanted, so it is filled up, not thrown away.
        has_pip = (environment.site_packages(version) / "pip").is_dir()
        return "" if has_pip else "The environment is not finished"
    return _why_broken(environment, stamp, version)


def _why_broken(environment: Environment, stamp: Stamp, version: str) -> str:
    if not stamp.is_whole:
        return "The last set-up was interrupted"
    if stamp.python != version:
        return f"The environment's Python changed from {stamp.python} to {version}"
    if set(stamp.packages) - set(environment.packages(version)):
        return "Packages of the environment were lost"
    return ""


def _fill(environment: Environment, stamp: Stamp, sets: Sequence[Wanted], say: Say) -> None:
    version = stamp.python
    stamp.is_whole = False
    environment.write(stamp)
    for one in sets:
        if stamp.sets.get(one.name) == one.digest or stamp.missing.get(one.name) == one.digest:
            continue
        lines = one.path.read_text(encoding="utf-8").splitlines()
        count = sum(line[:1].isalnum() for line in lines)
        say(f"Installing {one.name} ({count} pinned packages) ...")
        if one.name in NOTICES:
            say(NOTICES[one.name])
        start = time.perf_counter()
        stamp.sets.pop(one.name, None)
        stamp.missing.pop(one.name, None)
        try:
            install(environment, one.path)
        except trouble.NoWheelError:
            if one.name not in OPTIONAL:
                raise
            stamp.missing[one.name] = one.digest
            say(f"Not there for this system and Python: {OPTIONAL[one.name]}. Going on without it.")
            continue
        stamp.sets[one.name] = one.digest
        say(f"Installed {one.name} in {time.perf_counter() - start:.0f} s.")
    stamp.source = linking.link(environment, version)
    stamp.packages = environment.packages(version)
    stamp.is_whole = True
    environment.write(stamp)


def install(environment: Environment, lock: Path) -> None:
    """Let pip install a lock file; only wheels, only those of the right hash.

    On a terminal one line tells how far it is. All that pip said is shown only if it failed and
    its failure is not one that the caller goes on without.
    """
    command = [str(environment.python), "-m", "pip", "install", "--require-hashes", "--no-deps"]
    # Without a retry pip does not say that it was the network; three take 2 s.
    command += ["--only-binary", ":all:", "--retries", "3", "--progress-bar", "off"]
    command += ["-r", str(lock)]
    said: list[str] = []
    pip = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=clean() | {"PYTHONUTF8": "1"},
    )
    with pip:
        assert pip.stdout is not None  # noqa: S101 - it was asked for six lines above
        for line in pip.stdout:
            said.append(line)
            _show_progress(line)
    _show_progress("")
    if pip.returncode:
        failure = trouble.from_pip("".join(said), environment.folder)
        if not (isinstance(failure, trouble.NoWheelError) and lock.stem in OPTIONAL):
            sys.stderr.writelines(said)
        raise failure


def _show_progress(line: str) -> None:
    if not sys.stdout.isatty():
        return
    if not line:
        sys.stdout.write("\r" + " " * 78 + "\r")
    elif line.startswith(("Collecting ", "Installing ")):
        sys.stdout.write("\r" + f"  {' '.join(line.split()[:2])[:74]}".ljust(78))
    sys.stdout.flush()
