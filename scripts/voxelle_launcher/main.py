"""The command line of start.py."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from voxelle_launcher import preparing
from voxelle_launcher.core import Core, address, check_port
from voxelle_launcher.environment import Environment, clean
from voxelle_launcher.trouble import SetupError

ROOT = Path(__file__).resolve().parents[2]
PORT = 7272
"""The core's default port (`ServerSettings.port`)."""

_PORT = re.compile(
    r"^server:(?:[ ]*\{[^}\n]*?\b|[ ]*(?:#.*)?\n(?:(?:[ ]+.*|#.*)?\n)*?[ ]+)port:[ ]*(\d{1,5})\b",
    re.MULTILINE,
)

RUN_SETS = ("base", "pocketsphinx", "espeak")
TEST_SETS = (*RUN_SETS, "dev")
WITH = ("local",)
"""Sets that a person may ask for."""

_NEEDS = {
    "local": re.compile(r"""^[^#\n]*\bid["']?:[ ]*["']?faster_whisper\b""", re.MULTILINE),
}
"""What stands in a config that needs one of these sets."""


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Do what the command line says and give the exit code; never raises."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console that cannot show a letter of a path
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        if arguments and arguments[0] == "test":
            return _test(Environment(root), arguments[1:])
        return _start(Environment(root), _parse(arguments))
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return 130


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="start.py",
        description="Set up Voxelle if needed, start it and open its page.",
        epilog="`python start.py test [pytest arguments]` runs the tests.",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.add_argument("--port", type=_port, help=f"of the page (default: the config's, {PORT})")
    parser.add_argument("--config", metavar="FILE", help="start with this config file")
    parser.add_argument(
        "--with", dest="extra", action="append", default=[], choices=WITH, help="install this, too"
    )
    parser.add_argument("--fresh", action="store_true", help="make the environment .venv anew")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _start(environment: Environment, options: argparse.Namespace) -> int:
    begin = time.perf_counter()
    config = _config(environment.root, options.config)
    port: int = options.port or configured_port(config)
    check_port(port)
    names = [*RUN_SETS, *dict.fromkeys([*options.extra, *_needs(config, environment.root)])]
    preparing.prepare(environment, names, _say, is_fresh=options.fresh)
    command = [str(environment.python), "-m", "voxelle", "run", "--port", str(port)]
    if options.config:
        command += ["--config", str(config) if config.is_file() else options.config]

    def when_ready() -> None:
        took = time.perf_counter() - begin
        _say(f"Voxelle is ready at {address(port)} after {took:.1f} s. Ctrl+C stops it.")
        if not options.no_browser:
            _open(address(port))

    return Core(command, environment.root).run(port, _say, when_ready)


def _config(root: Path, named: str | None) -> Path:
    home = Path(os.environ.get("VOXELLE_HOME") or root)
    if named is None:
        return home / "configs" / "default.yaml"
    here = Path(named).absolute()
    if here.is_file():
        return here
    path = home / "configs" / (named if named.endswith((".yaml", ".yml")) else f"{named}.yaml")
    return path if path.is_file() else path.with_name(path.name.lower())


def configured_port(config: Path) -> int:
    """Find the port in a config, without a YAML reader: that is not installed yet.

    A config that is unreadable or names no port counts as the default one; the core itself will
    say what is wrong with it, and is told this port on its command line.
    """
    try:
        found = _PORT.search(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return PORT
    port = int(found.group(1)) if found else PORT
    return port if 1 <= port <= 65535 else PORT


def _needs(config: Path, root: Path) -> list[str]:
    """Find the sets that a config needs, without a YAML reader, and say so."""
    if not config.is_file():  # a home that is empty gets the examples when the core starts
        config = root / "configs" / config.name
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    needed = [name for name in WITH if _NEEDS[name].search(text)]
    for name in needed:
        _say(f"{config.name} needs the set {name}, as if started with --with {name}.")
    return needed


def _test(environment: Environment, arguments: Sequence[str]) -> int:
    preparing.prepare(environment, TEST_SETS, _say, is_fresh=False)
    command = [str(environment.python), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=environment.root, env=clean(), check=False).returncode


def _open(page: str, browse: Callable[[str], bool] = webbrowser.open) -> None:
    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    # Without a screen a text browser would take the terminal over.
    if not has_screen or not browse(page):
        _say(f"Open {page} in a browser.")


def _say(text: str) -> None:
    print(text, flush=True)
