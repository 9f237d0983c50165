"""espeak-ng in its worker process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

from contracts.providers import need_package
from voxelle.audio import AudioFrame
from voxelle.operations.registry import Choice, command_for
from voxelle.operations.tts.espeak_worker import PIECE, Words, pieces
from voxelle.operations.tts.lines import plain
from voxelle.operations.tts.manager import TTSManager
from voxelle.utils.exceptions import ConfigurationError, ValidationError

need_package("espeakng_loader", "espeak")
pytestmark = pytest.mark.real_time


@pytest.fixture
async def voice() -> AsyncIterator[TTSManager]:
    manager = TTSManager()
    await manager.use([Choice(id="espeak")])
    yield manager
    await manager.close()


async def spoken(voice: TTSManager, line: str) -> list[AudioFrame]:
    async with aclosing(voice.speak(line)) as stream:
        return [frame async for frame in stream]


async def with_options(line: str, **options: object) -> list[AudioFrame]:
    manager = TTSManager()
    await manager.use([Choice.model_validate({"id": "espeak", **options})])
    try:
        return await spoken(manager, line)
    finally:
        await manager.close()


def seconds(frames: list[AudioFrame]) -> float:
    return sum(frame.seconds for frame in frames)


def words(frames: list[AudioFrame]) -> list[tuple[str, int]]:
    marks = [mark for frame in frames for mark in frame.marks]
    return [(mark.text, mark.at) for mark in marks if mark.kind == "word"]


async def test_every_word_and_its_phonemes_are_marked(voice: TTSManager) -> None:
    frames = await spoken(voice, "Hello there, this is Voxelle!")
    assert {frame.rate for frame in frames} == {22_050}
    assert words(frames) == [
        ("Hello", 0),
        ("there,", 6),
        ("this", 13),
        ("is", 18),
        ("Voxelle!", 21),
    ]
    marks = [mark for frame in frames for mark in frame.marks if mark.kind == "phoneme"]
    assert "".join(mark.text for mark in marks).startswith("həlˈoʊ")
    assert marks[-1].start > 1.0


async def test_places_are_counted_in_characters_and_not_in_bytes(voice: TTSManager) -> None:
    line = "Größe naïve 😀 words — text"
    assert [(word, at) for word, at in words(await spoken(voice, line)) if word != "—"] == [
        (word, line.index(word)) for word in ("Größe", "naïve", "😀", "words", "text")
    ]


async def test_places_go_on_in_long_lines(voice: TTSManager) -> None:
    line = " ".join(f"Sentence number {n} is here." for n in range(60))
    frames = await spoken(voice, line)
    found = words(frames)
    assert len(line) > 4 * PIECE
    assert len(found) >= 290
    assert all(line[at : at + len(word)] == word for word, at in found)
    last = [mark for frame in frames for mark in frame.marks if mark.kind == "word"][-1]
    assert seconds(frames) - 3 < last.start < seconds(frames)


async def test_markup_is_read_and_not_obeyed(voice: TTSManager) -> None:
    assert seconds(await spoken(voice, "<break time='60s'/>")) < 10
    assert seconds(await spoken(voice, "a\x01900s b")) < 10


async def test_options_change_the_voice() -> None:
    line = "This is a line of a few words."
    slow, quick = await with_options(line, rate=100), await with_options(line, rate=350)
    assert seconds(slow) > 1.8 * seconds(quick)
    quiet, loud = await with_options(line, volume=20), await with_options(line, volume=150)

    def level(frames: list[AudioFrame]) -> float:
        return float(np.abs(np.concatenate([one.samples for one in frames])).mean())

    assert level(loud) > 3 * level(quiet)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"voice": "nonsense"}, "no voice 'nonsense'; it has .*en-us"),
        ({"variant": "zz9"}, "no variant 'zz9'; it has "),
        ({"voice": "../../etc"}, "voice"),
        ({"rate": 9_999}, "rate"),
        ({"pitch": -1}, "pitch"),
    ],
)
async def test_wrong_options_are_named(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        await with_options("x", **options)


async def test_line_that_is_too_long_is_refused(voice: TTSManager) -> None:
    with pytest.raises(ValidationError, match="5001 characters"):
        await spoken(voice, "x" * 5_001)


async def test_voice_comes_back_after_its_process_died(voice: TTSManager) -> None:
    worker = voice.provider._worker  # type: ignore[attr-defined] # the process behind it
    before = worker.pid
    os.kill(before, signal.SIGTERM)
    await asyncio.sleep(0.2)
    assert seconds(await spoken(voice, "Still here.")) > 0.3
    assert worker.pid != before


async def test_short_line_need_not_wait_for_a_long_one(voice: TTSManager) -> None:
    long = asyncio.create_task(spoken(voice, "many words. " * 400))
    await asyncio.sleep(0.02)
    await spoken(voice, "Hi.")
    assert not long.done()
    assert seconds(await long) > 60


def test_this_process_never_loads_the_library() -> None:
    code = (
        "import sys, voxelle.operations.tts.espeak, voxelle.operations.tts.manager\n"
        "assert 'espeakng_loader' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code


def test_missing_package_is_named_with_the_extra() -> None:
    code = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'espeakng_loader' else find(name, *a)\n"
        "from voxelle.operations.registry import Choice\n"
        "from voxelle.operations.tts.manager import TTSManager\n"
        "try: TTSManager.registry.create(Choice(id='espeak'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert "NotInstalledError" in result.stdout
    assert command_for("espeak") in result.stdout


@pytest.mark.parametrize("text", ["", "short", "x" * 1_000, "One. Two! " * 90, "word " * 300])
def test_pieces_join_to_the_text(text: str) -> None:
    cut = list(pieces(text))
    assert "".join(piece for _, piece in cut) == text
    assert all(text[at : at + len(piece)] == piece for at, piece in cut)
    assert all(len(piece) <= PIECE for _, piece in cut)


def test_words_are_found_once_and_in_order() -> None:
    known = Words("one  two three")
    assert known.find(0) == (0, 3)
    assert known.find(1) is None  # again the first
    assert known.find(4) is None  # a blank
    assert known.find(11) == (9, 14)
    assert known.find(5) is None  # back


def test_plain_keeps_the_length() -> None:
    line = "a\0b\x01c\ud800d😀é"
    assert plain(line) == "a b c d😀é"
    assert json.dumps(plain(line)).encode()
