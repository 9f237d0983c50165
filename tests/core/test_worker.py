"""A supervised worker process, with a real process behind real pipes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from requirements import need
from voxelle.processes import wire
from voxelle.processes.child import Answer, Call
from voxelle.processes.worker import Worker, WorkerSettings
from voxelle.utils.exceptions import ConfigurationError, ProcessError, ValidationError

pytestmark = pytest.mark.real_time

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {"PYTHONPATH": str(TESTS)}


def settings(**changes: Any) -> WorkerSettings:
    return WorkerSettings("workers.obedient_worker", environment=ENVIRONMENT, **changes)


def told(**options: object) -> tuple[str, ...]:
    return (json.dumps(options),)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with Worker(settings(answer_s=5.0, ahead=8)) as worker:
        yield worker


async def rest(call: Call) -> list[Answer]:
    async with aclosing(call.answers()) as answers:
        return [answer async for answer in answers]


async def echoed(worker: Worker, *payloads: bytes) -> list[bytes]:
    async with worker.call(what="echo") as call:
        for payload in payloads:
            await call.send(payload)
        await call.end()
        return [answer.payload for answer in await rest(call)]


async def ends(pid: int) -> bool:
    """Whether a process ends within two seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_request_goes_there_and_its_answers_come_back(worker: Worker) -> None:
    assert await echoed(worker, b"one", b"", bytes(range(256)) * 4_000) == [
        b"one",
        b"",
        bytes(range(256)) * 4_000,
    ]
    assert worker.facts == {"pid": worker.pid}


async def test_many_requests_at_once_do_not_mix(worker: Worker) -> None:
    wanted = [[f"{n}-{k}".encode() * (n + 1) for k in range(30)] for n in range(20)]
    given = await asyncio.gather(*(echoed(worker, *payloads) for payloads in wanted))
    assert given == wanted
    assert worker.calls == 0


async def test_slow_reader_holds_up_its_own_answers_and_nobody_elses(worker: Worker) -> None:
    async with worker.call(what="count", to=1_000) as slow:
        answers = slow.answers()
        await anext(answers)
        assert await echoed(worker, b"quick") == [b"quick"]
        await asyncio.sleep(0.1)
        assert slow._answers.qsize() <= 8
        numbers = [answer.header["number"] async for answer in answers]
    assert numbers == list(range(1, 1_000))


async def test_answers_given_in_one_go_wait_in_the_worker(worker: Worker) -> None:
    async with worker.call(what="count", to=500, politely=False) as call:
        await asyncio.sleep(0.1)
        assert call._answers.qsize() <= 9  # eight, and the end
        assert [one.header["number"] for one in await rest(call)] == list(range(500))


