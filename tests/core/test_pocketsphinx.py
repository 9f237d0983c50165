"""pocketsphinx in its worker processes, on recordings of people."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts.providers import need_package
from requirements import need
from voxelle.audio import EAR_RATE, AudioFrame, Samples, resample
from voxelle.operations.base import Transcript
from voxelle.operations.registry import Choice, command_for
from voxelle.operations.stt.manager import STTManager
from voxelle.operations.stt.pocketsphinx_worker import Ears
from voxelle.operations.stt.pronunciation import PHONES, guess
from voxelle.processes.serving import Request, Server, Turn
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, STTError

need_package("pocketsphinx", "pocketsphinx")
pytestmark = pytest.mark.real_time

SPEECH = Path(__file__).parents[3] / "shared" / "fixtures" / "speech"
JFK = "and so my fellow americans ask not what your country can do for you"
SAID = {
    "goforward.raw": "go forward ten meters",
    "lk_weather.wav": "what is the weather in paris",
    "jfk.flac": f"{JFK} ask what you can do for your country",
    "austen-0880.wav": "he was not an ill disposed young man",
}


@pytest.fixture
async def ear() -> AsyncIterator[STTManager]:
    manager = STTManager()
    await manager.use([Choice(id="pocketsphinx")])
    yield manager
    await manager.close()


def recording(name: str) -> Samples:
    path: Path = SPEECH / name
    need("fixtures", path.is_file(), f"{name} is not there (../shared/fixtures/speech)")
    if path.suffix == ".raw":
        return np.fromfile(path, "<i2").astype(np.float32) / np.float32(32768)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(samples.mean(axis=1), rate, EAR_RATE)


async def frames(samples: Samples, *, hang: bool = False) -> Stream[AudioFrame]:
    for first in range(0, len(samples), 320):
        yield AudioFrame(samples[first : first + 320], EAR_RATE, first / EAR_RATE)
        await asyncio.sleep(0)
    if hang:
        await asyncio.Event().wait()


async def hear(ear: STTManager, samples: Samples) -> list[Transcript]:
    async with aclosing(ear.transcribe(frames(samples))) as transcripts:
        return [transcript async for transcript in transcripts]


def errors(heard: str, said: str) -> int:
    """How many words were wrong, left out or made up."""
    ours, theirs = heard.split(), said.split()
    row = list(range(len(ours) + 1))
    for count, word in enumerate(theirs, 1):
        before, row[0] = row[0], count
        for index, other in enumerate(ours, 1):
            cost = min(row[index] + 1, row[index - 1] + 1, before + (word != other))
            before, row[index] = row[index], cost
    return row[-1]


async def test_two_words_of_three_are_understood(ear: STTManager) -> None:
    wrong = total = 0
    for name, said in SAID.items():
        wrong += errors((await hear(ear, recording(name)))[-1].text, said)
        total += len(said.split())
    assert wrong / total < 0.33  # measured: 0.18 for these four


async def test_clear_commands_are_understood_to_the_word(ear: STTManager) -> None:
    assert (await hear(ear, recording("goforward.raw")))[-1].text == "go forward ten meters"


async def test_partials_come_while_the_person_still_speaks(ear: STTManager) -> None:
    async with aclosing(
        ear.transcribe(frames(recording("goforward.raw"), hang=True))
    ) as transcripts:
        first = await asyncio.wait_for(anext(transcripts), 20)
    assert not first.is_final
    assert first.text


async def test_words_do_not_depend_on_who_spoke_before(ear: STTManager) -> None:
    names = ["lk_weather.wav", "goforward.raw", "austen-0880.wav", "goforward.raw"]
    given = [(await hear(ear, recording(name)))[-1].text for name in names]
    assert given[1] == given[3] == SAID["goforward.raw"]
    assert (await hear(ear, recording("austen-0880.wav")))[-1].text == given[2]


async def test_two_people_do_not_mix(ear: STTManager) -> None:
    names = ["goforward.raw", "lk_weather.wav"] * 2
    given = await asyncio.gather(*(hear(ear, recording(name)) for name in names))
    for name, transcripts in zip(names, given, strict=True):
        assert errors(transcripts[-1].text, SAID[name]) <= 1


async def test_soft_speech_is_understood_like_loud_speech(ear: STTManager) -> None:
    samples = recording("goforward.raw")
    heard = (await hear(ear, samples * np.float32(0.3)))[-1].text
    assert errors(heard, SAID["goforward.raw"]) <= 1


async def test_utterance_that_is_too_long_ends_where_it_may() -> None:
    ear = STTManager()
    await ear.use([Choice.model_validate({"id": "pocketsphinx", "max_s": 2})])
    try:
        async with aclosing(
            ear.transcribe(frames(recording("jfk.flac"), hang=True))
        ) as transcripts:
            given = [transcript async for transcript in transcripts]
    finally:
        await ear.close()
    assert given[-1].is_final
    assert "country" not in given[-1].text


async def test_ear_comes_back_after_its_process_died(ear: STTManager) -> None:
    worker = ear.provider._workers[0]  # type: ignore[attr-defined] # the process behind it
    os.kill(worker.pid, signal.SIGTERM)
    await asyncio.sleep(0.2)
    assert (await hear(ear, recording("goforward.raw")))[-1].text == "go forward ten meters"


async def test_death_in_the_midst_of_an_utterance_is_told(ear: STTManager) -> None:
    worker = ear.provider._workers[0]  # type: ignore[attr-defined] # the process behind it
    async with aclosing(
        ear.transcribe(frames(recording("goforward.raw"), hang=True))
    ) as transcripts:
        await anext(transcripts)
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(STTError, match="pocketsphinx"):
            async for _ in transcripts:
                pass


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"words": {"voxelle": "V OO K"}}, "unknown sounds: OO"),
        ({"words": {"東京": ""}}, "needs a pronunciation"),
        ({"words": {"two words": "T UW"}}, "words"),
        ({"workers": 0}, "workers"),
        ({"max_s": 4_000}, "max_s"),
    ],
)
async def test_wrong_options_are_named(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        await STTManager().use([Choice.model_validate({"id": "pocketsphinx", **options})])


async def test_words_without_a_pronunciation_are_taken() -> None:
    ear = STTManager()
    words = {"mika": "", "hello": "HH AH L OW", "Zyntharia": ""}
    await ear.use([Choice.model_validate({"id": "pocketsphinx", "words": words})])
    assert (await hear(ear, recording("goforward.raw")))[-1].text == "go forward ten meters"
    await ear.close()


def test_missing_package_is_named_with_the_extra() -> None:
    code = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'pocketsphinx' else find(name, *a)\n"
        "from voxelle.operations.registry import Choice\n"
        "from voxelle.operations.stt.manager import STTManager\n"
        "try: STTManager.registry.create(Choice(id='pocketsphinx'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert "NotInstalledError" in result.stdout
    assert command_for("pocketsphinx") in result.stdout


@pytest.mark.parametrize(
    ("word", "phones"),
    [("mika", "M IH K AH"), ("luke", "L UW K"), ("shane", "SH EY N"), ("bella", "B EH L AH")],
)
def test_names_are_guessed_sensibly(word: str, phones: str) -> None:
    assert guess(word) == phones


@pytest.mark.parametrize("word", ["xyz", "Ægir", "o'brien", "rhythm", "queueing", "bbbb", "y"])
def test_guesses_are_sounds_of_the_model(word: str) -> None:
    assert guess(word)
    assert set(guess(word).split()) <= PHONES
    assert not re.search(r"\d", guess(word))


def test_who_waits_longest_for_a_decoder_gets_it_and_nobody_pushes_in() -> None:
    server = Server(lambda request: iter(()), 0, 1)
    first, second, third, late = (Request(number, {}, server) for number in range(1, 5))
    ears = Ears({}, most=1)
    taken = ears.take(first)
    assert taken is not None
    assert [ears.take(second), ears.take(third)] == [None, None]
    for request in (second, third):
        request.turn = Turn.SLEEP
        request.begin_turn()
    ears.give_back(taken)
    assert [second.may_run, third.may_run] == [True, False]
    assert ears.take(late) is None
    ears.leave(second)  # it was cancelled just now
    assert third.may_run
    assert ears.take(third) is taken
    ears.give_back(taken)
    assert ears.take(late) is taken
