"""The port, and uvicorn on it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from voxelle.server.limits import Limits
from voxelle.server.wire import protocols
from voxelle.utils.exceptions import ConfigurationError

STOP_S = 3.0
"""Seconds that open requests may take when the server stops."""


def check_address(host: str, token: str) -> None:
    """Raise `ConfigurationError` if the server would be open to strangers on this address."""
    if token or _is_loopback(host):
        return
    raise ConfigurationError(
        f"server.host is {host!r}, which other machines can reach, but there is no server.token; "
        "set a long random token, or listen on 127.0.0.1"
    )


def open_port(host: str, port: int) -> socket.socket:
    """Listen; raise `ConfigurationError` with a sentence if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it on, a small
    # message such as "stop" may wait 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            # There, SO_REUSEADDR would let us take a port that somebody else is listening on.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_why_not(host, port, error)) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """Give the address that a browser on this machine may open."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, but it leaves the process alone when a signal has stopped it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop gracefully on Ctrl+C; uvicorn would raise it again and break our own closing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            wanted.append(signal.SIGBREAK)
        previous = {number: signal.signal(number, self.handle_exit) for number in wanted}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def make_server(app: FastAPI, limits: Limits) -> Server:
    """Put an application on uvicorn, with our protocol classes."""
    http, websocket = protocols(limits)
    config = uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=limits.message_bytes,
        ws_ping_interval=limits.ping_s,
        ws_ping_timeout=limits.ping_s,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=round(STOP_S),
    )
    return Server(config)


@asynccontextmanager
async def serving(
    app: FastAPI,
    listener: socket.socket,
    limits: Limits,
    *,
    on_stop: Callable[[], None] | None = None,
) -> AsyncGenerator[Server]:
    """Serve `app` while inside; `on_stop` is called when the server stops by itself (Ctrl+C)."""
    server = make_server(app, limits)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="voxelle.server")
    if on_stop is not None:
        task.add_done_callback(lambda _task: on_stop())
    try:
        yield server
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", -1)):
        return (
            f"port {port} is taken, perhaps by a Voxelle that already runs; "
            f"close it, or choose another one: voxelle run --port {port + 1}"
        )
    if error.errno in (errno.EACCES, getattr(errno, "WSAEACCES", -1)):
        return f"this system does not let us use port {port}; choose one above 1024"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"
