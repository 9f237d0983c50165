"""Whisper on this machine: the real engine, with a tiny model that the test makes itself."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from emulators.tiny_whisper import make_tiny_whisper
from requirements import need
from voxelle.audio import AudioFrame
from voxelle.operations.base import Transcript
from voxelle.operations.registry import command_for
from voxelle.operations.stt import faster_whisper as ear_module
from voxelle.operations.stt import whisper_models
from voxelle.operations.stt.faster_whisper import (
    Engine,
    FasterWhisperOptions,
    FasterWhisperSTT,
    choose_engine,
    is_believable,
)
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, STTError

pytestmark = pytest.mark.real_time
TINY = Path(__file__).parents[3] / "shared" / "fixtures" / "tiny-whisper"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "speaking", "stop the music")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOXELLE_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


def options_of(**options: Any) -> FasterWhisperOptions:
    wanted = {"device": "cpu", "download": False, "partial_s": 0, "workers": 1, **options}
    return FasterWhisperOptions.model_validate(wanted)


class Speaker:
    """Somebody who hums, and knows whether anybody still listens."""

    def __init__(self, seconds: float, *, loudness: float = 0.2, pace: float = 0.0) -> None:
        self.seconds, self.loudness, self.pace = seconds, loudness, pace
        self.is_closed = False

    async def hum(self) -> Stream[AudioFrame]:
        random = np.random.default_rng(1)
        try:
            for index in range(round(self.seconds / 0.02)):
                noise = (random.standard_normal(320) * self.loudness).astype(np.float32)
                yield AudioFrame(noise, 16_000, index * 0.02)
                await asyncio.sleep(0.02 * self.pace)
        finally:
            self.is_closed = True


async def hear(speaker: Speaker, **options: Any) -> list[Transcript]:
    async with FasterWhisperSTT(options_of(**options)) as ear:
        return [transcript async for transcript in ear.transcribe(speaker.hum())]


async def refused(**options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await FasterWhisperSTT(options_of(**options)).__aenter__()
    return str(caught.value)


async def test_words_come_out_of_the_real_engine(tiny: Path) -> None:
    speaker = Speaker(1.0)
    heard = await hear(speaker, model=str(tiny))
    assert heard[-1] == Transcript("stop the music", is_final=True)
    assert [transcript.is_final for transcript in heard].count(True) == 1
    assert speaker.is_closed


@pytest.mark.parametrize("name", ["mine", "faster-whisper-base"])
async def test_model_is_found_in_the_home(tiny: Path, home: Path, name: str) -> None:
    shutil.copytree(tiny, home / "models" / name)
    model = "base" if name.endswith("base") else name
    assert (await hear(Speaker(0.5), model=model))[-1].text == "stop the music"


async def test_words_to_listen_for_reach_the_model(tiny: Path) -> None:
    # The tiny model knows only positions, so four letters and a space before make it start late.
    heard = await hear(Speaker(0.5), model=str(tiny), words=["Iris"])
    assert heard[-1].text == "the music"


async def test_partials_come_while_the_person_speaks(tiny: Path) -> None:
    heard = await hear(Speaker(1.6, pace=0.7), model=str(tiny), partial_s=0.4)
    assert heard[0] == Transcript("stop the music", is_final=False)
    assert heard[-1] == Transcript("stop the music", is_final=True)


@pytest.mark.parametrize("speaker", [Speaker(0.0), Speaker(0.06), Speaker(2.0, loudness=0.0)])
async def test_silence_is_empty(tiny: Path, speaker: Speaker) -> None:
    assert await hear(speaker, model=str(tiny)) == [Transcript("", is_final=True)]


async def test_what_is_made_up_in_silence_is_not_believed(tmp_path: Path) -> None:
    model = make_tiny_whisper(tmp_path / "silent", "thank you", is_silent=True)
    assert (await hear(Speaker(1.0), model=str(model)))[-1] == Transcript("", is_final=True)


def segment(text: str, no_speech: float, logprob: float = -0.2, compression: float = 1.0) -> Any:
    return SimpleNamespace(
        text=text, no_speech_prob=no_speech, avg_logprob=logprob, compression_ratio=compression
    )


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        (segment(" Stop the music.", 0.1), True),
        (segment(" Stop the music.", 0.9), True),
        (segment(" Stop the music.", 0.9, logprob=-0.8), False),
        (segment(" Thank you.", 0.05), True),
        (segment(" Thank you.", 0.3), False),
        (segment(" Thanks for watching!", 0.3), False),
        (segment(" la la la la la la la", 0.1, compression=3.0), False),
    ],
)
async def test_only_what_somebody_probably_said_is_believed(said: Any, believed: bool) -> None:
    assert is_believable(said, 0.6) is believed


async def test_long_utterance_is_cut(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    speaker = Speaker(4.0)
    await hear(speaker, model=str(tiny), max_utterance_s=1.0)
    assert "too long" in caplog.text
    assert speaker.is_closed


async def test_loop_stays_awake_while_whisper_works(tiny: Path) -> None:
    loop = asyncio.get_running_loop()
    stalls: list[float] = []

    async def watch() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            stalls.append(loop.time() - before)

    async with FasterWhisperSTT(options_of(model=str(tiny))) as ear:
        watching = asyncio.create_task(watch())
        for _ in range(5):
            _ = [transcript async for transcript in ear.transcribe(Speaker(8.0).hum())]
        watching.cancel()
        await asyncio.wait([watching])
    # The machine of the tests is shared: the usual stall counts, not the worst one.
    assert float(np.median(stalls)) < 0.02


class SlowModel:
    """Stands for a loaded model that takes as long as the test wants."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.segments = 0

    def transcribe(self, samples: Any, **settings: Any) -> tuple[Any, None]:
        def segments() -> Any:
            for _ in range(100):
                self.segments += 1
                self.started.release()
                self.go_on.wait(5)
                yield segment("word", 0.0)

        return segments(), None


