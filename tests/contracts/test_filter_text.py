"""What every filter of text must do, whichever it is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Protocol, Self, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxelle.operations.base import TextFilter
from voxelle.operations.filter_text.manager import REGISTRY, TextFilterManager
from voxelle.operations.registry import Choice
from voxelle.streams import Stream

LISTS = Path(__file__).parents[2] / "configs" / "safety.yaml"
OPTIONS: dict[str, dict[str, object]] = {
    "safety": {"path": str(LISTS), "words": ["badword", "meanie*", "*rude*"]},
}
"""Options with which each filter has something to do; a plugin's filter gets its defaults."""

NAMES = sorted(REGISTRY.places())
PARTS = [
    "Hello", " there", ", ", "how are you", "? ", "\n", " ", "[happy]", "**", "*", "_", "waves",
    " 😀 ",
    "https://a.b/c", " www.x.y", "b a d w o r d", " badword ", "bad", "word", "meanies", " b.a.d",
    "xrudex", "`", "```", "# ", "- ", "[", "](", ")", "<b>", "<think>", "</think>", "&amp;", ":)",
    " :smile:", "...", "!!!", "...!?", "3.5", "10:30", "Kappa", " h", "~", "\u200b", "é", "а",
    "1", "|",
]  # fmt: skip
texts = st.lists(st.sampled_from(PARTS), max_size=25).map("".join) | st.text(max_size=80)


class Opened(TextFilter, Protocol):
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc_info: object) -> None: ...


def choice(name: str) -> Choice:
    return Choice.model_validate({"id": name, **OPTIONS.get(name, {})})


def create(name: str) -> Opened:
    return cast(Opened, REGISTRY.create(choice(name)))


async def stream(pieces: list[str]) -> Stream[str]:
    for piece in pieces:
        yield piece


async def changed(name: str, pieces: list[str]) -> str:
    async with create(name) as filter_:
        return "".join([piece async for piece in filter_.apply(stream(pieces))])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts, cuts=st.lists(st.integers(0, 300), max_size=8))
async def test_output_does_not_depend_on_how_the_text_is_cut(
    name: str, text: str, cuts: list[int]
) -> None:
    borders = sorted({cut for cut in cuts if cut < len(text)} | {0, len(text)})
    pieces = [text[a:b] for a, b in pairwise(borders)]
    async with create(name) as filter_:
        whole = "".join([piece async for piece in filter_.apply(stream([text]))])
        assert "".join([piece async for piece in filter_.apply(stream(pieces))]) == whole
        assert "".join([piece async for piece in filter_.apply(stream(list(text)))]) == whole


@pytest.mark.parametrize("name", NAMES)
async def test_plain_words_pass_unchanged(name: str) -> None:
    text = "Hello there, my dear chat! It is 10:30, and 3.5 of you won 1,000 points. Is it fun?"
    assert await changed(name, [text]) == text
    assert await changed(name, list(text)) == text


@pytest.mark.parametrize("name", NAMES)
async def test_plain_words_pass_at_once(name: str) -> None:
    read: list[str] = []

    async def tokens() -> Stream[str]:
        for token in ["Good", " day", ",", " my", " lovely", " people", "."]:
            read.append(token)
            yield token

    async with create(name) as filter_:
        said = ""
        async for piece in filter_.apply(tokens()):
            said += piece
            assert said == "".join(read)


@pytest.mark.parametrize("name", NAMES)
async def test_expression_tags_are_left_alone(name: str) -> None:
    assert "[happy]" in await changed(name, ["Hi [happy] you [sad]"])
    assert "[sad]" in await changed(name, list("Hi [happy] you [sad]"))


@pytest.mark.parametrize("name", NAMES)
async def test_empty_reply_gives_nothing(name: str) -> None:
    assert await changed(name, []) == ""
    assert await changed(name, ["", ""]) == ""


@pytest.mark.parametrize("name", NAMES)
async def test_no_empty_piece_is_given(name: str) -> None:
    async with create(name) as filter_:
        pieces = stream(["", "*", "waves", "* ", "😀", "badword"])
        assert all([piece async for piece in filter_.apply(pieces)])


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_held_back_is_bounded(name: str) -> None:
    for endless in [
        "*" + "a " * 3000,
        "[" + "x" * 3000,
        "https://" + "y" * 3000,
        "<b" + "z" * 3000,
    ]:
        async with create(name) as filter_:
            read = 0

            async def letters(text: str = endless) -> Stream[str]:
                nonlocal read
                for letter in text:
                    read += 1
                    yield letter

            reply = filter_.apply(letters())
            await anext(reply)
            assert read <= 700
            await reply.aclose()


@pytest.mark.parametrize("name", NAMES)
async def test_closing_closes_the_source(name: str) -> None:
    closed = []

    async def endless() -> Stream[str]:
        try:
            while True:
                yield "Hello there. "
        finally:
            closed.append(True)

    async with create(name) as filter_:
        reply = filter_.apply(endless())
        await anext(reply)
        await reply.aclose()
    assert closed == [True]


@pytest.mark.parametrize("name", NAMES)
async def test_what_the_source_raises_comes_through(name: str) -> None:
    async def broken() -> Stream[str]:
        yield "Hello there. "
        raise LookupError("the mind is gone")

    async with create(name) as filter_:
        with pytest.raises(LookupError, match="the mind is gone"):
            async for _ in filter_.apply(broken()):
                pass


@pytest.mark.parametrize("name", NAMES)
async def test_two_replies_at_once_do_not_disturb_each_other(name: str) -> None:
    async with create(name) as filter_:
        one = filter_.apply(stream(list("It is *very* good, badword [x](http://y)")))
        other = filter_.apply(stream(list("<think>b a d w o r d</think> ```code")))
        said = ""
        async for piece in one:
            said += piece
            await anext(other, None)
        await other.aclose()
    assert said == await changed(name, ["It is *very* good, badword [x](http://y)"])


async def test_manager_runs_every_registered_filter_as_one_chain() -> None:
    manager = TextFilterManager()
    await manager.use([choice(name) for name in NAMES])
    pieces = stream(list("**Hello** there, you bad\u200bword! 😀"))
    said = "".join([piece async for piece in manager.apply(pieces)])
    assert said.startswith("Hello there, you bleep!")
    await manager.close()
