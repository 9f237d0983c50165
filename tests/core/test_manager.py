from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from scripted_voice import Script, VoiceManager, scripts
from voxelle.operations.patience import Patience
from voxelle.operations.registry import Choice, command_for
from voxelle.operations.status import Status
from voxelle.utils.exceptions import ConfigurationError, TTSError, ValidationError

SOON = Patience(first_item_s=2, tries=3, pause_s=0, max_pause_s=0, failures=3, rest_s=30)


@pytest.fixture
def anna() -> Script:
    return Script("anna", [("a", "b", "c")])


@pytest.fixture
def bert() -> Script:
    return Script("bert", [("x", "y", "z")])


@pytest.fixture
async def manager(anna: Script, bert: Script) -> AsyncIterator[VoiceManager]:
    with scripts(anna, bert, Script("carl", [("k",)]), Script("paid", [("p",)])):
        manager = VoiceManager(SOON)
        yield manager
        await manager.close()


async def say(manager: VoiceManager) -> str:
    return "".join([item async for item in manager.speak("hello")])


async def test_without_a_provider_it_says_so(manager: VoiceManager) -> None:
    with pytest.raises(TTSError, match="nothing is in use"):
        await say(manager)
    with pytest.raises(TTSError, match="nothing is in use"):
        _ = manager.provider
    with pytest.raises(ConfigurationError, match="at least one"):
        await manager.use(())
    assert (manager.name, manager.is_paid, manager.status.state) == ("none", False, "down")


async def test_the_first_choice_answers(manager: VoiceManager, anna: Script, bert: Script) -> None:
    await manager.use([anna.choice, bert.choice])
    assert await say(manager) == "abc"
    assert (manager.name, bert.asked) == ("anna", 0)
    assert (manager.status.state, manager.status.operation) == ("ok", "scripted")


async def test_a_retryable_failure_is_tried_again(manager: VoiceManager, anna: Script) -> None:
    anna.requests = [(ConnectionError("gone"),), (ConnectionError("gone"),), ("a",)]
    await manager.use([anna.choice])
    assert await say(manager) == "a"
    assert manager.status.state == "ok"