async def open_slow(monkeypatch: pytest.MonkeyPatch, **options: Any) -> FasterWhisperSTT:
    slow: Any = SlowModel()
    monkeypatch.setattr(ear_module, "load", lambda *_: slow)
    return await FasterWhisperSTT(options_of(**options)).__aenter__()


async def test_cancelled_transcription_frees_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = await open_slow(monkeypatch)
    slow: Any = ear._model
    speaker = Speaker(0.5)
    stream = ear.transcribe(speaker.hum())
    asking = asyncio.create_task(anext(stream))
    await asyncio.to_thread(slow.started.acquire)
    asking.cancel()
    await asyncio.wait([asking])
    await stream.aclose()
    assert speaker.is_closed
    assert ear._at_work == 1
    slow.go_on.set()
    await ear.__aexit__(None, None, None)
    assert ear._at_work == 0
    assert slow.segments <= 2


async def test_partials_do_not_queue_up_behind_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = await open_slow(monkeypatch, partial_s=0.1)
    slow: Any = ear._model
    first = asyncio.create_task(anext(ear.transcribe(Speaker(0.2).hum())))
    await asyncio.to_thread(slow.started.acquire)
    await asyncio.sleep(0.1)
    at_work = ear._at_work
    second = ear.transcribe(Speaker(2.0, pace=1.0).hum())
    asking = asyncio.create_task(anext(second))
    await asyncio.sleep(0.5)
    assert ear._at_work == at_work
    for task in (first, asking):
        task.cancel()
    await asyncio.wait([first, asking])
    slow.go_on.set()
    await ear.__aexit__(None, None, None)


async def test_closed_ear_says_so(tiny: Path) -> None:
    ear = FasterWhisperSTT(options_of(model=str(tiny)))
    with pytest.raises(STTError, match="not open"):
        await anext(ear.transcribe(Speaker(0.5).hum()))


@pytest.mark.parametrize("lost", ["tokenizer.json", "model.bin", "vocabulary.json"])
async def test_half_a_model_is_refused_at_once(tiny: Path, home: Path, lost: str) -> None:
    folder = shutil.copytree(tiny, home / "models" / "half")
    (folder / lost).unlink()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert f"{lost} missing" in await refused(model="half", download=True)
    assert loop.time() - begun < 3.0


