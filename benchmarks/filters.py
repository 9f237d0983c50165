"""What filters and clauses cost: `python benchmarks/filters.py`; medians of one call each."""

from __future__ import annotations

import argparse
import asyncio
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from voxelle.operations.filter_audio.effect import EffectProvider
from voxelle.operations.filter_audio.manager import REGISTRY
from voxelle.operations.filter_text.clean import EMOTES
from voxelle.operations.filter_text.cleaner import Cleaner
from voxelle.operations.filter_text.lists import Lists, read_file
from voxelle.operations.filter_text.safety import Gate
from voxelle.operations.registry import Choice
from voxelle.text import Cutter

T = TypeVar("T")

RATE = 24_000
EFFECTS: dict[str, dict[str, float]] = {
    "resample": {"rate": RATE},
    "highpass": {},
    "loudness": {},
    "pitch": {"semitones": 3},
    "gain": {"gain_db": 3},
    "limiter": {"ceiling_db": -12},
}
REPLY = "This is a rather ordinary sentence, with a few commas, and it ends here. [happy] Is it? "
LISTS = Path(__file__).parents[1] / "configs" / "safety.yaml"


class Machine(Protocol):
    """Something that takes a reply piece by piece."""

    def push(self, piece: str, /) -> object:
        """Take the next piece."""
        ...


def times(call: Callable[[T], object], items: Iterable[T]) -> list[float]:
    """Give the microseconds of each call."""
    found = []
    for item in items:
        start = time.perf_counter()
        call(item)
        found.append((time.perf_counter() - start) * 1e6)
    return found


def tell(name: str, found: list[float], unit: str) -> float:
    """Print and give the median."""
    median = statistics.median(found)
    slow = sorted(found)[int(len(found) * 0.99)]
    print(f"{name:12} {median:8.1f} us per {unit}   (99 %: {slow:8.1f})")
    return median


async def main(rounds: int) -> None:
    """Measure every filter and the clause cutter."""
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    chance = np.random.default_rng(0)
    sound = chance.normal(0, 0.2, (rounds, 480)).astype(np.float32)
    whole = 0.0
    for name, options in EFFECTS.items():
        provider = cast(
            EffectProvider, REGISTRY.create(Choice.model_validate({"id": name, **options}))
        )
        effect = provider.begin(22_050 if name == "resample" else RATE)
        whole += tell(name, times(effect.push, list(sound)), "20 ms frame")
    print(f"{'all effects':12} {whole:8.1f} us per 20 ms frame")
    tokens = re.findall(r" ?[^\s,.!?]+|[,.!?]+", REPLY * (rounds // 10))
    lists = Lists([read_file(LISTS)])
    machines: dict[str, Machine] = {
        "clean": Cleaner(EMOTES, says_domains=True),
        "safety": Gate(lists, "bleep", "No."),
        "clauses": Cutter(frozenset({"happy"})),
    }
    for name, machine in machines.items():
        found = times(machine.push, tokens)
        print(f"{name:12} {statistics.fmean(found):8.1f} us per token on average")
        tell("", found, "token")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2_000, help="frames per effect")
    asyncio.run(main(parser.parse_args().rounds))
