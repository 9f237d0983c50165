"""The real locks from the real registry, where a machine can reach one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from requirements import need
from tiny_project import REPOSITORY, run_python
from voxelle_launcher import preparing
from voxelle_launcher.environment import Environment

pytestmark = pytest.mark.real_time


def is_registry_reachable(folder: Path) -> bool:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0"]
    command += ["--timeout", "5", "--dest", str(folder), "annotated-types"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - pip


def test_real_voice_is_installed_by_its_hash_from_the_registry(tmp_path: Path) -> None:
    reachable = is_registry_reachable(tmp_path)
    need("registry", reachable, "this machine reaches no Python package registry")
    root = tmp_path / "Vöxelle with real locks"
    shutil.copytree(REPOSITORY / "requirements", root / "requirements")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    said: list[str] = []
    environment = Environment(root)
    assert preparing.prepare(environment, ["espeak"], said.append, is_fresh=False)
    path = run_python(environment, "import espeakng_loader as e; print(e.get_library_path())")
    assert Path(path).is_file()
    assert not preparing.prepare(environment, ["espeak"], said.append, is_fresh=False)