@pytest.mark.parametrize("broken", ["tokenizer.json", "model.bin"])
async def test_broken_model_is_refused(tiny: Path, home: Path, broken: str) -> None:
    folder = shutil.copytree(tiny, home / "models" / "broken")
    (folder / broken).write_bytes(b"nonsense")
    assert "is not a Whisper model" in await refused(model="broken")


async def test_missing_model_names_what_is_there(tiny: Path, home: Path) -> None:
    shutil.copytree(tiny, home / "models" / "mine")
    said = await refused(model="yours")
    assert "there is no Whisper model 'yours'" in said
    assert "(there: mine)" in said
    assert "large-v3-turbo" in said
    assert "download is false" in await refused(model="tiny")
    assert "there is no Whisper model './nowhere'" in await refused(
        model="./nowhere", download=True
    )


async def test_wrong_device_and_compute_type_are_refused(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "NVIDIA card(s)" in await refused(model=str(tiny), device="cuda", device_index=99)
    said = await refused(model=str(tiny), compute_type="int3")
    assert "compute_type 'int3' does not work on the cpu" in said
    assert "float32" in said


async def test_unknown_language_is_refused(tiny: Path) -> None:
    assert "knows no language 'de': only en" in await refused(model=str(tiny), language="de")


@pytest.mark.parametrize(
    ("cards", "known", "options", "engine"),
    [
        (0, {"int8", "float32"}, {"device": "auto"}, Engine("cpu", "int8")),
        (0, {"float32"}, {"device": "auto"}, Engine("cpu", "float32")),
        (1, {"float16", "int8"}, {"device": "auto"}, Engine("cuda", "float16")),
        (1, {"int8_float32", "float32"}, {"device": "cuda"}, Engine("cuda", "int8_float32")),
        (1, {"float16", "int8"}, {"device": "cpu"}, Engine("cpu", "int8")),
        (1, {"int8"}, {"device": "auto", "device_index": 1}, Engine("cpu", "int8")),
    ],
)
async def test_device_and_precision_are_chosen_sensibly(
    cards: int,
    known: set[str],
    options: dict[str, Any],
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: cards)
    monkeypatch.setattr("ctranslate2.get_supported_compute_types", lambda device: known)
    assert choose_engine(options_of(**options)) == engine


async def test_card_that_does_not_work_is_left_for_the_cpu(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # There is said to be a card, and the first use of it shows that there is none.
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 1)
    types = {"int8", "float16", "float32"}
    monkeypatch.setattr("ctranslate2.get_supported_compute_types", lambda device: types)
    real = ear_module._open

    def broken_on_cuda(folder: Path, engine: Engine, options: Any) -> Any:
        if engine.device == "cuda":
            raise ConfigurationError("libcublas.so.12 is not found")
        return real(folder, engine, options)

    monkeypatch.setattr(ear_module, "_open", broken_on_cuda)
    heard = await hear(Speaker(0.5), model=str(tiny), device="auto")
    assert heard[-1].text == "stop the music"
    assert "runs on the CPU: libcublas" in caplog.text
    assert "libcublas" in await refused(model=str(tiny), device="cuda")


def fake_hub(tiny: Path, *, blocks: int = 50) -> Any:
    """A hub that hands out the tiny model and tells its progress as the real one does."""

    def snapshot_download(repository: str, **wanted: Any) -> str:
        assert repository == "Systran/faster-whisper-base.en"
        files = wanted["tqdm_class"](name="hub", desc="Fetching 5 files", total=5)
        bar = wanted["tqdm_class"](name="hub", desc="Bytes", total=0, unit="B", unit_scale=True)
        bar.total = blocks * 1_000_000
        for _ in range(blocks):
            bar.update(1_000_000)
        files.update(5)
        shutil.copytree(tiny, wanted["local_dir"])
        return str(wanted["local_dir"])

    return snapshot_download


async def test_known_size_is_downloaded_where_everybody_sees_it(
    tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake_hub(tiny))
    caplog.set_level(logging.INFO)
    heard = await hear(Speaker(0.5), model="base.en", download=True)
    assert heard[-1].text == "stop the music"
    assert (home / "models" / "faster-whisper-base.en" / "model.bin").is_file()
    told = [line for line in caplog.messages if "%" in line]
    assert told == [f"downloading base.en: {p} % of 50 MB" for p in range(10, 101, 10)]
    monkeypatch.delattr("huggingface_hub.snapshot_download")
    assert (await hear(Speaker(0.5), model="base.en", download=True))[-1].text == "stop the music"


async def test_download_without_a_network_is_refused_with_a_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> str:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    said = await refused(model="tiny.en", download=True)
    assert "Temporary failure in name resolution" in said
    assert "put the folder of the model there as faster-whisper-tiny.en" in said


async def test_stopped_download_ends_at_the_next_block(
    tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake_hub(tiny))
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedError):
        whisper_models.download_model("base.en", home / "models", stop)
    assert not (home / "models" / "faster-whisper-base.en").exists()


