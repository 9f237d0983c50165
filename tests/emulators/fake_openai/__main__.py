"""Run the fake server by itself: `python -m tests.emulators.fake_openai --port 8123`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

from .server import FakeOpenAI
from .settings import FakeOpenAISettings


def main() -> None:
    """Serve until interrupted; the first line printed is the base_url."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--reply", default=FakeOpenAISettings().reply)
    parser.add_argument("--first-token-s", type=float, default=0.3)
    parser.add_argument("--words-per-s", type=float, default=40.0)
    parser.add_argument("--speech-first-byte-s", type=float, default=0.15)
    parser.add_argument("--speech-factor", type=float, default=0.25)
    parser.add_argument("--transcript", default="hello there")
    parser.add_argument("--transcription-s", type=float, default=0.2)
    settings = FakeOpenAISettings(**vars(parser.parse_args()), models=())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings))


async def _serve(settings: FakeOpenAISettings) -> None:
    async with FakeOpenAI(settings) as fake:
        sys.stdout.write(fake.base_url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
