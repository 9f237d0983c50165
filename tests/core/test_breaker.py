from __future__ import annotations

import asyncio

from voxelle.operations.breaker import Breaker


def state(breaker: Breaker) -> str:
    return breaker.state


def fail_times(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        ticket = breaker.begin()
        assert ticket is not None
        breaker.fail(ticket)


async def test_it_opens_after_failures_in_a_row_and_only_in_a_row() -> None:
    breaker = Breaker(failures=3, rest_s=10)
    fail_times(breaker, 2)
    ticket = breaker.begin()
    assert ticket is not None
    breaker.succeed(ticket)
    fail_times(breaker, 2)
    assert state(breaker) == "closed"
    fail_times(breaker, 1)
    assert state(breaker) == "open"
    assert breaker.begin() is None


async def test_a_failure_may_ask_for_a_rest_before_there_were_too_many() -> None:
    breaker = Breaker(failures=3, rest_s=10)
    ticket = breaker.begin()
    assert ticket is not None
    breaker.fail(ticket, rest_s=2)
    assert (state(breaker), breaker.rest_s()) == ("open", 2)
    await asyncio.sleep(2)
    probe = breaker.begin()
    assert probe is not None
    breaker.fail(probe, rest_s=2)
    assert breaker.rest_s() == 10


async def test_after_its_rest_exactly_one_of_many_may_probe() -> None:
    breaker = Breaker(failures=1, rest_s=10)
    fail_times(breaker, 1)
    await asyncio.sleep(9.9)
    assert breaker.begin() is None
    await asyncio.sleep(0.2)
    tickets = [breaker.begin() for _ in range(20)]
    assert sum(ticket is not None for ticket in tickets) == 1
    assert state(breaker) == "half-open"


async def test_a_probe_that_is_answered_closes_it_and_one_failure_opens_it_again() -> None:
    breaker = Breaker(failures=3, rest_s=10)
    fail_times(breaker, 3)
    await asyncio.sleep(10)
    probe = breaker.begin()
    assert probe is not None
    breaker.answer(probe)
    assert state(breaker) == "closed"
    breaker.fail(probe)
    assert state(breaker) == "open"
    await asyncio.sleep(10)
    probe = breaker.begin()
    assert probe is not None
    breaker.succeed(probe)
    fail_times(breaker, 2)
    assert state(breaker) == "closed"


async def test_a_probe_that_fails_means_another_rest() -> None:
    breaker = Breaker(failures=3, rest_s=10)
    fail_times(breaker, 3)
    await asyncio.sleep(10)
    fail_times(breaker, 1)
    assert state(breaker) == "open"
    assert breaker.rest_s() == 10


async def test_a_probe_that_nobody_wants_any_more_lets_the_next_one_try() -> None:
    breaker = Breaker(failures=1, rest_s=10)
    fail_times(breaker, 1)
    await asyncio.sleep(10)
    probe = breaker.begin()
    assert probe is not None
    breaker.abandon(probe)
    assert state(breaker) == "open"
    assert breaker.begin() is not None


async def test_requests_that_are_given_up_never_open_it() -> None:
    breaker = Breaker(failures=1, rest_s=10)
    for _ in range(100):
        ticket = breaker.begin()
        assert ticket is not None
        breaker.abandon(ticket)
    assert state(breaker) == "closed"


async def test_what_began_before_it_opened_changes_nothing() -> None:
    breaker = Breaker(failures=1, rest_s=10)
    old = [breaker.begin() for _ in range(3)]
    fail_times(breaker, 1)
    await asyncio.sleep(10)
    probe = breaker.begin()
    first, second, third = old
    assert first is not None
    assert second is not None
    assert third is not None
    breaker.fail(first)
    breaker.succeed(second)
    breaker.abandon(third)
    assert state(breaker) == "half-open"
    assert probe is not None
    breaker.succeed(probe)
    assert state(breaker) == "closed"
