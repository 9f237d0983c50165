"""An OpenAI-compatible server that does what it is told, on a real socket of 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from . import audio, chat
from .http import BadRequestError, Exchange, RecordedRequest, read_request
from .settings import Failure, FakeOpenAISettings

KEPT_REQUESTS = 10_000
"""Older requests are forgotten, so that a benchmark may run for hours."""


class FakeOpenAI:
    """The server: `async with FakeOpenAI(FakeOpenAISettings(...)) as fake: fake.base_url`.

    It runs on the event loop of whoever opens it. `settings` may be changed at
    any time and holds for the requests that come after. Closing hangs up on everybody.
    """

    def __init__(self, settings: FakeOpenAISettings | None = None) -> None:
        self.settings = settings or FakeOpenAISettings()
        self.requests: deque[RecordedRequest] = deque(maxlen=KEPT_REQUESTS)
        """Every request so far, the oldest first, and what became of it."""
        self.connections = 0
        """How many connections were made so far."""
        self._failures: deque[tuple[Failure, str]] = deque()
        self._talking: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, self.settings.host, self.settings.port
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._talking:
            task.cancel()
        if self._talking:
            await asyncio.wait(self._talking)

    @property
    def base_url(self) -> str:
        """What an OpenAI client wants as its base_url."""
        if self._server is None:
            raise RuntimeError("the fake server is not open")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    def fail_next(self, *failures: Failure, path: str = "") -> None:
        """Let the next requests fail, each in its way; only those whose path ends in `path`."""
        self._failures.extend((failure, path) for failure in failures)

    def asked(self, path: str) -> list[RecordedRequest]:
        """Give the requests whose path ends in `path`, such as "/chat/completions"."""
        return [request for request in self.requests if request.path.endswith(path)]

    async def wait_for(self, path: str, count: int = 1) -> RecordedRequest:
        """Wait until `count` requests for `path` have arrived, and give the last of them."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.asked(path)) >= count)
        return self.asked(path)[count - 1]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The task is ours, and closing waits for it: asyncio's own would report being cancelled.
        task = asyncio.create_task(self._talk(reader, writer))
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)
        self.connections += 1

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                self.requests.append(request)
                async with self._arrived:
                    self._arrived.notify_all()
                if not await self._serve(Exchange(request, writer), reader):
                    break
        except (BadRequestError, ValueError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _serve(self, exchange: Exchange, reader: asyncio.StreamReader) -> bool:
        """Answer while watching whether the client hangs up; tell whether it is still there."""
        request = exchange.request
        answering = asyncio.create_task(self._answer(exchange))
        # Nobody sends a second request before the first is answered, so anything
        # that can be read now is the end of the connection.
        watching = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            if request.finished_at is None and watching.done():
                request.aborted_at = asyncio.get_running_loop().time()
            return request.finished_at is not None and answering.done() and not watching.done()
        finally:
            for task in (answering, watching):
                task.cancel()
            outcomes = await asyncio.gather(answering, watching, return_exceptions=True)
            if request.finished_at is None and isinstance(outcomes[0], ConnectionError):
                request.aborted_at = asyncio.get_running_loop().time()
            request.ended.set()

    async def _answer(self, exchange: Exchange) -> None:
        request, settings = exchange.request, self.settings
        failure = self._take_failure(request.path)
        if failure and failure.trouble == "hang":
            await asyncio.Event().wait()
        elif failure and failure.trouble == "status":
            await self._refuse(exchange, failure)
        elif failure and failure.trouble == "html":
            await exchange.send(200, b"<!doctype html><title>It works</title>", "text/html")
        elif settings.api_key and (
            request.headers.get("authorization") != f"Bearer {settings.api_key}"
        ):
            await exchange.send_error(401, "Incorrect API key provided", "invalid_api_key")
        elif request.path == "/v1/models" and settings.models:
            models = [{"id": name, "object": "model"} for name in settings.models]
            await exchange.send_json({"object": "list", "data": models})
        elif request.path == "/v1/chat/completions":
            await chat.answer(exchange, settings, failure)
        elif request.path == "/v1/audio/speech":
            await audio.speak(exchange, settings, failure)
        elif request.path == "/v1/audio/transcriptions":
            await audio.transcribe(exchange, settings, failure)
        else:
            await exchange.send(404, b"404 page not found", "text/plain")

    async def _refuse(self, exchange: Exchange, failure: Failure) -> None:
        headers = {}
        if failure.retry_after_s is not None:
            headers["Retry-After"] = str(failure.retry_after_s)
        await exchange.send_json(
            {"error": {"message": failure.message, "type": "fake_error", "code": failure.code}},
            failure.status,
            headers,
        )

    def _take_failure(self, path: str) -> Failure | None:
        for entry in self._failures:
            if path.endswith(entry[1]):
                self._failures.remove(entry)
                return entry[0]
        return None
