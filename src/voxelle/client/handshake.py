"""Opening a socket to the core: the address, the token, the first messages, and plain errors."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from urllib.parse import SplitResult, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from voxelle.events import (
    ConnectionEstablished,
    ErrorReported,
    JoinRoom,
    Notice,
    RoomJoined,
    Subscribe,
    decode_notice,
    encode,
)
from voxelle.utils.exceptions import (
    AuthenticationError,
    AuthorizationError,
    IntegrationError,
    ValidationError,
    VoxelleException,
)

OPEN_S = 10.0
"""Seconds within which the core must have let us in: as long as it waits for us."""

_MAX_MESSAGE = 1_000_000


def full_address(url: str, join: JoinRoom | Subscribe) -> str:
    """Complete `http://host:port` or `ws://host:port` to the address of the right socket.

    Raises `ValidationError` if it is no such address.
    """
    parts = urlsplit(url)
    schemes = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
    if parts.scheme not in schemes or not parts.hostname:
        raise ValidationError(f"{url!r} is no address of a server; write ws://127.0.0.1:7272")
    path = "/ws/events" if isinstance(join, Subscribe) else "/ws/voice"
    if parts.path not in ("", "/"):
        path = parts.path
    whole = SplitResult(schemes[parts.scheme], parts.netloc, path, parts.query, "")
    return urlunsplit(whole)


async def open_session(
    url: str, join: JoinRoom | Subscribe, token: str | None
) -> tuple[ClientConnection, str, RoomJoined]:
    """Open a socket and join; give the socket, the session's id and what was joined.

    Raises `AuthenticationError` or `AuthorizationError` if the core does not let us in,
    `ValidationError` if it does not let us join, and `IntegrationError` if it is not there.
    """
    try:
        async with asyncio.timeout(OPEN_S):
            socket = await _open(url, token)
            try:
                return socket, *await _join(socket, join)
            except BaseException:
                await socket.close()
                raise
    except InvalidStatus as error:
        raise _refused(url, error) from error
    except TimeoutError as error:
        text = f"{url} does not answer in {OPEN_S:g} s; is a Voxelle server there?"
        raise IntegrationError(text, url=url) from error
    except ConnectionClosed as error:
        raise closed(error, url) from error
    except (OSError, InvalidHandshake) as error:
        text = f"no Voxelle server at {url} ({error}); start it with `voxelle run`"
        raise IntegrationError(text, url=url) from error


def closed(error: ConnectionClosed, url: str) -> VoxelleException:
    """Say in words why the core has closed a socket."""
    received = error.rcvd
    if received is None:
        return IntegrationError(f"the connection to {url} broke", url=url)
    reason = received.reason or "it gave no reason"
    text = f"{url} has closed the connection: {reason} (code {received.code})"
    if received.code in (1007, 1008, 1009):
        return ValidationError(text, url=url, code=received.code)
    return IntegrationError(text, url=url, code=received.code)


async def _open(url: str, token: str | None) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await open_socket(
        url,
        additional_headers=headers,
        compression=None,  # sound does not get smaller, only later
        max_size=_MAX_MESSAGE,
        open_timeout=None,  # the caller's covers the joining, too
        close_timeout=2.0,
        proxy=None if _is_loopback(url) else True,
    )


async def _join(socket: ClientConnection, join: JoinRoom | Subscribe) -> tuple[str, RoomJoined]:
    greeting = await _receive(socket)
    if not isinstance(greeting, ConnectionEstablished):
        raise IntegrationError(f"this is no Voxelle server: it greets with {greeting.type}")
    await socket.send(encode(join), text=True)
    while not isinstance(notice := await _receive(socket), RoomJoined):
        if isinstance(notice, ErrorReported):
            raise ValidationError(notice.message, code=notice.code)
    return greeting.session_id, notice


async def _receive(socket: ClientConnection) -> Notice:
    try:
        return decode_notice(await socket.recv(decode=False))
    except ValueError as error:
        raise IntegrationError("this is no Voxelle server: its messages make no sense") from error


def _refused(url: str, error: InvalidStatus) -> VoxelleException:
    status = error.response.status_code
    try:
        reason = str(json.loads(error.response.body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        reason = "it gave no reason"
    text = f"{url} does not let us in: {reason} (HTTP {status})"
    if status == 401:
        return AuthenticationError(text, url=url)
    if status in (403, 421):
        return AuthorizationError(text, url=url)
    return IntegrationError(text, url=url, status=status)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
