from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio

from server_rooms import RecordingServer, recording_server
from voxelle.events import Member, StateChanged
from voxelle.prompter.situation import Remark
from voxelle.server.limits import Limits
from voxelle.server.listen import address_of, open_port
from voxelle.utils.exceptions import ConfigurationError

pytestmark = pytest.mark.real_time


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[RecordingServer]:
    async with recording_server() as server:
        yield server


@pytest_asyncio.fixture
async def http(server: RecordingServer) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.http, trust_env=False) as client:
        yield client


async def test_health_and_readiness_are_different_questions(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/ready")).status_code == 200
    server.readiness.missing["tts"] = "espeak is not installed; pip install 'voxelle[espeak]'"
    assert (await http.get("/health")).json()["success"] is True
    answer = await http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["success"] is False
    assert "tts: espeak is not installed" in answer.json()["message"]


async def test_every_answer_has_the_same_envelope(http: httpx.AsyncClient) -> None:
    for method, path, code in [
        ("GET", "/api/state", 200),
        ("GET", "/nothing", 404),
        ("POST", "/health", 405),
        ("POST", "/api/rooms/nowhere/stop", 404),
        ("POST", "/api/rooms/main/say", 422),
    ]:
        answer = await http.request(method, path)
        assert answer.status_code == code, path
        envelope = {"success", "message", "data", "timestamp", "request_id"}
        assert envelope <= set(answer.json()), path


async def test_the_operator_commands_a_room(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    for command in ("silence", "release", "stop"):
        assert (await http.post(f"/api/rooms/main/{command}")).status_code == 200
    for command in ("say", "direct"):
        answer = await http.post(f"/api/rooms/main/{command}", json={"text": "thank them"})
        assert answer.status_code == 200
    assert server.main.told == [
        ("silence",),
        ("release",),
        ("stop",),
        ("say", "thank them"),
        ("direct", "thank them"),
    ]


async def test_the_history_of_a_room_comes_page_by_page(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    ann = Member(platform="test", id="ann", name="Ann")
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for number in range(5):
        server.main.history.add(Remark("wrote", f"line {number}", noon, ann))
    answer = (await http.get("/api/rooms/main/history?page_size=2&page=2")).json()
    assert [item["text"] for item in answer["data"]["items"]] == ["line 2", "line 1"]
    assert (answer["data"]["total"], answer["data"]["has_next"]) == (5, True)
    assert answer["data"]["items"][0]["name"] == "Ann"
    for kinds, total in (("kind=said", 0), ("kind=said&kind=wrote", 5)):
        answer = (await http.get(f"/api/rooms/main/history?{kinds}")).json()
        assert answer["data"]["total"] == total
    answer = (await http.get("/api/rooms/main/history?kind=sung")).json()
    assert "kind[0] must be one of" in answer["message"]
    for wrong in ("page=0", "page_size=100000", "page=x"):
        answer = (await http.get(f"/api/rooms/main/history?{wrong}")).json()
        assert answer["success"] is False
        assert "page" in answer["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"text": ""}', b'{"text": "a", "x": 1}', b'{"text": NaN}', b"[]"]
)
async def test_words_that_are_none_are_refused(http: httpx.AsyncClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await http.post("/api/rooms/main/say", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["data"]["code"] == "invalid_request"


async def test_the_state_of_every_room_is_told(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    server.hub.desk("den")
    server.rooms.room("den").tell(StateChanged(state="speaking", turn=7))
    (room,) = (await http.get("/api/state")).json()["data"]["rooms"]
    assert (room["room"], room["state"], room["turn"]) == ("den", "speaking", 7)


async def test_a_failure_in_a_room_is_sanitised(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    server.main.is_broken = True
    answer = await http.post("/api/rooms/main/stop")
    assert answer.status_code == 500
    assert "sk-123" not in answer.text


async def test_a_full_house_is_an_answer_not_a_failure(
    server: RecordingServer, http: httpx.AsyncClient
) -> None:
    server.rooms.most = 0
    answer = await http.post("/api/rooms/main/stop")
    assert answer.status_code == 400
    assert "too many rooms" in answer.json()["message"]


async def test_the_page_is_served_whole_and_safe(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".js", "text/plain")  # as some Windows have it
    page = await http.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("http://www.w3.org/2000/svg", "")  # nothing from elsewhere
    module = await http.get("/page.js")
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await http.get("/page.js", headers={"if-none-match": module.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/../session.py", "/%2e%2e/session.py", "/..%5csession.py"])
async def test_the_page_has_no_way_out_of_its_folder(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_a_client_that_never_ends_its_request_is_dropped() -> None:
    async with recording_server(Limits(header_s=0.1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: loc")
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                # A reset or an end, as the system likes it.
                if not await reader.read(1):
                    raise ConnectionResetError
        writer.close()


async def test_a_taken_port_is_told_in_a_sentence() -> None:
    first = open_port("127.0.0.1", 0)
    port = first.getsockname()[1]
    assert address_of(first) == f"http://127.0.0.1:{port}"
    with pytest.raises(ConfigurationError, match=f"port {port} is taken.*--port {port + 1}"):
        open_port("127.0.0.1", port)
    first.close()
