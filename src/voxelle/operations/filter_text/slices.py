"""Keeping the loop free while a long text is filtered."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from voxelle.streams import Stream

MAX_PIECE = 128
"""Characters that are filtered before others get a turn on the loop: below 1 ms of work."""


async def sliced(text: Stream[str]) -> Stream[str]:
    """Give the same text in pieces of at most `MAX_PIECE`; to close this closes `text`."""
    async with aclosing(text):
        async for piece in text:
            for at in range(0, len(piece), MAX_PIECE):
                if at:
                    await asyncio.sleep(0)
                yield piece[at : at + MAX_PIECE]
