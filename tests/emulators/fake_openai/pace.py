"""Pieces of an answer, each at its time, and the failures in their midst."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from .http import Exchange
from .settings import Failure


async def send_paced(
    exchange: Exchange, pieces: Iterable[tuple[float, bytes]], failure: Failure | None
) -> bool:
    """Write each piece when its time, in seconds from now, has come; tell whether all were.

    Times are kept against the clock, so that a slow reader doesn't shift what follows.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for index, (at, piece) in enumerate(pieces):
        if failure and index == failure.after and await _fails(exchange, failure):
            return False
        if (delay := begun + at - loop.time()) > 0:
            await asyncio.sleep(delay)
        await exchange.write(piece)
        exchange.request.pieces_sent += 1
    return True


async def _fails(exchange: Exchange, failure: Failure) -> bool:
    if failure.trouble == "stall":
        await asyncio.Event().wait()
    elif failure.trouble == "cut":
        # What was written before must arrive, or the client would see a refused request.
        await asyncio.sleep(0.05)
        exchange.cut()
    elif failure.trouble == "end":
        await exchange.end()
    return failure.trouble in {"cut", "end"}
