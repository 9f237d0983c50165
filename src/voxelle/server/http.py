"""The web application: guard, sockets, routes and the page."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles

from voxelle.server.events_socket import EventsSession
from voxelle.server.guard import Guard, Trust
from voxelle.server.hub import Hub
from voxelle.server.readiness import Readiness
from voxelle.server.routes import make_routes
from voxelle.server.session import SocketEndpoint
from voxelle.server.voice_socket import VoiceSession
from voxelle.utils.exceptions import ValidationError
from voxelle.utils.response_utils import error

PAGE = Path(__file__).parent / "page"

_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Not left to `mimetypes`: Windows lets other programs say that a module is plain text."""

_HEADERS: Mapping[str, str] = {
    # Old and new modules must not be mixed after an update; the ETag keeps asking cheap.
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_CODES: Mapping[int, str] = {404: "not_found", 405: "method_not_allowed"}


class _Page(StaticFiles):
    """The files of the page, with headers that keep it whole and safe."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        """Give one file."""
        response = super().file_response(full_path, *args, **kwargs)
        if kind := _TYPES.get(Path(full_path).suffix):
            response.headers["content-type"] = kind
        response.headers.update(_HEADERS)
        return response


def make_app(hub: Hub, readiness: Readiness, trust: Trust) -> FastAPI:
    """Make the application of one server; run it with `voxelle.server.wire.protocols`."""
    app = FastAPI(
        title="Voxelle",
        version=version("voxelle"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Guard, trust=trust, limits=hub.limits)
    app.include_router(make_routes(hub, readiness))
    app.router.routes.extend(
        [
            WebSocketRoute("/ws/voice", SocketEndpoint(hub, VoiceSession)),
            WebSocketRoute("/ws/events", SocketEndpoint(hub, EventsSession)),
            Mount("/", _Page(directory=PAGE, html=True)),
        ]
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(ValidationError, _on_refused)
    return app


async def _on_http_error(_request: Request, failure: Exception) -> Response:
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    message = str(getattr(failure, "detail", "")) or "this did not work"
    return JSONResponse(error(message, _CODES.get(status, "refused")), status)


async def _on_invalid_request(_request: Request, failure: Exception) -> Response:
    errors = failure.errors() if isinstance(failure, RequestValidationError) else []
    told = [f"{'.'.join(str(p)[:50] for p in e['loc'])}: {e['msg'][:200]}" for e in errors[:5]]
    return JSONResponse(error("; ".join(told), "invalid_request"), 422)


async def _on_refused(_request: Request, refusal: Exception) -> Response:
    return JSONResponse(error(str(refusal), "refused"), 400)
