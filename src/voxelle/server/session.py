"""One client on one socket: what both kinds of socket have in common."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import pydantic
import structlog

from voxelle.audio import VOICE_RATE
from voxelle.events import (
    ConnectionEstablished,
    ErrorReported,
    Notice,
    Request,
    RoomJoined,
    decode_request,
    encode,
)
from voxelle.server.hub import MAIN, Desk, Hub
from voxelle.server.rates import Bucket
from voxelle.server.wire import EXTENSION, Wire
from voxelle.utils.exceptions import ValidationError

log = structlog.get_logger(__name__)

MALFORMED, POLICY, BROKEN, LATER = 1007, 1008, 1011, 1013
"""Close codes of RFC 6455: unreadable data, broken rules, our own failure, try again later."""

MAX_HEADER = 64_000
"""Bytes of the line of JSON: 4 000 characters of text, each as two escapes, and the rest."""


class Mistake(ValidationError):  # noqa: N818 - whose it is matters, and it is raised everywhere
    """A client asked for something it may not or cannot have."""

    def __init__(self, code: str, message: str, *, counts: bool = True) -> None:
        super().__init__(message, code=code)
        self.code = code
        self.counts = counts
        """Whether it counts towards being thrown out."""


class Session(ABC):
    """Reads requests, answers mistakes, passes notices on, and throws out who does not behave.

    A session is a `Listener`. All its methods are plain calls on the loop's thread.
    """

    first: ClassVar[str]
    """What has to be sent first."""

    plays_audio = False

    def __init__(self, wire: Wire, hub: Hub) -> None:
        self.id = secrets.token_hex(8)
        self.hub, self.limits = hub, hub.limits
        self.desk: Desk | None = None
        self.rate = VOICE_RATE
        self._wire = wire
        self._messages = Bucket(self.limits.messages_per_s, 2 * self.limits.messages_per_s)
        self._answers = Bucket(self.limits.errors_per_s, 2 * self.limits.errors_per_s)
        self._mistakes = 0
        self._opened = 0
        self._is_over = False
        self._first_message: asyncio.TimerHandle | None = None

    # --- what subclasses do ------------------------------------------------------

    @abstractmethod
    def handle(self, request: Request, now: float) -> None:
        """Do what was asked for at loop time `now`; raise `ValidationError` if it cannot be."""

    def let_go(self) -> None:  # noqa: B027 - not every session leaves something behind
        """Undo what this session did to its room; `self.desk` is still there."""

    # --- the life of a session ---------------------------------------------------

    def open(self) -> None:
        """Greet the client, and wait for its first message."""
        self.hub.sessions += 1
        self.tell(ConnectionEstablished(session_id=self.id))
        if self.hub.sessions > self.limits.sessions:
            self.report("too_many_sessions", "the server is full; try again later")
            self.cut(LATER, "the server is full; try again later")
            return
        loop = asyncio.get_running_loop()
        wait_s = self.limits.first_message_s
        self._first_message = loop.call_later(wait_s, self._nothing_came)

    def close(self) -> None:
        """Forget the client."""
        self.hub.sessions -= 1
        self._is_over = True
        self._joined()
        self._leave()

    def receive(self, message: bytes) -> None:
        """Handle one message; whatever it holds, nothing is raised."""
        if self._is_over:
            return
        now = asyncio.get_running_loop().time()
        try:
            if not self._messages.take(now):
                raise Mistake("too_fast", f"send at most {self._messages.rate:.0f} messages/s")
            self.handle(self._read(message), now)
        except Mistake as mistake:
            self._answer(now, mistake)
        except ValidationError as error:
            self._answer(now, Mistake("refused", str(error)))
        except Exception:  # the outermost edge: nobody else may be disturbed
            reference = secrets.token_hex(4)
            log.exception("session.failed", session=self.id, reference=reference)
            self._fail(reference)
        else:
            self._mistakes = 0

    def take(self, notice: Notice) -> None:
        """Pass a notice on, or cut a client that does not read what it asked for."""
        desk = self.desk
        if desk is None or self._is_over or self._is_too_slow():
            return
        for message, is_text in desk.encoder.encode(notice, self.rate):
            self._wire.write(message, is_text=is_text)

    def tell(self, notice: Notice) -> None:
        """Send something to this client alone."""
        if not self._is_over and not self._is_too_slow():
            self._wire.write(encode(notice), is_text=not notice.payload)

    def report(self, code: str, message: str, reference: str = "") -> None:
        """Tell this client alone what went wrong, and how to mend it."""
        self.tell(ErrorReported(code=code, message=message, reference=reference))

    def cut(self, code: int, reason: str) -> None:
        """Close the socket from this side."""
        if not self._is_over:
            self._is_over = True
            # The room is left in `close`: it may be calling us, in the middle of its listeners.
            self._wire.cut(code, reason, self.limits.cut_s)

    def find(self, room: str) -> Desk:
        """Give the desk of a room; one session may open `limits.rooms` rooms, or `Mistake`."""
        if room in self.hub.desks or room == MAIN:
            return self.hub.desk(room)
        if self._opened >= self.limits.rooms:
            text = f"one session may open {self.limits.rooms} rooms; join one that is open"
            raise Mistake("too_many_rooms", text)
        desk = self.hub.desk(room)
        self._opened += 1
        return desk

    def join(self, desk: Desk) -> None:
        """Take part in a room: confirm it, and listen from now on; the room tells its state."""
        self._joined()
        self._leave()
        self.desk = desk
        self.hub.enter(desk)
        self.tell(RoomJoined(room=desk.name, character=self.hub.character, rate=self.rate))
        desk.room.attach(self)

    # --- inside --------------------------------------------------------------------

    def _leave(self) -> None:
        if self.desk is not None:
            self.desk.room.detach(self)
            self.let_go()
            self.hub.leave(self.desk)
            self.desk = None

    def _joined(self) -> None:
        if self._first_message is not None:
            self._first_message.cancel()
            self._first_message = None

    def _nothing_came(self) -> None:
        wait_s = self.limits.first_message_s
        self.cut(POLICY, f"nothing was joined in {wait_s:g} s; send {self.first} first")

    def _read(self, message: bytes) -> Request:
        end = message.find(b"\n", 0, MAX_HEADER)
        if end < 0 and len(message) > MAX_HEADER:
            raise Mistake("too_long", f"the line of JSON may have {MAX_HEADER} bytes at most")
        try:
            return decode_request(message)
        except pydantic.ValidationError as error:
            raise _explain(error) from error
        except ValueError as error:
            raise Mistake("invalid_message", str(error)) from error

    def _answer(self, now: float, mistake: Mistake) -> None:
        self._mistakes += mistake.counts
        if self._answers.take(now):
            self.report(mistake.code, str(mistake))
        if self._mistakes >= self.limits.mistakes:
            self.hub.cuts.tell(log.info, "session.cut", session=self.id, code=mistake.code)
            code = MALFORMED if mistake.code.startswith("invalid") else POLICY
            self.cut(code, f"{self._mistakes} mistakes in a row, the last one: {mistake}")

    def _fail(self, reference: str) -> None:
        text = f"the server failed on this message; the log has more under {reference}"
        self.report("internal", text, reference)
        self._mistakes += 1
        if self._mistakes >= self.limits.mistakes:
            self.cut(BROKEN, text)

    def _is_too_slow(self) -> bool:
        # Four seconds of sound and a little text; what is older is worth nothing to a listener.
        bound = min(self.limits.backlog_bytes, 8 * self.rate + 64_000)
        if self._wire.backlog <= bound:
            return False
        self.hub.cuts.tell(log.info, "session.cut", session=self.id, code="too_slow")
        self.cut(LATER, "this client reads too slowly; read faster, or connect again")
        return True


def _explain(error: pydantic.ValidationError) -> Mistake:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kind = first["type"]
    if kind == "json_invalid":
        text = f"this is no JSON: {first['msg'][:200]}; send one object on one line, then any sound"
        return Mistake("invalid_json", text)
    if kind.startswith("union_tag"):
        text = "`type` is missing or unknown; docs/protocol.md lists what may be sent"
        return Mistake("unknown_type", text)
    place = ".".join(str(part)[:50] for part in first["loc"])
    return Mistake("invalid_message", f"{place or 'the message'}: {first['msg'][:200]}")


class MakeSession(Protocol):
    """Makes the session of a new socket."""

    def __call__(self, wire: Wire, hub: Hub) -> Session:
        """Make it, not yet open."""
        ...


class SocketEndpoint:
    """An ASGI application that gives every web socket a session."""

    def __init__(self, hub: Hub, make_session: MakeSession) -> None:
        self._hub, self._make_session = hub, make_session

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Accept the socket, and keep its session until it is closed."""
        wire: Wire = scope["extensions"][EXTENSION]
        await receive()
        # A browser that offers protocols (one may carry the token) wants one of them confirmed.
        chosen = "voxelle" if "voxelle" in scope.get("subprotocols", []) else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        session = self._make_session(wire, self._hub)
        wire.on_message = session.receive
        session.open()
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                # Only what arrived before `on_message` was set comes this way.
                session.receive(event.get("bytes") or (event.get("text") or "").encode())
        finally:
            wire.on_message = None
            session.close()
