"""A project that start.py can set up in a second: tiny wheels, and a core that only waits."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

from voxelle_launcher.environment import Environment

REPOSITORY = Path(__file__).resolve().parent.parent

PROJECT = """
[project]
name = "voxelle"
version = "1.2.3"
scripts = {voxelle = "voxelle.__main__:main"}
entry-points."voxelle.tts" = {tiny = "tinyvoice:Voice"}
"""

CORE = """
import http.server, os, signal, sys, threading

if "--config" in sys.argv and sys.argv[-1].endswith("bad.yaml"):
    sys.exit("The config bad.yaml has a mistake.")

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass

count = 0
stop = threading.Event()

def asked(number, frame):
    global count
    count += 1
    print("asked to stop by", signal.Signals(number).name, "time", count, flush=True)
    if "stubborn" not in os.environ.get("TINY_CORE", ""):
        # A little later, so that a second signal would still be seen.
        threading.Timer(0.3, stop.set).start()

signal.signal(signal.SIGINT, asked)
signal.signal(signal.SIGTERM, asked)
port = int(sys.argv[sys.argv.index("--port") + 1])
server = http.server.HTTPServer(("127.0.0.1", port), Ready)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("core runs", sys.argv[1:], flush=True)
while not stop.wait(0.05):
    pass
sys.exit(int(os.environ.get("TINY_CODE", "0")))
"""


def make_wheel(folder: Path, name: str, module: str, code: str) -> str:
    """Write `name` 1.0 as a wheel with one module, and give the line that locks it."""
    info = f"{name}-1.0.dist-info"
    content = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_digest(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def make_project(root: Path, wheels: Path) -> Path:
    """Write a project with the real start.py, tiny locks and a core that only waits."""
    shutil.copytree(
        REPOSITORY / "scripts" / "voxelle_launcher",
        root / "scripts" / "voxelle_launcher",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(REPOSITORY / "start.py", root / "start.py")
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    package = root / "src" / "voxelle"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "__main__.py").write_text(CORE, encoding="utf-8")
    shown = "import sys; print('pytest was given', sys.argv[1:]); sys.exit(3)"
    locks = {
        "base": make_wheel(wheels, "tinybase", "tinybase", "WORTH = 1"),
        "pocketsphinx": make_wheel(wheels, "tinyear", "tinyear", ""),
        "espeak": make_wheel(wheels, "tinyvoice", "tinyvoice", ""),
        "local": make_wheel(wheels, "tinylocal", "tinylocal", ""),
        "dev": make_wheel(wheels, "tinytest", "pytest", shown),
    }
    (root / "requirements").mkdir()
    for name, lock in locks.items():
        (root / "requirements" / f"{name}.txt").write_text(lock, encoding="utf-8")
    return root


def copy_project(project: Path, place: Path) -> Path:
    """Copy a project with its environment, which works in the new place as well."""
    shutil.copytree(project, place, symlinks=True)
    return place


class CopiedEnvironment(Environment):
    """An environment that is made by copying an empty one: ensurepip takes seconds."""

    def __init__(self, root: Path, empty: Path) -> None:
        super().__init__(root)
        self._empty = empty

    def make(self) -> None:
        self.remove()
        shutil.copytree(self._empty, self.folder, symlinks=True)


def run_python(environment: Environment, code: str) -> str:
    """Run code in an environment's Python and give what it printed."""
    done = subprocess.run(  # noqa: S603 - code of this test
        [environment.python, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=_plain(),
    )
    return done.stdout.strip()


def start(project: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Run start.py of a project, in a process group of its own."""
    return subprocess.Popen(  # noqa: S603 - our own start.py
        [sys.executable, str(project / "start.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        cwd=project.parent,
        env=_plain() | variables,
        start_new_session=sys.platform != "win32",
    )


def wait_for(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read what a process says up to the line with this text; fail with all of it if it ends.

    A process that says nothing of the kind for a minute is ended.
    """
    assert process.stdout is not None
    lines: list[str] = []
    deadline = threading.Timer(60, process.kill)
    deadline.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if text in line:
                return lines
    finally:
        deadline.cancel()
    raise AssertionError(f"{text!r} is not in: {''.join(lines)}")


def outcome(project: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run start.py to its end and give its exit code and all that it said."""
    with start(project, *arguments, **variables) as process:
        said, _ = process.communicate(timeout=60)
        return process.returncode, said


def offline(wheels: Sequence[Path]) -> dict[str, str]:
    """Give the variables that let pip see these folders and nothing else."""
    links = " ".join(wheel.as_uri() for wheel in wheels)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links, "PIP_CONFIG_FILE": os.devnull}


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _plain() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV_CORE")}
    kept.pop("COVERAGE_PROCESS_CONFIG", None)
    kept.pop("COVERAGE_PROCESS_START", None)
    return kept | {"PYTHONUTF8": "1"}
