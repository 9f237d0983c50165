from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from voxelle.operations.base import Options, Provider
from voxelle.operations.chain import ChainManager
from voxelle.operations.registry import Choice, Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import OperationError


class SuffixOptions(Options):
    suffix: str


class Suffix(Provider):
    """Writes something after every piece; `!` breaks it."""

    options_type = SuffixOptions
    options: SuffixOptions
    is_open = False

    async def __aenter__(self) -> Suffix:
        if self.options.suffix == "?":
            raise RuntimeError("no such suffix")
        self.is_open = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.is_open = False

    async def apply(self, text: Stream[str]) -> Stream[str]:
        async with aclosing(text):
            async for piece in text:
                if piece.startswith("!"):
                    raise ValueError("a bad piece")
                yield piece + self.options.suffix


class SuffixRegistry(Registry):
    def find(self, name: str) -> type[Provider]:
        return Suffix


class SuffixManager(ChainManager[Suffix]):
    registry = SuffixRegistry("filter_text", {}, {})
    error = OperationError

    def apply(self, text: Stream[str]) -> Stream[str]:
        return self.through(text, lambda filter_, pieces: filter_.apply(pieces))


def chain(*suffixes: str) -> list[Choice]:
    return [Choice.model_validate({"id": f"s{suffix}", "suffix": suffix}) for suffix in suffixes]


async def pieces(*texts: str) -> Stream[str]:
    for text in texts:
        await asyncio.sleep(0)
        yield text


async def run(manager: SuffixManager, *texts: str) -> list[str]:
    return [piece async for piece in manager.apply(pieces(*texts))]


async def test_a_stream_goes_through_all_in_their_order_and_through_none() -> None:
    manager = SuffixManager()
    assert await run(manager, "a") == ["a"]
    await manager.use(chain("1", "2"))
    assert await run(manager, "a", "b") == ["a12", "b12"]
    assert (manager.name, manager.is_paid) == ("s1, s2", False)
    await manager.use(())
    assert await run(manager, "a") == ["a"]
    assert manager.name == "none"
    await manager.close()


async def test_a_chain_with_a_part_that_does_not_open_changes_nothing() -> None:
    manager = SuffixManager()
    await manager.use(chain("1"))
    with pytest.raises(OperationError, match=r"s\?: no such suffix"):
        await manager.use(chain("2", "?"))
    assert await run(manager, "a") == ["a1"]
    await manager.close()


async def test_a_swap_leaves_running_streams_as_they_began() -> None:
    manager = SuffixManager()
    await manager.use(chain("1", "2"))
    before = manager.providers
    stream = manager.apply(pieces("a", "b"))
    assert await anext(stream) == "a12"
    await manager.use(chain("3"))
    await asyncio.sleep(1)
    assert [part.is_open for part in before] == [True, True]
    assert [piece async for piece in stream] == ["b12"]
    await asyncio.sleep(1)
    assert [part.is_open for part in before] == [False, False]
    await manager.close()


async def test_a_failure_names_the_part_that_failed() -> None:
    manager = SuffixManager()
    await manager.use(chain("1", "2"))
    with pytest.raises(OperationError, match="s1: a bad piece") as caught:
        await run(manager, "a", "!")
    assert caught.value.provider == "s1"
    await manager.close()


async def test_closing_the_stream_closes_its_source() -> None:
    closed: list[str] = []

    async def source() -> Stream[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("source")

    manager = SuffixManager()
    await manager.use(chain("1", "2"))
    stream = manager.apply(source())
    await anext(stream)
    await stream.aclose()
    assert closed == [] or closed == ["source"]
    await manager.close()
