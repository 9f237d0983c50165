"""What the voice detectors cost: `python benchmarks/vad.py`; microseconds per window of 32 ms."""

from __future__ import annotations

import asyncio
import statistics
import time

from voxelle.operations.vad.threads import pin_blas

pin_blas()  # before the line below

import numpy as np

from voxelle.operations.registry import Choice
from voxelle.operations.vad.manager import VADManager

CROWDS = (1, 4, 16, 64)
ROUNDS = 9
WINDOWS = 1_000
"""Windows per round, all streams together."""


async def measure(name: str, crowd: int) -> float:
    """Give the median processor time per window, in microseconds."""
    manager = VADManager()
    await manager.use([Choice(id=name)])
    manager.resize(crowd)
    windows = np.random.default_rng(1).standard_normal((crowd, 512)).astype(np.float32) * 0.1
    streams = list(range(crowd))
    calls = max(3, WINDOWS // crowd)
    costs: list[float] = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(calls):
            manager.score(streams, windows)
        costs.append((time.thread_time() - start) / (calls * crowd) * 1e6)
    await manager.close()
    return statistics.median(costs)


async def main() -> None:
    """Print a table."""
    print("streams  " + "".join(f"{name:>10}" for name in sorted(VADManager.registry.builtin)))
    for crowd in CROWDS:
        costs = [await measure(name, crowd) for name in sorted(VADManager.registry.builtin)]
        print(f"{crowd:7}  " + "".join(f"{cost:8.1f}us" for cost in costs))


if __name__ == "__main__":
    asyncio.run(main())
