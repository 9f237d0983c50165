from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from server_rooms import RecordingServer, recording_server
from voxelle.server.guard import Guard, Trust
from voxelle.server.limits import Limits
from voxelle.server.listen import check_address
from voxelle.server.rates import Buckets
from voxelle.utils.exceptions import ConfigurationError

TOKEN = "vx-0123456789abcdef"  # noqa: S105 - made for this test
REMOTE = ("203.0.113.9", 4_242)


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Count the body and say so; fail where it is told to."""
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    if scope["path"] == "/boom":
        raise RuntimeError("secret sk-123 in /home/me/.env")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def http(
    trust: Trust | None = None, client: tuple[str, int] = ("127.0.0.1", 5), **limits: int
) -> httpx.AsyncClient:
    guard = Guard(inner, trust or Trust(), Limits(**limits))
    transport = httpx.ASGITransport(app=guard, client=client)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7272")


async def status(client: httpx.AsyncClient, path: str = "/x", **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client:
        return (await client.get(path, headers=names)).status_code


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7272",
        "127.0.0.1.evil.example",
        "localhost.evil.example:7272",
        "0.0.0.0:7272",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost/evil",
        "localhost:x",
        "",
    ],
)
async def test_a_foreign_host_is_refused(host: str) -> None:
    assert await status(http(), host=host) == 421


@pytest.mark.parametrize(
    "host", ["localhost:7272", "127.0.0.1:7272", "[::1]:7272", "LOCALHOST", "localhost."]
)
async def test_a_loopback_host_is_let_in(host: str) -> None:
    assert await status(http(), host=host) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:9999",
        "http://127.0.0.1:7272.evil.example",
        "http://127.0.0.1:7272@evil.example",
        "file://",
        "",
    ],
)
async def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert await status(http(), origin=origin) == 403


async def test_our_own_and_listed_origins_are_let_in() -> None:
    trust = Trust(origins=frozenset({"https://stage.example"}))
    assert await status(http(trust), origin="http://127.0.0.1:7272") == 200
    assert await status(http(trust), origin="http://localhost:7272") == 200
    assert await status(http(trust), origin="https://stage.example") == 200


async def test_a_page_that_rebinds_its_own_name_is_refused_though_host_and_origin_agree() -> None:
    assert await status(http(), host="evil.example", origin="http://evil.example") == 421


async def test_a_foreign_fetch_without_origin_is_refused_but_a_link_to_us_works() -> None:
    foreign = {"sec_fetch_site": "cross-site"}
    assert await status(http(), **foreign, sec_fetch_mode="no-cors") == 403
    assert await status(http(), "/", **foreign, sec_fetch_mode="navigate") == 200
    assert await status(http(), "/api", **foreign, sec_fetch_mode="navigate") == 403


async def test_two_host_headers_are_refused() -> None:
    async with http() as client:
        headers = [("host", "localhost"), ("host", "localhost")]
        assert (await client.get("/x", headers=headers)).status_code == 400


async def test_another_machine_needs_the_token() -> None:
    trust = Trust(token=TOKEN)
    assert await status(http(trust, REMOTE)) == 401
    assert await status(http(trust, REMOTE), authorization=f"Bearer {TOKEN}") == 200
    assert (
        await status(http(trust, REMOTE), sec_websocket_protocol=f"voxelle, bearer.{TOKEN}") == 200
    )
    assert await status(http(trust, REMOTE), f"/x?token={TOKEN}") == 401
    assert await status(http(trust, REMOTE), "/health") == 200


async def test_without_a_token_nobody_from_elsewhere_comes_in() -> None:
    assert await status(http(client=REMOTE)) == 401
    assert await status(http(client=REMOTE), authorization="Bearer x") == 401


async def test_a_wrong_token_is_refused_even_on_this_machine() -> None:
    assert await status(http(Trust(token=TOKEN)), authorization="Bearer nope") == 401


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip"])
async def test_a_proxy_on_this_machine_is_not_trusted(header: str) -> None:
    assert await status(http(Trust(token=TOKEN)), **{header: "203.0.113.9"}) == 401


async def test_guessing_tokens_is_slowed_down() -> None:
    async with http(Trust(token=TOKEN), REMOTE) as client:
        codes = [
            (await client.get("/x", headers={"authorization": f"Bearer {n}"})).status_code
            for n in range(20)
        ]
    assert codes == [401] * 10 + [429] * 10


async def test_requests_from_elsewhere_are_limited_and_told_when_to_come_back() -> None:
    async with http(Trust(token=TOKEN), REMOTE) as client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        answers = [await client.get("/x", headers=headers) for _ in range(201)]
    assert [answer.status_code for answer in answers] == [200] * 200 + [429]
    assert answers[-1].headers["retry-after"] == "1"


async def test_a_body_that_is_too_large_is_refused_declared_or_not() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"a" * 500

    async with http(body_bytes=1_000) as client:
        assert (await client.post("/x", content=b"a" * 2_000)).status_code == 413
        assert (await client.post("/x", content=pieces())).status_code == 413
        assert (await client.post("/x", content=b"a" * 900)).text == "900"


async def test_a_failure_is_told_by_its_reference_only() -> None:
    async with http() as client:
        answer = await client.get("/boom")
    assert answer.status_code == 500
    assert "sk-123" not in answer.text
    assert "/home" not in answer.text
    assert "the log has more under" in answer.json()["message"]


def test_the_table_of_clients_is_bounded() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, size=100)
    for number in range(1_000):
        buckets.of(str(number)).take(0.0)
    assert len(buckets) == 100


def test_an_open_address_needs_a_token() -> None:
    check_address("127.0.0.1", "")
    check_address("localhost", "")
    check_address("0.0.0.0", TOKEN)  # noqa: S104 - this is what is tested
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):  # noqa: S104
        with pytest.raises(ConfigurationError, match=r"server\.token"):
            check_address(host, "")


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(Trust(token=TOKEN))


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[RecordingServer]:
    async with recording_server(trust=Trust(token=TOKEN)) as server:
        yield server


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Authorization": "Bearer nope"}, 401),
        ({"X-Forwarded-For": "203.0.113.9"}, 401),
    ],
)
async def test_a_web_socket_is_guarded_as_well(
    server: RecordingServer, headers: dict[str, str], code: int
) -> None:
    for path in ("/ws/voice", "/ws/events"):
        with pytest.raises(InvalidStatus) as caught:
            await open_socket(server.ws + path, additional_headers=headers, proxy=None)
        assert caught.value.response.status_code == code
        assert b'"success": false' in (caught.value.response.body or b"")


@pytest.mark.real_time
async def test_a_browser_gives_the_token_as_a_subprotocol(server: RecordingServer) -> None:
    url = server.ws + "/ws/voice"
    offers: Any = ["voxelle", f"bearer.{TOKEN}"]
    headers = {"X-Forwarded-For": "203.0.113.9", "Origin": server.http}
    async with open_socket(
        url, subprotocols=offers, additional_headers=headers, proxy=None
    ) as socket:
        assert socket.subprotocol == "voxelle"
