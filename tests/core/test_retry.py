from __future__ import annotations

import asyncio
import random
from functools import partial
from itertools import pairwise

import pytest
from pydantic import ValidationError

from voxelle.operations.patience import Patience, persist
from voxelle.utils.exceptions import TTSError


def always(error: Exception) -> bool:
    return True


async def fail_and_count(times: list[float], is_retryable: bool = True) -> str:
    times.append(asyncio.get_running_loop().time())
    raise TTSError("no", provider="anna", is_retryable=is_retryable)


async def test_pauses_are_random_below_a_bound_that_doubles_up_to_a_limit() -> None:
    random.seed(1)
    patience = Patience(tries=8, pause_s=1, max_pause_s=4)
    pauses: list[list[float]] = []
    for _ in range(50):
        times: list[float] = []
        with pytest.raises(TTSError):
            await persist(partial(fail_and_count, times), patience, always)
        assert len(times) == 8
        pauses.append([b - a for a, b in pairwise(times)])
    for number, bound in enumerate([1, 2, 4, 4, 4, 4, 4]):
        column = [row[number] for row in pauses]
        assert 0 <= min(column) < bound * 0.3
        assert bound * 0.7 < max(column) <= bound


async def test_what_is_not_retryable_is_asked_once() -> None:
    times: list[float] = []
    with pytest.raises(TTSError):
        await persist(lambda: fail_and_count(times, is_retryable=False), Patience(tries=5), always)
    assert len(times) == 1


async def test_who_did_not_answer_in_time_is_asked_once() -> None:
    times: list[float] = []

    async def late() -> str:
        times.append(0.0)
        raise TTSError("late", provider="anna", is_retryable=True) from TimeoutError()

    with pytest.raises(TTSError, match="late"):
        await persist(late, Patience(tries=5), always)
    assert len(times) == 1


async def test_whoever_asks_has_the_last_word() -> None:
    times: list[float] = []
    with pytest.raises(TTSError):
        await persist(lambda: fail_and_count(times), Patience(tries=5), lambda _: len(times) < 3)
    assert len(times) == 3


async def test_cancelling_ends_a_pause_at_once() -> None:
    times: list[float] = []
    patience = Patience(tries=10, pause_s=60, max_pause_s=60)
    task = asyncio.create_task(persist(lambda: fail_and_count(times), patience, always))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(times) <= 1


def test_patience_has_bounds() -> None:
    with pytest.raises(ValidationError, match="tries"):
        Patience(tries=0)
