"""What the engine itself costs, with operations that take no time.

    python benchmarks/engine.py [--rooms 200] [--seconds 12]

Reports the overhead from a turn's decision to its first sound, the time from a stop to silence,
how many rooms one core carries without a loudspeaker running dry, and the memory of a room.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import asyncio
import gc
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests")]

from stubs import (
    EAR_FRAME,
    Audience,
    machine,
    make_cast,
    open_vad,
    percentile,
)

from conftest import VirtualTimeLoop
from voxelle.audio import EAR_RATE, FRAME_SECONDS, AudioFrame
from voxelle.conversation.room import Room
from voxelle.conversation.rooms import Rooms
from voxelle.conversation.settings import ConversationSettings
from voxelle.events import Member
from voxelle.utils.logging_utils import Logging, LogOptions

MEMBER = Member(platform="bench", id="ann", name="Ann")
SETTINGS = ConversationSettings.model_validate({"director": {"idle_s": 0}, "speculation": "off"})


async def overheads(turns: int) -> tuple[list[float], list[float]]:
    """Give loop-clock and processor seconds from decision to first sound, turn by turn."""
    audience = Audience()
    cpu: list[float] = []
    async with Rooms(make_cast(await open_vad()), SETTINGS) as rooms:
        room = rooms.room("main")
        room.attach(audience)
        for _ in range(turns):
            audience.first_sound.clear()
            start = time.perf_counter()
            room.read(MEMBER, "Hello!")
            await audience.first_sound.wait()
            cpu.append(time.perf_counter() - start)
            room.stop()
            await asyncio.sleep(0.3)
    return audience.overheads, cpu


async def silences(turns: int) -> list[float]:
    """Give the seconds from a stop to the notice that silences every listener."""
    audience = Audience()
    loop = asyncio.get_running_loop()
    result: list[float] = []
    async with Rooms(make_cast(await open_vad()), SETTINGS) as rooms:
        room = rooms.room("main")
        room.attach(audience)
        for _ in range(turns):
            audience.first_sound.clear()
            room.read(MEMBER, "Hello!")
            await audience.first_sound.wait()
            await asyncio.sleep(0.1)
            start = loop.time()
            room.stop()
            result.append(audience.stopped_at - start)
            await asyncio.sleep(0.02)
    return result


def speech() -> list[np.ndarray]:
    """Make 20 ms frames of something that Silero takes for a voice: pulses through formants."""
    rng = np.random.default_rng(7)
    seconds = 1.6
    at = np.arange(int(EAR_RATE * seconds)) / EAR_RATE
    pitch = 120 + 15 * np.sin(2 * np.pi * 2.5 * at)
    pulses = (np.diff(np.floor(np.cumsum(pitch) / EAR_RATE), prepend=0) > 0).astype(float)
    sound = np.zeros_like(at)
    for formant, width in ((700, 90), (1220, 110), (2600, 160)):
        ring = np.exp(-np.pi * width * at[:800]) * np.sin(2 * np.pi * formant * at[:800])
        sound += np.convolve(pulses, ring)[: len(at)]
    sound *= (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at)) / np.abs(sound).max() * 0.5
    sound += rng.normal(0, 0.002, len(at))
    sound = np.concatenate([sound, rng.normal(0, 0.001, EAR_RATE * 4)]).astype(np.float32)
    return [sound[i : i + EAR_FRAME] for i in range(0, len(sound) - EAR_FRAME + 1, EAR_FRAME)]


async def talk(room: Room, frames: list[np.ndarray], start: float, until: float) -> None:
    """Speak into a room in real time: a sentence, then silence while she answers."""
    loop = asyncio.get_running_loop()
    index = 0
    while (due := start + index * FRAME_SECONDS) < until:
        await asyncio.sleep(max(0.0, due - loop.time()))
        room.hear(MEMBER.key, AudioFrame(frames[index % len(frames)], EAR_RATE))
        index += 1


async def crowd(count: int, seconds: float) -> tuple[list[Audience], float]:
    """Let that many rooms talk at once; give what arrived and the share of a core it took."""
    frames = speech()
    audiences: list[Audience] = []
    loop = asyncio.get_running_loop()
    async with Rooms(make_cast(await open_vad()), SETTINGS) as rooms:
        for index in range(count):
            audience = Audience()
            room = rooms.room(f"room {index}")
            room.attach(audience)
            room.enter(MEMBER)
            audiences.append(audience)
        gc.collect()
        gc.freeze()  # as the server does: the garbage collector need not look at what stays
        cpu, start = time.process_time(), loop.time() + 0.1
        async with asyncio.TaskGroup() as people:
            for index in range(count):
                begin = start + index / count * (len(frames) * FRAME_SECONDS)
                room = rooms.room(f"room {index}")
                people.create_task(talk(room, frames, begin, start + seconds))
        share = (time.process_time() - cpu) / seconds
    return audiences, share


async def memory(count: int) -> float:
    """Give the bytes of one room in which somebody spoke and was answered."""
    frames = speech()
    vad = await open_vad()
    tracemalloc.start()
    async with Rooms(make_cast(vad), SETTINGS) as rooms:
        before = tracemalloc.get_traced_memory()[0]
        for index in range(count):
            room = rooms.room(f"room {index}")
            room.attach(Audience())
            room.enter(MEMBER)
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as people:
            for room in rooms:
                people.create_task(talk(room, frames, start, start + 4.0))
        after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / count


def report(name: str, values: list[float], unit: float = 1e3) -> None:
    """Print median, 95 % and maximum in milliseconds."""
    print(
        f"{name:44} median {percentile(values, 0.5) * unit:7.3f} ms   "
        f"95 % {percentile(values, 0.95) * unit:7.3f} ms   max {max(values) * unit:7.3f} ms"
    )


def main() -> int:
    """Run everything, print it, and give the number of goals that were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--turns", type=int, default=200)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    Logging(LogOptions("warning", None, console="none")).start()
    print(machine(), "- one core" if hasattr(os, "sched_setaffinity") else "")

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        virtual, cpu = runner.run(overheads(options.turns))
    report("decision to first sound, virtual time", virtual)
    report("the same, processor time", cpu)
    real, _ = asyncio.run(overheads(options.turns // 4))
    report("decision to first sound, real time", real)
    stops = asyncio.run(silences(options.turns // 4))
    report("stop to silence, real time", stops)
    audiences, share = asyncio.run(crowd(options.rooms, options.seconds))
    underruns = sum(audience.underruns for audience in audiences)
    spoken = sum(audience.frames for audience in audiences)
    late = [value for audience in audiences for value in audience.overheads]
    silent = sum(not audience.frames for audience in audiences)
    print(
        f"{options.rooms} rooms at once for {options.seconds:.0f} s: {share:.0%} of a core, "
        f"{spoken} frames of her voice, {underruns} underruns, {silent} rooms unanswered"
    )
    report(f"decision to first sound among {options.rooms} rooms", late)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        room_bytes = runner.run(memory(20))
    print(f"memory of one room in use: {room_bytes / 1e6:.3f} MB")
    missed = [
        percentile(virtual, 0.5) > 0.5e-3,
        percentile(real, 0.95) > 5e-3,
        max(stops) > 1e-3,
        underruns > 0 or silent > 0,
        room_bytes > 1e6,
    ]
    print(f"goals missed: {sum(missed)} of {len(missed)}")
    return sum(missed)


if __name__ == "__main__":
    sys.exit(main())
