"""The little HTTP/1.1 that the fake server needs, with every abort seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BODY_BYTES = 64 * 1024 * 1024


class BadRequestError(Exception):
    """What came is not HTTP."""


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """A request, and what became of it. Times are the event loop's, in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in small letters."""

    body: bytes
    started_at: float

    first_byte_at: float | None = None
    """When the first byte of the answer's body was written."""

    finished_at: float | None = None
    """When the answer was complete."""

    aborted_at: float | None = None
    """When the client was seen to hang up before the answer was complete."""

    pieces_sent: int = 0
    """Tokens or chunks of sound that were written."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the answer is complete, aborted or given up by the server."""

    @property
    def is_aborted(self) -> bool:
        """Whether the client hung up before the answer was complete."""
        return self.aborted_at is not None

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object; raises `ValueError` if it is none."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("the body is no JSON object")  # noqa: TRY004 - as json does
        return value

    @property
    def form(self) -> dict[str, bytes]:
        """The fields of a multipart form; the uploaded file is the field `file`."""
        _, _, boundary = self.headers.get("content-type", "").partition("boundary=")
        fields: dict[str, bytes] = {}
        for part in self.body.split(b"--" + boundary.strip('"').encode())[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            _, _, name = head.partition(b'name="')
            fields[name.partition(b'"')[0].decode()] = value.removesuffix(b"\r\n")
        return fields


class Exchange:
    """One request and the answer that is being written to it."""

    def __init__(self, request: RecordedRequest, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer
        self._is_chunked = False

    async def send(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer all at once."""
        self._head(status, content_type, {"Content-Length": str(len(body)), **(headers or {})})
        self._writer.write(body)
        self._mark_first_byte()
        await self._writer.drain()
        self._finish()

    async def send_json(
        self, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with JSON."""
        await self.send(status, json.dumps(value).encode(), headers=headers)

    async def send_error(self, status: int, message: str, code: str = "") -> None:
        """Answer with an error of OpenAI's shape."""
        await self.send_json(error_body(message, code), status)

    async def start(self, content_type: str) -> None:
        """Begin an answer whose length is not known."""
        self._head(200, content_type, {"Transfer-Encoding": "chunked"})
        await self._writer.drain()

    async def write(self, chunk: bytes) -> None:
        """Write a part of it."""
        self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._mark_first_byte()
        await self._writer.drain()

    async def end(self) -> None:
        """Complete the answer."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        self._finish()

    def cut(self) -> None:
        """Drop the connection in the middle of the answer."""
        self._writer.transport.abort()

    def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} -", f"Content-Type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def _mark_first_byte(self) -> None:
        if self.request.first_byte_at is None:
            self.request.first_byte_at = asyncio.get_running_loop().time()

    def _finish(self) -> None:
        self.request.finished_at = asyncio.get_running_loop().time()


def error_body(message: str, code: str = "") -> dict[str, object]:
    """Give an error as OpenAI words it."""
    return {"error": {"message": message, "type": "fake_error", "param": None, "code": code}}


async def read_request(reader: asyncio.StreamReader) -> RecordedRequest | None:
    """Read one request; `None` when the client has hung up, `BadRequestError` if it is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    headers = {
        name.strip().lower(): value.strip()
        for name, found, value in (line.partition(":") for line in lines)
        if found
    }
    body = await _read_body(reader, headers)
    return RecordedRequest(method, path, headers, body, asyncio.get_running_loop().time())


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        size = int(headers.get("content-length", "0"))
        if size > MAX_BODY_BYTES:
            raise BadRequestError(f"a body of {size} bytes is too long")
        return await reader.readexactly(size)
    body = bytearray()
    while size := int((await reader.readline()).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError("the body is too long")
    await reader.readline()
    return bytes(body)
