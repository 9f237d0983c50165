"""A connection to the core that stays."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from voxelle.audio import EAR_RATE, FRAME_SECONDS, AudioFrame, Samples
from voxelle.client.handshake import closed, full_address, open_session
from voxelle.events import (
    MAX_PAYLOAD,
    AudioReceived,
    JoinRoom,
    Member,
    MemberJoined,
    MemberLeft,
    Notice,
    PlaybackReported,
    Request,
    RoomJoined,
    Subscribe,
    decode_notice,
    encode,
)
from voxelle.utils.exceptions import IntegrationError, VoxelleException
from voxelle.utils.logging_utils import log_integration

log = structlog.get_logger(__name__)

_WAITING = 512
"""Notices that may wait for the app: ten seconds of a reply. Then the core waits, and cuts us."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again: after `uniform(0, min(cap_s, first_s * 2^n))` for the n-th time."""

    first_s: float = 0.5
    cap_s: float = 30.0

    give_up_s: float = float("inf")
    """Seconds without a connection after which it is a failure."""

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait before this attempt, counted from 0."""
        return random.uniform(0.0, min(self.cap_s, self.first_s * 2 ** min(attempt, 20)))  # noqa: S311 - it spreads load, it hides nothing


class Client:
    """What an app holds while it is connected; made by `connect`.

    Iterate over it for notices. One task iterates, any number may send.
    """

    def __init__(self, url: str, join: JoinRoom | Subscribe, token: str | None) -> None:
        self.url, self._join, self._token = full_address(url, join), join, token
        self.session_id = ""
        self.joined: RoomJoined | None = None
        """What the core said when it let us in: the room, her name, the rate of her voice."""
        self.members: dict[str, Member] = {}
        """Whom this client has announced, by id; they are announced again after a reconnection."""
        self._socket: ClientConnection | None = None
        self._is_up = asyncio.Event()
        self._notices: asyncio.Queue[Notice | None] = asyncio.Queue(_WAITING)
        self._failure: VoxelleException | None = None
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notice:
        """Wait for the next notice; raise what ended the connection once all were given.

        Notices of a type that this version does not know are skipped.
        """
        if self._is_over and self._notices.empty():
            raise self._failure or StopAsyncIteration
        notice = await self._notices.get()
        if notice is None:
            raise self._failure or StopAsyncIteration
        return notice

    @property
    def is_connected(self) -> bool:
        """Whether the core hears us now."""
        return self._is_up.is_set()

    async def send(self, event: Request) -> None:
        """Send one event; wait when the network is slow.

        While the connection is being mended, sound and playback reports are dropped, because
        they are worth nothing later, and everything else waits. Raises what ended the
        connection if it is over.
        """
        self._remember(event)
        while True:
            if self._failure is not None or self._is_over:
                raise self._failure or IntegrationError("this client is closed", url=self.url)
            if isinstance(event, AudioReceived | PlaybackReported) and not self.is_connected:
                return
            await self._is_up.wait()
            socket = self._socket
            if socket is None:
                continue
            try:
                await socket.send(encode(event), text=not event.payload)
            except ConnectionClosed:
                self._is_up.clear()
                if isinstance(event, MemberJoined | MemberLeft):
                    return  # told again when the connection is mended
                await asyncio.sleep(0)
            else:
                return

    async def send_audio(
        self, member: str, sound: bytes | Samples, start: float | None = None
    ) -> None:
        """Send what somebody says: 16 kHz PCM16 bytes, or float32 samples at 16 kHz, any length.

        It is sent at once; the core takes no more than about real time. `start` is the second
        of the first sample on this app's clock; without it, sound has no gaps.
        """
        pcm = sound if isinstance(sound, bytes) else AudioFrame(sound, EAR_RATE).to_pcm16()
        for offset in range(0, len(pcm), MAX_PAYLOAD):
            at = None if start is None else start + offset / (2 * EAR_RATE)
            piece = pcm[offset : offset + MAX_PAYLOAD]
            await self.send(AudioReceived(member=member, start=at, payload=piece))

    async def send_recording(self, member: str, samples: Samples) -> None:
        """Send 16 kHz float32 samples as a microphone would: 20 ms at a time, in real time."""
        loop = asyncio.get_running_loop()
        size = round(EAR_RATE * FRAME_SECONDS)
        begin = loop.time()
        for number, offset in enumerate(range(0, len(samples), size)):
            await asyncio.sleep(begin + number * FRAME_SECONDS - loop.time())
            piece = np.asarray(samples[offset : offset + size], dtype=np.float32)
            await self.send_audio(member, piece, start=begin + offset / EAR_RATE)

    # --- what `connect` does -----------------------------------------------------------

    async def open(self) -> None:
        """Connect, join, and announce everybody; used by `connect`."""
        socket, self.session_id, joined = await open_session(self.url, self._join, self._token)
        self._socket, self.joined = socket, joined
        for member in self.members.values():
            await socket.send(encode(MemberJoined(member=member)), text=True)
        self._is_up.set()

    async def open_patiently(self, retry: Retry) -> None:
        """Connect as soon as the core is there; used by `connect`."""
        loop = asyncio.get_running_loop()
        since, attempt = loop.time(), 0
        while True:
            try:
                await self.open()
            except (IntegrationError, ConnectionClosed) as error:
                wait_s = retry.wait_s(attempt)
                if loop.time() + wait_s - since > retry.give_up_s:
                    raise
                log_integration(
                    "core", "client.retry", url=self.url, wait_s=round(wait_s, 2), reason=str(error)
                )
                attempt += 1
                await asyncio.sleep(wait_s)
            else:
                return

    async def read(self, retry: Retry | None) -> None:
        """Pass notices on until the connection is over for good; used by `connect`."""
        try:
            while True:
                try:
                    await self._read_socket()
                except ConnectionClosed as error:
                    self._is_up.clear()
                    ended = closed(error, self.url)
                    if retry is None or not isinstance(ended, IntegrationError):
                        raise ended from error
                    log_integration("core", "client.lost", url=self.url, reason=str(ended))
                    # Everybody who was connected has lost it now: they must not return at once.
                    await asyncio.sleep(retry.wait_s(0))
                    await self.open_patiently(retry)
                    if self.joined is not None:
                        await self._notices.put(self.joined)
        except VoxelleException as error:
            self._failure = error
        finally:
            self._end()

    async def close(self) -> None:
        """Say goodbye; used by `connect`."""
        self._end()
        if self._socket is not None:
            await self._socket.close()

    async def _read_socket(self) -> None:
        socket = self._socket
        if socket is None:
            raise IntegrationError("not connected", url=self.url)
        while True:
            message = await socket.recv(decode=False)
            try:
                notice = decode_notice(message)
            except ValueError:
                log.debug("client.unknown_notice", url=self.url, size=len(message))
                continue
            await self._notices.put(notice)

    def _remember(self, event: Request) -> None:
        if isinstance(event, MemberJoined):
            self.members[event.member.id] = event.member
        elif isinstance(event, MemberLeft):
            self.members.pop(event.member, None)

    def _end(self) -> None:
        self._is_over = True
        self._is_up.set()  # wakes senders, who then see that it is over
        if self._notices.empty():
            self._notices.put_nowait(None)


@asynccontextmanager
async def connect(
    url: str,
    *,
    join: JoinRoom | Subscribe,
    token: str | None = None,
    retry: Retry | None = None,
) -> AsyncGenerator[Client]:
    """Connect to a core, and join a room (`JoinRoom`) or follow one (`Subscribe`).

    `url` is `ws://host:port` or `http://host:port`. With a `retry`, the first connection is
    waited for and a lost one mended: the room is joined again, members are announced again,
    and the app sees another `RoomJoined`. Without one, a lost connection is raised by the
    iteration and by `send`.

    Raises `ValidationError`, `AuthenticationError`, `AuthorizationError` or
    `IntegrationError` with a sentence that says how to mend it. Leaving closes the socket.
    """
    client = Client(url, join, token)
    await (client.open_patiently(retry) if retry else client.open())
    task = asyncio.create_task(client.read(retry), name="voxelle.client")
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.close()
