"""From a text to the first sound at a websocket client, through a whole running core.

    python benchmarks/latency.py [--runs 20]

The core runs in a process of its own, against an OpenAI-compatible backend with set delays:
first token after 0.3 s, 40 words a second, the first byte of speech after 0.15 s, speech made
in a quarter of real time. At the end the client interrupts her, and the backend has to see that
the requests were given up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests")]

import httpx
from stubs import machine, percentile

from emulators.fake_openai.server import FakeOpenAI
from emulators.fake_openai.settings import FakeOpenAISettings
from voxelle.client import Client, Playout, connect, run_loudspeaker
from voxelle.events import (
    AudioSpoken,
    JoinRoom,
    Member,
    StopSpeaking,
    TextReceived,
    TurnEnded,
    VoiceStopped,
)

SHORT = "Well, hello there friend, it is so good to see you here on this fine evening."
"""Its first clause ends after four words."""

LONG = (
    "Yesterday evening the old keeper of the lighthouse walked slowly down to the harbour "
    "because somebody had told him that a strange ship with green sails was waiting there."
)
"""One sentence of 28 words without a comma."""

SETTINGS = FakeOpenAISettings(
    first_token_s=0.3, words_per_s=40.0, speech_first_byte_s=0.15, speech_factor=0.25
)
ANN = Member(platform="bench", id="ann", name="Ann")
GOALS = {"first clause of 4 words": (SHORT, 0.65), "sentence without a comma": (LONG, 0.75)}

CONFIG = """\
character: voxelle
scene: cohost
server: {{port: {port}}}
operations:
  - {{role: vad, id: silero}}
  - {{role: stt, id: scripted, text: unused}}
  - {{role: t2t, id: openai, base_url: "{url}", model: fake-t2t}}
  - {{role: tts, id: openai, base_url: "{url}", model: fake-tts, voice: alloy}}
  - {{role: filter_text, id: clean}}
  - {{role: filter_text, id: safety}}
  - {{role: filter_audio, id: highpass}}
  - {{role: filter_audio, id: loudness}}
  - {{role: filter_audio, id: limiter}}
conversation: {{director: {{idle_s: 0}}}}
"""


@asynccontextmanager
async def running_core(backend: str) -> AsyncGenerator[str]:
    """Run `voxelle run` in a process of its own, and give its address once it is ready."""
    root = Path(__file__).parents[1]
    port = await free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.yaml"
        config.write_text(CONFIG.format(url=backend, port=port), encoding="utf-8")
        command = [sys.executable, "-m", "voxelle", "run", "--config", str(config)]
        environment = {**os.environ, "VOXELLE_HOME": str(root)}
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await ready(f"http://127.0.0.1:{port}/ready", process)
            yield f"ws://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def free_port() -> int:
    """Find a port that nobody uses."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def ready(url: str, process: asyncio.subprocess.Process) -> None:
    """Wait until the core says that it is ready."""
    async with httpx.AsyncClient() as http, asyncio.timeout(30):
        while process.returncode is None:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("the core did not start")


async def first_sounds(client: Client, playout: Playout, runs: int) -> list[float]:
    """Give the seconds from sending a text to the first sound, run by run."""
    loop = asyncio.get_running_loop()
    result: list[float] = []
    for _ in range(runs):
        sent = loop.time()
        await client.send(TextReceived(member=ANN, text="Tell me something."))
        turn = 0
        async for notice in client:
            playout.take(notice)
            if isinstance(notice, AudioSpoken) and not turn:
                turn = notice.turn
                result.append(loop.time() - sent)
                await client.send(StopSpeaking())
            if isinstance(notice, TurnEnded):
                break
    return result


async def interrupt(client: Client, playout: Playout, fake: FakeOpenAI) -> tuple[float, int, int]:
    """Stop her in the middle; give seconds to the stop, and how many requests saw it."""
    loop = asyncio.get_running_loop()
    before = len(fake.requests)
    await client.send(TextReceived(member=ANN, text="Tell me a long story."))
    stopped = sent = 0.0
    async for notice in client:
        playout.take(notice)
        if isinstance(notice, AudioSpoken) and not sent:
            sent = loop.time()
            await client.send(StopSpeaking())
        elif isinstance(notice, VoiceStopped):
            stopped = loop.time() - sent
        elif isinstance(notice, TurnEnded):
            break
    requests = list(fake.requests)[before:]
    async with asyncio.timeout(2):
        await asyncio.gather(*(request.ended.wait() for request in requests))
    aborted = [request for request in requests if request.aborted_at is not None]
    return stopped, len(aborted), len({request.path for request in aborted})


async def measure(runs: int) -> int:
    """Run everything, print it, and give the number of goals that were missed."""
    missed = 0
    join = JoinRoom(platform="bench")
    async with (
        FakeOpenAI(SETTINGS) as fake,
        running_core(fake.base_url) as url,
        connect(url, join=join) as client,
    ):
        playout = Playout()
        loudspeaker = asyncio.create_task(run_loudspeaker(client, playout))
        try:
            for name, (reply, goal) in GOALS.items():
                fake.settings = replace(SETTINGS, reply=reply)
                times = await first_sounds(client, playout, runs + 1)
                worst = percentile(times[1:], 0.95)
                missed += worst > goal
                print(
                    f"{name:28} first sound: median {percentile(times[1:], 0.5):.3f} s, "
                    f"95 % {worst:.3f} s, cold {times[0]:.3f} s; goal {goal} s"
                )
            # A slow voice and a long text: both are still at work when she is interrupted.
            fake.settings = replace(
                SETTINGS, reply=" ".join([LONG] * 8), words_per_s=20, speech_factor=0.9
            )
            stopped, aborted, kinds = await interrupt(client, playout, fake)
            missed += stopped > 0.1 or kinds != 2
            print(
                f"interruption: stop told after {stopped * 1e3:.1f} ms; {aborted} requests "
                f"given up, {'language model and voice' if kinds == 2 else 'NOT both kinds'}"
            )
        finally:
            loudspeaker.cancel()
    print(f"goals missed: {missed} of {len(GOALS) + 1}")
    return missed


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    print(machine())
    return asyncio.run(measure(options.runs))


if __name__ == "__main__":
    sys.exit(main())
