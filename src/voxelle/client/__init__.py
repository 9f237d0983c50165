"""The library of every app: a typed connection to a room, and a loudspeaker that tells the truth.

async with connect("ws://127.0.0.1:7272", join=JoinRoom(platform="example")) as client:
    await client.send(MemberJoined(member=ann))
    async for notice in client:
        ...
"""

from voxelle.client.connection import Client, Retry, connect
from voxelle.client.playout import Playout, run_loudspeaker

__all__ = ["Client", "Playout", "Retry", "connect", "run_loudspeaker"]
