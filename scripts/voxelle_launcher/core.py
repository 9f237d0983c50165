"""The core as a child process: start it, wait until it is ready, pass Ctrl+C on, reap it."""

from __future__ import annotations

import contextlib
import errno
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from voxelle_launcher.environment import clean
from voxelle_launcher.trouble import SetupError

HOST = "127.0.0.1"
POLL_S = 0.05
"""How often /ready is asked for; small against a start of about a second."""

REASSURE_S = 15.0
"""How often a long start (a model that is loaded or fetched) is said to go on."""

GRACE_S = 20.0
"""How long the core may take to stop after Ctrl+C before it is killed; usually it takes 1 s."""

Say = Callable[[str], None]


def address(port: int) -> str:
    """Give the page's address."""
    return f"http://{HOST}:{port}/"


def check_port(port: int) -> None:
    """Raise `SetupError` with a way out unless the core will be able to listen on this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the core's own server does it: on Windows the option would mean sharing the port.
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            refused = error
        else:
            return
    if refused.errno == errno.EACCES and port < 1024:
        raise SetupError(
            f"Only the administrator may use port {port}. Choose another one: "
            "python start.py --port 7272"
        )
    other = "Voxelle runs there already" if is_ready(port) else "another program uses it"
    raise SetupError(
        f"Port {port} is taken: {other}. Stop that program, or choose another port: "
        f"python start.py --port {port + 1 if port < 65535 else 7272}"
    )


def is_ready(port: int) -> bool:
    """Ask the core whether it is ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Core:
    """One running core."""

    def __init__(self, command: Sequence[str], root: Path) -> None:
        self._command = list(command)
        self._root = root
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_at: float | None = None

    def run(self, port: int, say: Say, when_ready: Callable[[], None]) -> int:
        """Run the core to its end and give its exit code; `when_ready` is called at most once.

        Ctrl+C and SIGTERM are passed on once, and the end is waited for; a second one, or
        `GRACE_S` without an end, kills the core.
        """
        with self._signals():
            # On POSIX in a group of its own: the terminal's Ctrl+C would reach it a second time.
            group: int | None = None if sys.platform == "win32" else 0
            self._child = subprocess.Popen(
                self._command,
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                env=clean(),
                process_group=group,
            )
            try:
                if self._await_ready(port, say):
                    when_ready()
                return self._await_end()
            finally:
                if self._child.poll() is None:
                    self._child.kill()
                    self._child.wait()

    def _await_ready(self, port: int, say: Say) -> bool:
        assert self._child is not None  # noqa: S101 - only `run` calls this
        start = said = time.monotonic()
        while self._child.poll() is None:
            if self._asked_at is not None:
                return False
            if is_ready(port):
                return True
            now = time.monotonic()
            if now - said >= REASSURE_S:
                said = now
                say(f"Still starting after {now - start:.0f} s; Ctrl+C stops it.")
            time.sleep(POLL_S)
        return False

    def _await_end(self) -> int:
        assert self._child is not None  # noqa: S101 - only `run` calls this
        while True:
            # With a timeout, so that Windows, too, runs signal handlers in between.
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._child.wait(timeout=0.2)
                return code if code >= 0 else 128 - code
            if self._asked_at is not None and time.monotonic() - self._asked_at > GRACE_S:
                self._child.kill()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # What was started with nohup goes on when the terminal is closed.
        wanted = [
            number
            for number in numbers
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
        ]
        before = {number: signal.signal(number, self._pass_on) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        child = self._child
        is_second = self._asked_at is not None
        self._asked_at = self._asked_at or time.monotonic()
        if child is None or child.poll() is not None:
            return
        if is_second:
            child.kill()
        elif sys.platform != "win32":
            child.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
        elif number == signal.SIGTERM:
            child.terminate()  # Windows gave Ctrl+C and Ctrl+Break to the child itself