async def test_leaving_cancels_work_at_once_even_in_its_midst(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    async with worker.call(what="busy") as call:
        await anext(call.answers())
        await asyncio.sleep(0.02)
        start = loop.time()
    assert await echoed(worker, b"next") == [b"next"]
    assert loop.time() - start < 1.0


async def test_cancelled_reader_cancels_the_work(worker: Worker) -> None:
    async def read() -> None:
        async with worker.call(what="busy") as call:
            await rest(call)

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await echoed(worker, b"next") == [b"next"]


async def test_death_fails_every_request_and_the_next_one_finds_a_new_process(
    worker: Worker,
) -> None:
    before = worker.pid
    async with worker.call(what="echo") as other, worker.call(what="misbehave", how="exit") as sick:
        for call in (sick, other):
            with pytest.raises(ProcessError, match=r"exit code 7.*cannot go on"):
                await rest(call)
        with pytest.raises(ProcessError, match="has ended"):
            await other.send(b"more")
    assert worker.pid is None
    assert await echoed(worker, b"again") == [b"again"]
    assert worker.pid != before


async def test_killed_from_outside_it_is_started_again(worker: Worker) -> None:
    assert worker.pid
    async with worker.call(what="echo") as call:
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(ProcessError):
            await rest(call)
    assert await echoed(worker, b"again") == [b"again"]


async def test_worker_that_keeps_dying_is_left_alone_for_longer_and_longer() -> None:
    worker = Worker(settings(arguments=told(start="die")))
    with pytest.raises(ProcessError, match="exit code 3"):
        await worker.start()
    with pytest.raises(ProcessError, match="exit code 3"):  # once more at once
        await worker.start()
    with pytest.raises(ProcessError, match=r"died 2 times in a row.*again in 0\.[345]"):
        await worker.start()
    await asyncio.sleep(0.55)
    with pytest.raises(ProcessError, match="exit code 3"):
        await worker.start()
    with pytest.raises(ProcessError, match=r"died 3 times in a row.*again in [01]\."):
        await worker.start()
    await worker.close()


async def test_work_that_is_done_makes_up_for_a_death(worker: Worker) -> None:
    for _ in range(4):
        with pytest.raises(ProcessError, match="exit code 7"):
            async with worker.call(what="misbehave", how="exit") as call:
                await rest(call)
        assert await echoed(worker, b"fine") == [b"fine"]


async def test_worker_that_refuses_to_start_says_why() -> None:
    with pytest.raises(ConfigurationError, match="the model is not there"):
        await Worker(settings(arguments=told(start="refuse"))).start()


async def test_worker_that_is_never_ready_is_ended() -> None:
    worker = Worker(settings(arguments=told(start="sleep"), start_s=0.4))
    with pytest.raises(ProcessError, match=r"not ready within 0\.4 s"):
        await worker.start()
    assert worker.pid is None


async def test_cancelling_the_start_leaves_no_process() -> None:
    worker = Worker(settings(arguments=told(start="sleep")))
    task = asyncio.create_task(worker.start())
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert worker.pid is None
    await worker.close()


async def test_worker_that_hangs_is_killed_and_the_next_request_works() -> None:
    async with Worker(settings(answer_s=0.3)) as worker:
        async with worker.call(what="misbehave", how="hang") as call:
            await call.end()
            with pytest.raises(ProcessError, match=r"silent for 0\.[345] s"):
                await rest(call)
        assert await echoed(worker, b"again") == [b"again"]


def freeze(worker: Worker) -> None:
    need("posix", hasattr(signal, "SIGSTOP"), "this system cannot stop a process for a while")
    assert worker.pid
    os.kill(worker.pid, signal.SIGSTOP)


@pytest.mark.parametrize("is_complete", [True, False])
async def test_worker_that_stands_still_is_killed_whether_or_not_the_request_is_complete(
    is_complete: bool,
) -> None:
    async with Worker(settings(answer_s=0.4)) as worker:
        async with worker.call(what="echo") as call:
            freeze(worker)
            if is_complete:
                await call.end()
            with pytest.raises(ProcessError, match="was silent for"):
                await rest(call)
        assert await echoed(worker, b"again") == [b"again"]


async def test_worker_that_takes_no_note_of_a_cancellation_is_killed() -> None:
    loop = asyncio.get_running_loop()
    async with Worker(settings(answer_s=60.0, cancel_s=0.4)) as worker:
        before = worker.pid
        async with worker.call(what="echo") as other:
            async with worker.call(what="echo"):
                freeze(worker)
            start = loop.time()
            with pytest.raises(ProcessError, match="was silent for"):
                await rest(other)
            assert loop.time() - start < 2.0
        assert await echoed(worker, b"again") == [b"again"]
        assert worker.pid != before


async def test_work_that_hangs_is_killed_after_it_was_cancelled() -> None:
    async with Worker(settings(answer_s=60.0, cancel_s=0.4)) as worker:
        before = worker.pid
        assert before
        async with worker.call(what="misbehave", how="hang"):
            await asyncio.sleep(0.2)  # it has begun by then
        assert await ends(before)
        assert await echoed(worker, b"again") == [b"again"]


async def test_requests_that_wait_for_long_are_no_reason_to_kill_a_worker_that_lives() -> None:
    async with Worker(settings(answer_s=0.2, cancel_s=0.2)) as worker:
        before = worker.pid
        async with worker.call(what="echo") as call:
            for _ in range(5):
                await asyncio.sleep(0.2)
                async with worker.call(what="echo"):
                    pass
            await call.send(b"still here")
            await call.end()
            assert [answer.payload for answer in await rest(call)] == [b"still here"]
        await asyncio.sleep(0.5)
        assert worker.pid == before


async def test_loop_that_is_held_up_itself_does_not_blame_the_worker() -> None:
    async with Worker(settings(answer_s=0.4)) as worker:
        before = worker.pid
        async with worker.call(what="echo") as call:
            for _ in range(3):
                time.sleep(0.6)  # noqa: ASYNC251 - this is what holds it up
                await asyncio.sleep(0.15)
            await call.end()
            assert await rest(call) == []
        assert worker.pid == before


async def test_missing_module_is_named() -> None:
    with pytest.raises(ProcessError, match=r"No module named '?no_such_worker"):
        await Worker(WorkerSettings("no_such_worker")).start()


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        ("configuration", ConfigurationError, "no such voice"),
        ("validation", ValidationError, "no such word"),
        ("bug", ProcessError, "a bug"),
    ],
)
async def test_error_in_one_request_reaches_it_alone(
    worker: Worker, how: str, error: type[Exception], sentence: str
) -> None:
    before = worker.pid
    async with worker.call(what="misbehave", how=how) as call:
        with pytest.raises(error, match=sentence):
            await rest(call)
    assert await echoed(worker, b"fine") == [b"fine"]
    assert worker.pid == before


