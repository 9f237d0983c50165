"""The web socket as the sessions see it, and uvicorn's protocol classes that make it so.

ASGI would put a queue and a task's wake-up before every message. Rooms are told things in
plain calls that never wait, so here a message goes from the parser straight to the session,
and a notice from the session straight into the transport. The transport's buffer is the
queue to a reader; it is bounded because sessions look at `backlog` before they write.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import ClassVar, Protocol, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from voxelle.server.limits import Limits

logger = logging.getLogger(__name__)

EXTENSION = "voxelle.wire"
"""Where in the ASGI scope's extensions the wire is found."""

_REASON_BYTES = 123
"""What a close frame has room for (RFC 6455, 5.5)."""

_SEND_BUFFER_BYTES = 128_000
"""What the system may hold for a reader; its own choice would hide a minute of backlog from us."""

_SLICE_BYTES = 16_000
"""How much is parsed in one turn of the loop, so that a flood of tiny frames cannot block it."""


class Wire(Protocol):
    """One open web socket."""

    on_message: Callable[[bytes], None] | None
    """Gets each message, text or binary, as bytes; must neither wait nor raise."""

    @property
    def backlog(self) -> int:
        """Bytes that were written and not yet taken by the network."""
        ...

    def write(self, message: bytes, *, is_text: bool) -> None:
        """Send one message, without waiting; does nothing once the socket is closing."""
        ...

    def cut(self, code: int, reason: str, within_s: float) -> None:
        """Close with a code and a sentence; drop the connection if that is not taken in time."""
        ...


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's web socket, with a direct way in and out.

    Without an `on_message` it behaves as uvicorn made it.
    """

    limits: ClassVar[Limits] = Limits()
    on_message: Callable[[bytes], None] | None = None
    _waiting: bytes = b""

    _is_refusing: bool = False

    async def run_asgi(self) -> None:
        """Run the application, which finds this wire in its scope."""
        if system_socket := self.transport.get_extra_info("socket"):
            system_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        extensions = cast(dict[str, object], self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, a slice in each turn of the loop."""
        if self._is_refusing:
            return
        if len(data) <= _SLICE_BYTES and not self._waiting:
            super().data_received(data)
            return
        is_first = not self._waiting
        self._waiting += data
        if is_first:
            self._parse_slice()

    def _parse_slice(self) -> None:
        data, self._waiting = self._waiting[:_SLICE_BYTES], self._waiting[_SLICE_BYTES:]
        if self.transport.is_closing():
            self._waiting = b""
            return
        if self._waiting:
            self.transport.pause_reading()
            self.loop.call_soon(self._parse_slice)
        elif not self.read_paused:
            self.transport.resume_reading()
        super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Tell why a message cannot be read, and read on for a while to let that arrive.

        A socket that is closed with unread data resets, and the reason would be lost.
        """
        self._is_refusing = True
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.writelines(self.conn.data_to_send())
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.limits.cut_s, self.transport.abort)

    def handle_ping(self) -> None:
        """Answer a ping, unless the answers pile up."""
        if self.backlog > self.limits.backlog_bytes:
            self.transport.abort()
        else:
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on."""
        if self.on_message is None:
            super().send_receive_event_to_app()
            return
        frames, self.frames = self.frames, []
        if not self.close_sent:
            self.on_message(bytes(frames[0]) if len(frames) == 1 else b"".join(frames))

    @property
    def backlog(self) -> int:
        """Bytes that were written and not yet taken by the network."""
        return self.transport.get_write_buffer_size()

    def write(self, message: bytes, *, is_text: bool) -> None:
        """Send one message, without waiting; does nothing once the socket is closing."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        try:
            if is_text:
                self.conn.send_text(message)
            else:
                self.conn.send_binary(message)
        except InvalidState:  # the other side has begun to close
            return
        self.transport.writelines(self.conn.data_to_send())

    def cut(self, code: int, reason: str, within_s: float) -> None:
        """Close with a code and a sentence; drop the connection if that is not taken in time."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        reason = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.writelines(self.conn.data_to_send())
        self.close_sent = True
        # uvicorn would wait for ever for a peer that does not read.
        self.close_timer = self.loop.call_later(within_s, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Drop a peer that no longer answers pings."""
        super().keepalive_timeout()
        self.loop.call_later(self.limits.cut_s, self.transport.abort)


class HTTPProtocol(H11Protocol):
    """uvicorn's HTTP, but a client that never finishes its first request is dropped."""

    limits: ClassVar[Limits] = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself narrows it
        """Give the client a while to say what it wants."""
        super().connection_made(transport)
        self.loop.call_later(self.limits.header_s, self._give_up)

    def _give_up(self) -> None:
        is_still_http = self.transport.get_protocol() is self
        if is_still_http and cast(object, self.cycle) is None and not self.transport.is_closing():
            logger.debug("a client was dropped that did not finish its request")
            self.transport.abort()


def protocols(limits: Limits) -> tuple[type[HTTPProtocol], type[WebSocketProtocol]]:
    """Make the two protocol classes for uvicorn's `http` and `ws`, with these limits."""
    bound = {"limits": limits}
    return (
        type("BoundHTTPProtocol", (HTTPProtocol,), bound),
        type("BoundWebSocketProtocol", (WebSocketProtocol,), bound),
    )