async def test_a_lasting_failure_goes_to_the_next_provider(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [(ValueError("wrong key"),)]
    await manager.use([anna.choice, bert.choice])
    assert await say(manager) == "xyz"
    assert anna.asked == 1
    assert manager.status.state == "degraded"
    assert manager.status.error == "anna: wrong key"


async def test_when_all_fail_the_last_failure_is_raised_and_its_cause_kept(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [(ConnectionError("gone"),)]
    bert.requests = [(ValueError("wrong key"),)]
    await manager.use([anna.choice, bert.choice])
    with pytest.raises(TTSError, match="bert: wrong key") as caught:
        await say(manager)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.context == {"provider": "bert", "is_retryable": False}
    assert (anna.asked, bert.asked) == (3, 1)
    assert manager.status.state == "down"


async def test_after_the_first_item_a_failure_is_raised_and_nobody_else_asked(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [("a", ConnectionError("gone"))]
    await manager.use([anna.choice, bert.choice])
    said: list[str] = []
    with pytest.raises(TTSError, match="anna: gone"):
        async for item in manager.speak("hello"):
            said.append(item)  # noqa: PERF401 - what came before the failure is the point
    assert said == ["a"]
    assert (anna.asked, bert.asked) == (1, 0)
    assert manager.status.state == "degraded"


async def test_a_provider_that_gives_nothing_in_time_has_failed(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [(3600.0, "late")]
    await manager.use([anna.choice, bert.choice])
    before = asyncio.get_running_loop().time()
    assert await say(manager) == "xyz"
    assert asyncio.get_running_loop().time() - before == pytest.approx(SOON.first_item_s)
    assert anna.diary == ["opened", "CancelledError"]


async def test_who_did_not_answer_in_time_is_left_alone_if_there_is_a_fallback(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [(3600.0, "late")]
    await manager.use([anna.choice, bert.choice])
    assert [await say(manager) for _ in range(3)] == ["xyz"] * 3
    assert anna.asked == 1
    await manager.use([anna.choice])
    for _ in range(2):
        with pytest.raises(TTSError, match="anna gave nothing within 2 s"):
            await say(manager)
    assert anna.asked == 3


async def test_who_stalls_after_the_first_item_has_failed(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [("a", 3600.0, "b")]
    await manager.use([anna.choice, bert.choice])
    start = asyncio.get_running_loop().time()
    with pytest.raises(TTSError, match="anna gave nothing within 8 s"):
        await say(manager)
    assert asyncio.get_running_loop().time() - start == pytest.approx(8)
    assert (manager.status.state, manager.name) == ("degraded", "bert")
    assert await say(manager) == "xyz"
    assert anna.diary == ["opened", "CancelledError"]


async def test_a_stall_is_counted_even_if_there_is_nobody_else(
    manager: VoiceManager, anna: Script
) -> None:
    anna.requests = [("a", 3600.0, "b")]
    await manager.use([anna.choice])
    for _ in range(SOON.failures):
        with pytest.raises(TTSError, match="gave nothing within"):
            await say(manager)
    with pytest.raises(TTSError, match="left alone for 30 s"):
        await say(manager)


async def test_the_time_the_reader_takes_is_not_the_providers(
    manager: VoiceManager, anna: Script
) -> None:
    await manager.use([anna.choice])
    said = ""
    async for item in manager.speak("hello"):
        said += item
        await asyncio.sleep(3600)
    assert said == "abc"


async def test_after_breaking_off_a_provider_rests_a_moment_if_there_is_a_fallback(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [("a", ConnectionError("gone")), ("a", "b")]
    await manager.use([anna.choice, bert.choice])
    with pytest.raises(TTSError, match="gone"):
        await say(manager)
    assert [await say(manager), anna.asked] == ["xyz", 1]
    await asyncio.sleep(5)
    assert [await say(manager), manager.name] == ["ab", "anna"]
    anna.requests, anna.asked = [("a", ConnectionError("gone")), ("a", "b")], 0
    await manager.use([anna.choice])
    with pytest.raises(TTSError, match="gone"):
        await say(manager)
    assert await say(manager) == "ab"


async def test_slow_items_after_the_first_are_waited_for_if_that_is_wanted(
    manager: VoiceManager, anna: Script
) -> None:
    anna.requests = [("a", 100.0, "b")]
    manager.patience = SOON.model_copy(update={"next_item_s": 0})
    await manager.use([anna.choice])
    assert await say(manager) == "ab"


async def test_a_wrong_request_is_nobodys_failure(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [(ValidationError("no line"),)]
    await manager.use([anna.choice, bert.choice])
    for _ in range(10):
        with pytest.raises(ValidationError):
            await say(manager)
    assert (bert.asked, manager.name) == (0, "anna")


async def test_an_answer_may_be_empty(manager: VoiceManager, anna: Script) -> None:
    anna.requests = [()]
    await manager.use([anna.choice])
    assert await say(manager) == ""
    assert manager.status.state == "ok"


async def test_who_failed_too_often_is_left_alone_and_then_probed(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [*[(ConnectionError("gone"),)] * 3, ("a",)]
    await manager.use([anna.choice, bert.choice])
    assert [await say(manager) for _ in range(3)] == ["xyz"] * 3
    assert (anna.asked, manager.name) == (3, "bert")
    await asyncio.sleep(SOON.rest_s)
    assert await say(manager) == "a"
    assert (manager.name, manager.status.state) == ("anna", "ok")


async def test_when_everybody_is_left_alone_the_error_says_why(
    manager: VoiceManager, anna: Script
) -> None:
    anna.requests = [(ConnectionError("gone"),)]
    await manager.use([anna.choice])
    with pytest.raises(TTSError, match="anna: gone"):
        await say(manager)
    with pytest.raises(TTSError, match="left alone for 30 s, as it failed: anna: gone"):
        await say(manager)
    assert anna.asked == 3


async def test_interruptions_never_count_as_failures(manager: VoiceManager, anna: Script) -> None:
    anna.requests = [("a", 10.0, "b")]
    await manager.use([anna.choice])
    for _ in range(20):
        async with aclosing(manager.speak("hello")) as stream:
            await anext(stream)
    for _ in range(20):
        task = asyncio.create_task(say(manager))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
    assert anna.diary == ["opened", *["GeneratorExit"] * 20, *["CancelledError"] * 20]
    assert (manager.name, manager.status.state) == ("anna", "ok")


async def test_of_many_rooms_exactly_one_probes(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    anna.requests = [*[(ConnectionError("gone"),)] * 3, (1.0, "a")]
    await manager.use([anna.choice, bert.choice])
    await say(manager)
    await asyncio.sleep(SOON.rest_s)
    said = await asyncio.gather(*[say(manager) for _ in range(20)])
    assert sorted(said) == ["a", *["xyz"] * 19]
    assert anna.asked == 4


async def test_a_swap_keeps_running_streams_and_closes_the_old_after_the_last(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    await manager.use([anna.choice])
    first, second = manager.speak("hello"), manager.speak("hello")
    assert [await anext(first), await anext(second)] == ["a", "a"]
    await manager.use([bert.choice])
    assert await say(manager) == "xyz"
    assert [item async for item in first] == ["b", "c"]
    await asyncio.sleep(1)
    assert anna.diary == ["opened"]
    await second.aclose()
    await asyncio.sleep(1)
    assert anna.diary == ["opened", "GeneratorExit", "closed"]
    assert bert.diary == ["opened"]


async def test_a_swap_that_fails_changes_nothing(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    await manager.use([anna.choice])
    bert.on_open = (RuntimeError("no such model"),)
    with pytest.raises(TTSError, match="bert: no such model"):
        await manager.use([bert.choice, Choice(id="carl", script="carl")])
    with pytest.raises(ConfigurationError, match="known: absent, anna"):
        await manager.use([Choice(id="nobody")])
    assert await say(manager) == "abc"
    assert anna.diary == ["opened"]


async def test_a_swap_that_is_cancelled_leaves_nothing_open(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    await manager.use([anna.choice])
    bert.on_open = (100.0,)
    carl = Script("carl")
    with scripts(anna, bert, carl):
        task = asyncio.create_task(manager.use([carl.choice, bert.choice]))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert carl.diary == ["opened", "closed"]
        assert manager.name == "anna"
        await manager.close()


async def test_a_fallback_that_does_not_open_is_left_out(
    manager: VoiceManager, anna: Script, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.use([anna.choice, Choice(id="absent")])
    assert await say(manager) == "abc"
    assert manager.status.state == "ok"
    assert command_for("absent") in caplog.text


async def test_at_the_start_a_fallback_takes_the_place_of_a_primary_that_does_not_open(
    manager: VoiceManager, anna: Script, bert: Script, caplog: pytest.LogCaptureFixture
) -> None:
    anna.on_open = (RuntimeError("no such model"),)
    await manager.use([anna.choice, bert.choice])
    assert await say(manager) == "xyz"
    assert (manager.name, manager.status.state) == ("bert", "degraded")
    assert "no such model" in caplog.text


async def test_at_the_start_nothing_that_opens_is_an_error(
    manager: VoiceManager, anna: Script
) -> None:
    anna.on_open = (RuntimeError("no such model"),)
    with pytest.raises(TTSError, match="no such model"):
        await manager.use([anna.choice, Choice(id="absent")])
    assert manager.name == "none"


async def test_a_provider_that_fails_while_it_closes_is_only_logged(
    manager: VoiceManager, anna: Script, caplog: pytest.LogCaptureFixture
) -> None:
    anna.on_close = (RuntimeError("stuck"),)
    await manager.use([anna.choice])
    await manager.close()
    assert "failed while it closed" in caplog.text


async def test_it_may_be_used_again_after_closing(manager: VoiceManager, anna: Script) -> None:
    await manager.use([anna.choice])
    await manager.close()
    assert anna.diary == ["opened", "closed"]
    await manager.use([anna.choice])
    assert await say(manager) == "abc"


async def test_it_tells_whether_the_provider_in_use_is_paid(
    manager: VoiceManager, anna: Script
) -> None:
    await manager.use([Choice(id="paid", script="paid"), anna.choice])
    assert manager.is_paid
    await manager.use([anna.choice])
    assert not manager.is_paid


async def test_that_somebody_rests_is_told_once_and_not_with_every_request(
    manager: VoiceManager, anna: Script, bert: Script, caplog: pytest.LogCaptureFixture
) -> None:
    anna.requests = [(3600.0, "late")]
    await manager.use([anna.choice, bert.choice])
    await say(manager)
    told: list[Status] = []
    manager.on_change(told.append)
    caplog.clear()
    for _ in range(5):
        await asyncio.sleep(3)
        assert await say(manager) == "xyz"
    assert (told, caplog.records) == ([], [])
    assert manager.status.error == "anna gave nothing within 2 s"


async def test_changes_are_told_once_each_with_their_time(
    manager: VoiceManager, anna: Script, bert: Script
) -> None:
    told: list[Status] = []
    stop = manager.on_change(told.append)
    anna.requests = [("a",), (ValueError("wrong key"),), ("a",)]
    await asyncio.sleep(5)
    await manager.use([anna.choice, bert.choice])
    await say(manager)
    await asyncio.sleep(5)
    await say(manager)
    await say(manager)
    assert [(status.state, status.since) for status in told] == [
        ("ok", 5.0),
        ("degraded", 10.0),
        ("ok", 10.0),
    ]
    stop()
    stop()
    await manager.use([bert.choice])
    assert len(told) == 3