async def test_every_option_is_described() -> None:
    assert all(field.description for field in FasterWhisperOptions.model_fields.values())


@pytest.mark.parametrize(
    "line",
    [
        "what is your favorite song",
        "the dragon is very scary today",
        "can you tell me about the castle",
    ],
)
async def test_spoken_words_are_understood(tmp_path: Path, line: str) -> None:
    need("fixtures", TINY.is_dir(), f"the trained tiny Whisper is not in {TINY}")
    flite = shutil.which("flite")
    need("flite", flite is not None, "flite is not installed (Debian: apt install flite)")
    file = tmp_path / "line.wav"
    speaking = await asyncio.create_subprocess_exec(
        str(flite), "-voice", "rms", "-t", line, "-o", str(file)
    )
    assert await speaking.wait() == 0
    sound, rate = soundfile.read(file, dtype="float32")
    assert rate == 16_000

    async def utterance() -> Stream[AudioFrame]:
        for begin in range(0, len(sound), 320):
            yield AudioFrame(sound[begin : begin + 320], 16_000, begin / 16_000)

    async with FasterWhisperSTT(options_of(model=str(TINY))) as ear:
        heard = [transcript async for transcript in ear.transcribe(utterance())]
    assert heard[-1] == Transcript(line, is_final=True)


def test_missing_package_is_named_with_the_extra_and_a_fallback_stands_in(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, importlib.util as util\n"
        "from pathlib import Path\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'faster_whisper' else find(name, *a)\n"
        "from voxelle.config import load\n"
        "from voxelle.home import Home, examples\n"
        "from voxelle.operations.registry import Choice\n"
        "from voxelle.operations.stt.manager import STTManager\n"
        "from voxelle.server.app_server import AppServer\n"
        "try: STTManager.registry.create(Choice(id='faster_whisper'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "home, path = Home(examples()), Path(sys.argv[1]) / 'test.yaml'\n"
        "text = 'character: voxelle\\noperations:\\n' + ''.join(\n"
        "    f'  - {{role: {role}, id: {id}}}\\n' for role, id in [('stt', 'faster_whisper'),\n"
        "    ('stt', 'scripted'), ('t2t', 'offline'), ('tts', 'tone'), ('vad', 'energy')])\n"
        "path.write_text(text)\n"
        "async def main():\n"
        "    async with AppServer(load(path, home, {}), home) as core:\n"
        "        print(core.readiness.operations['stt'], core.readiness.is_ready)\n"
        "        print(core.readiness.notes['stt'])\n"
        "asyncio.run(main())\n"
        "path.write_text(text.replace('{role: stt, id: scripted}', '{role: vad, id: energy}'))\n"
        "try: load(path, home, {})\n"
        "except Exception as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    said = result.stdout
    assert "NotInstalledError" in said
    assert "scripted True" in said
    assert said.count(command_for("local")) == 3
