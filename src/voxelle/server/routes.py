"""`/health`, `/ready` and the operator's commands over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from voxelle.events import Text
from voxelle.messages import Kind
from voxelle.prompter.situation import Remark
from voxelle.server.hub import MAIN, Desk, Hub, Room
from voxelle.server.readiness import Readiness
from voxelle.utils.exceptions import ValidationError
from voxelle.utils.response_utils import error, paginated, success
from voxelle.utils.validators import choice, list_of

_KINDS: tuple[str, ...] = get_args(Kind)
_ALL: list[str] = []
"""No kind in particular."""


class Words(BaseModel):
    """The body of `say` and `direct`."""

    model_config = ConfigDict(extra="forbid")

    text: Text


def make_routes(hub: Hub, readiness: Readiness) -> APIRouter:
    """Make the routes of one server."""
    router = APIRouter()
    _add_probes(router, readiness)
    _add_state(router, hub, readiness)
    _add_history(router, hub)
    _add_commands(router, hub)
    return router


def _add_probes(router: APIRouter, readiness: Readiness) -> None:
    @router.get("/health")
    async def health() -> JSONResponse:
        """Say that the process lives."""
        return JSONResponse(success("alive"))

    @router.get("/ready")
    async def ready() -> JSONResponse:
        """Say 200 when everything works, else 503 with what is missing."""
        data = {"operations": readiness.operations, "notes": readiness.notes}
        if readiness.is_ready:
            return JSONResponse(success("ready", data))
        details = data | {"missing": readiness.missing}
        message = readiness.detail or "it is still starting"
        return JSONResponse(error(message, "not_ready", details=details), 503)


def _add_state(router: APIRouter, hub: Hub, readiness: Readiness) -> None:
    @router.get("/api/state")
    async def state() -> JSONResponse:
        """Say what every room is doing."""
        data = {
            "character": hub.character,
            "is_ready": readiness.is_ready,
            "operations": readiness.operations,
            "missing": readiness.missing,
            "notes": readiness.notes,
            "sessions": hub.sessions,
            "rooms": [_describe(desk) for desk in hub.desks.values()],
        }
        return JSONResponse(success("state", data))


def _add_history(router: APIRouter, hub: Hub) -> None:
    @router.get("/api/rooms/{room}/history")
    async def history(
        room: str, page: int = 1, page_size: int = 50, kind: Annotated[list[str], Query()] = _ALL
    ) -> JSONResponse:
        """Give what was said in a room, newest first, page by page; `kind` may be repeated."""
        said = reversed(_find(hub, room).room.history.remarks)
        try:
            kinds = list_of(kind, "kind", lambda one, name: choice(one, name, _KINDS), most=9)
            remarks = [_remark(remark) for remark in said if not kinds or remark.kind in kinds]
            return JSONResponse(paginated("history", remarks, page, page_size))
        except ValidationError as error:
            raise HTTPException(422, str(error)) from error


def _remark(remark: Remark) -> dict[str, Any]:
    return {
        "kind": remark.kind,
        "text": remark.text,
        "at": remark.at.isoformat(),
        "name": remark.member.name if remark.member else "",
        "is_own": remark.is_own,
    }


def _describe(desk: Desk) -> dict[str, Any]:
    state = desk.state.model_dump(exclude={"type"})
    return {"room": desk.name, **state, "members": desk.members, "sessions": desk.sessions}


def _add_commands(router: APIRouter, hub: Hub) -> None:
    plain: dict[str, tuple[Callable[[Room], None], str]] = {
        "silence": (lambda room: room.silence(), "silent until released; she still hears"),
        "release": (lambda room: room.release(), "she may speak again"),
        "stop": (lambda room: room.stop(), "this reply is ended"),
    }
    with_words: dict[str, tuple[Callable[[Room, str], None], str]] = {
        "say": (lambda room, text: room.say(text), "she will say it"),
        "direct": (lambda room, text: room.direct(text), "she was told"),
    }

    def add_plain(name: str, act: Callable[[Room], None], message: str) -> None:
        async def command(room: str) -> JSONResponse:
            act(_find(hub, room).room)
            return JSONResponse(success(message))

        router.post(f"/api/rooms/{{room}}/{name}", name=name, summary=message)(command)

    def add_with_words(name: str, act: Callable[[Room, str], None], message: str) -> None:
        async def command(room: str, words: Words) -> JSONResponse:
            act(_find(hub, room).room, words.text)
            return JSONResponse(success(message))

        router.post(f"/api/rooms/{{room}}/{name}", name=name, summary=message)(command)

    for name, (act, message) in plain.items():
        add_plain(name, act, message)
    for name, (act_on, message) in with_words.items():
        add_with_words(name, act_on, message)


def _find(hub: Hub, name: str) -> Desk:
    if name != MAIN and name not in hub.desks:
        known = ", ".join(sorted(hub.desks)[:20]) or "none yet"
        raise HTTPException(404, f"no room is called {name[:100]!r}; open rooms: {known}")
    return hub.desk(name)