async def test_what_it_prints_goes_to_the_log_within_bounds(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with worker.call(what="misbehave", how="chatter") as call:
        assert await rest(call) == []  # neither does it disturb the answers
    assert await echoed(worker, b"fine") == [b"fine"]
    await asyncio.sleep(0.1)
    lines = [getattr(record, "line", "") for record in caplog.records]
    assert any("printed by a library" in line for line in lines)
    assert 100 < len(lines) <= 200
    assert max(map(len, lines)) <= 500


async def test_stopping_ends_the_process_and_fails_what_still_runs() -> None:
    worker = Worker(settings())
    await worker.start()
    pid = worker.pid
    assert pid
    async with worker.call(what="echo") as call:
        await worker.close()
        with pytest.raises(ProcessError, match="has ended"):
            await rest(call)
    assert worker.pid is None
    assert await ends(pid)


async def test_process_ends_with_its_parent() -> None:
    code = (
        "import asyncio, os, sys\n"
        "from voxelle.processes.worker import Worker, WorkerSettings\n"
        "async def main():\n"
        "    worker = Worker(WorkerSettings('workers.obedient_worker'))\n"
        "    await worker.start()\n"
        "    print(worker.pid, flush=True)\n"
        "    os._exit(1)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}
    )
    output, _ = await process.communicate()
    assert await ends(int(output))


async def test_request_that_is_too_large_is_refused_and_nothing_breaks(worker: Worker) -> None:
    with pytest.raises(ProcessError, match="too large"):
        async with worker.call(what="echo", text="x" * 70_000):
            pass
    async with worker.call(what="echo") as call:
        with pytest.raises(ProcessError, match="too large"):
            await call.send(bytes(5_000_000))
    assert await echoed(worker, b"fine") == [b"fine"]


@pytest.mark.parametrize(
    "raw", [b"\xff" * 8, struct.pack("<II", 70_000, 0), struct.pack("<II", 2, 2**31)]
)
def test_sizes_beyond_the_bounds_are_refused(raw: bytes) -> None:
    with pytest.raises(ProcessError, match="too large"):
        wire.sizes(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_header_that_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ProcessError, match="JSON"):
        wire.read_header(raw)
