from __future__ import annotations

import asyncio
import socket

import pytest

from voxelle.server.listen import open_port


@pytest.mark.real_time
async def test_small_messages_are_sent_without_waiting_for_acknowledgements() -> None:
    listener = open_port("127.0.0.1", 0)
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(accept, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(seen, 5)
        writer.close()
        await writer.wait_closed()
