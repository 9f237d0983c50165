"""Keeps strangers out: an ASGI guard before every HTTP request and every web socket.

On one's own machine the danger is a web page of somebody else that runs in one's browser:
it may open sockets to this server (CORS does not cover them) and may point a name of its
own at 127.0.0.1 (DNS rebinding). So Host and Origin must be on a list; they are never
compared with each other, because such a page controls both. Whoever comes from another
machine needs the token.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import structlog

from voxelle.server.limits import Limits
from voxelle.server.rates import Buckets, Sparing
from voxelle.utils.logging_utils import log_api_request, log_security_event
from voxelle.utils.response_utils import error

log = structlog.get_logger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the server trusts."""

    hosts: frozenset[str] = LOOPBACK_NAMES
    """Names and addresses under which this server may be called, in lower case."""

    origins: frozenset[str] = frozenset()
    """Further pages that may call it, such as `https://voxelle.example`."""

    token: str = field(default="", repr=False)
    """What others must know; nobody else may come in while it is empty."""

    public: frozenset[str] = frozenset({"/health"})
    """Paths that need no token."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    code: str
    message: str
    wait_s: int = 0


class _BodyTooLargeError(Exception):
    """A client sends more than it may."""


class Guard:
    """Lets a request through to `app`, or answers it itself."""

    def __init__(self, app: App, trust: Trust, limits: Limits | None = None) -> None:
        self._app, self._trust = app, trust
        self._limits = limits or Limits()
        self._token = sha256(trust.token.encode()).digest() if trust.token else b""
        # 50 requests a second of one machine, and ten wrong tokens, then one a minute.
        self._requests = Buckets(rate=50.0, burst=200.0)
        self._failures = Buckets(rate=1 / 60, burst=10.0)
        self._refusals = Sparing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request or socket, and pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif refusal := self._check(scope):
            path, client = scope["path"][:200], scope.get("client")
            facts = {"code": refusal.code, "path": path, "client": client}
            self._refusals.tell(log_security_event, "refused", **facts)
            await _refuse(scope, send, refusal)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    def _check(self, scope: Scope) -> _Refusal | None:
        pairs = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in scope["headers"]]
        names = [name for name, _ in pairs]
        if names.count("host") != 1 or names.count("origin") > 1:
            return _Refusal(400, "bad_header", "send exactly one Host and at most one Origin")
        headers = dict(pairs)
        return (
            self._check_host(headers)
            or self._check_origin(scope, headers)
            or self._check_client(scope, headers)
            or self._check_size(headers)
        )

    def _check_host(self, headers: Mapping[str, str]) -> _Refusal | None:
        if _host_of(headers["host"]) in self._trust.hosts:
            return None
        text = "this name is not one of the server's; call it as localhost, or add the name to "
        return _Refusal(421, "host_not_allowed", text + "server.hosts in the config")

    def _check_origin(self, scope: Scope, headers: Mapping[str, str]) -> _Refusal | None:
        origin = headers.get("origin")
        if origin is not None:
            is_fine = origin in self._trust.origins or self._is_own(origin, scope)
        else:
            is_fine = _is_no_foreign_fetch(scope, headers)
        if is_fine:
            return None
        text = "a page from elsewhere may not use this server; add it to server.origins to let it"
        return _Refusal(403, "origin_not_allowed", text)

    def _is_own(self, origin: str, scope: Scope) -> bool:
        # The port is the one this connection really came in by, not what the client says.
        try:
            parts = urlsplit(origin)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            return False
        server = scope.get("server") or ("", None)
        has_own_host = (parts.hostname or "").rstrip(".") in self._trust.hosts
        is_bare = not (parts.path or parts.query or parts.username)
        return has_own_host and port == server[1] and is_bare and parts.scheme in ("http", "https")

    def _check_client(self, scope: Scope, headers: Mapping[str, str]) -> _Refusal | None:
        client = (scope.get("client") or ("", 0))[0]
        is_local = _is_loopback(client) and not any(name in headers for name in _FORWARDING)
        now = asyncio.get_running_loop().time()
        if not is_local and not self._requests.of(client).take(now):
            return _Refusal(429, "too_many_requests", "slow down", wait_s=1)
        given = _token_of(headers)
        if given:
            return self._check_token(client, given, now)
        if is_local or scope["path"] in self._trust.public:
            return None
        text = "send the server's token as `Authorization: Bearer ...`, or offer the web socket "
        return _Refusal(401, "token_required", text + "protocols `voxelle` and `bearer....`")

    def _check_token(self, client: str, given: str, now: float) -> _Refusal | None:
        failures = self._failures.of(client)
        if failures.left(now) < 1.0:
            return _Refusal(429, "too_many_failures", "too many wrong tokens; wait", wait_s=60)
        if self._token and hmac.compare_digest(sha256(given.encode()).digest(), self._token):
            return None
        failures.take(now)
        return _Refusal(401, "wrong_token", "this is not the server's token (server.token)")

    def _check_size(self, headers: Mapping[str, str]) -> _Refusal | None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:20]) <= self._limits.body_bytes:
            return None
        return self._too_large()

    def _too_large(self) -> _Refusal:
        text = f"a request may have {self._limits.body_bytes} bytes at most"
        return _Refusal(413, "body_too_large", text)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = asyncio.get_running_loop().time()
        exchange = _Exchange(receive, send, self._limits.body_bytes)
        refusal = self._too_large()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except _BodyTooLargeError:
            pass  # refused below
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("request.failed", reference=reference)
            message = f"the server failed; the log has more under {reference}"
            refusal = _Refusal(500, "internal", message)
        if not exchange.status:
            exchange.status = refusal.status
            await _refuse(scope, send, refusal)
        seconds = asyncio.get_running_loop().time() - begin
        log_api_request(scope["method"], scope["path"], exchange.status, seconds)


class _Exchange:
    """One request and its answer, with a bound on what comes in."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._seen = 0
        self.status = 0
        """The status of the answer; 0 before it has begun."""

    async def receive(self) -> Event:
        event = await self._receive()
        self._seen += len(event.get("body", b""))
        if self._seen > self._most:
            raise _BodyTooLargeError
        return event

    async def send(self, event: Event) -> None:
        # After too much came in, what the framework makes of our exception is not sent.
        if self._seen <= self._most:
            self.status = event.get("status", self.status)
            await self._send(event)


def _host_of(header: str) -> str:
    try:
        parts = urlsplit(f"//{header}")
        is_bare = not (parts.username or parts.path or parts.query or parts.fragment)
        _ = parts.port  # raises if it is none
    except ValueError:
        return ""
    return (parts.hostname or "").rstrip(".") if is_bare else ""


def _is_no_foreign_fetch(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a request without Origin may come from a page: only as somebody's visit to ours."""
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return True
    is_visit = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
    return is_visit and headers.get("sec-fetch-mode") == "navigate"


def _token_of(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    for offer in headers.get("sec-websocket-protocol", "").split(","):
        if offer.strip().startswith("bearer."):
            return offer.strip().removeprefix("bearer.")
    return ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _refuse(scope: Scope, send: Send, refusal: _Refusal) -> None:
    headers = [(b"content-type", b"application/json")]
    if refusal.wait_s:
        headers.append((b"retry-after", str(refusal.wait_s).encode()))
    if refusal.status == 413:
        headers.append((b"connection", b"close"))
    body = json.dumps(error(refusal.message, refusal.code)).encode()
    kind = "websocket.http" if scope["type"] == "websocket" else "http"
    start = {"type": f"{kind}.response.start", "status": refusal.status, "headers": headers}
    await send(start)
    await send({"type": f"{kind}.response.body", "body": body})
