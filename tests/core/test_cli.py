from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from emulators.fake_openai.server import FakeOpenAI
from requirements import need
from voxelle.cli import app
from voxelle.cli.making import slug_of
from voxelle.cli.talking import lines
from voxelle.cli.witness import Answer, Witness
from voxelle.events import (
    Member,
    Notice,
    SpeechEnded,
    SpeechStarted,
    StateChanged,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
)
from voxelle.home import examples
from voxelle.prompter.character import load_character
from voxelle.utils.exceptions import ValidationError

SPEECH = Path(__file__).parents[3] / "shared" / "fixtures" / "speech"

pytestmark = pytest.mark.real_time  # every command has an event loop and a log thread of its own

TONES = """\
character: voxelle
operations:
  - {role: stt, id: scripted}
  - {role: t2t, id: scripted, reply: "[happy] Nice to hear from you. Shall we go on?"}
  - {role: tts, id: tone}
  - {role: vad, id: energy}
  - {role: filter_audio, id: limiter}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new, empty home, furnished by the first command."""
    root = tmp_path / "my höme"
    monkeypatch.setenv("VOXELLE_HOME", str(root))
    call("check", "--no-open")
    (root / "configs" / "tones.yaml").write_text(TONES, encoding="utf-8")
    return root


def call(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=text)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours


def data(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def voice(path: Path, seconds: float = 1.5, rate: int = 44_100, channels: int = 2) -> Path:
    """A hum that comes and goes, between silences: a voice for a detector that counts energy."""
    at = np.arange(round(seconds * rate)) / rate
    hum = 0.4 * np.sin(2 * np.pi * 180 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at))
    quiet = np.random.default_rng(1).normal(0, 0.0005, rate)
    sound = np.concatenate([quiet, hum, quiet, quiet])
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate)
    return path


def test_help_answers_at_once_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, voxelle.cli; "
        "print([m for m in ('numpy', 'pydantic', 'fastapi', 'openai') if m in sys.modules])"
    )
    result = program("-c", code)
    assert result.stdout.strip() == "[]"
    start = time.perf_counter()
    result = program("-m", "voxelle", "--help")
    assert time.perf_counter() - start < 5  # 0.25 s on a quiet machine
    assert all(name in result.stdout for name in ("run", "check", "say", "hear", "talk", "new"))


def test_threads_of_numpy_are_limited_before_it_is_imported() -> None:
    code = (
        "import os, sys; sys.argv = ['voxelle', '--help']\n"
        "from voxelle.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])"
    )
    result = program("-c", code)
    assert result.stdout.splitlines()[-1] == "1 1"


def test_the_first_command_furnishes_an_empty_home(home: Path) -> None:
    assert (home / "configs" / "default.yaml").read_bytes() == (
        examples() / "configs" / "default.yaml"
    ).read_bytes()
    assert (home / "prompts" / "characters" / "voxelle.yaml").is_file()


def test_check_tells_every_part_and_ends_with_0(home: Path) -> None:
    result = call("check", "--config", "tones", "--json")
    findings = {finding["part"]: finding["state"] for finding in data(result)["findings"]}
    assert result.exit_code == 0, result.output
    for part in ("config", "packages", "stt scripted", "tts tone", "filter_audio limiter"):
        assert findings[part] == "ok"
    assert "no mistakes" in call("check", "-c", "tones", "--no-open").stdout


def test_check_ends_with_3_for_a_wrong_config_and_names_the_mistakes(home: Path) -> None:
    (home / "configs" / "bad.yaml").write_text(TONES + "server: {port: 99999}\nx: 1\n")
    result = call("check", "-c", "bad", "--json")
    assert result.exit_code == 3
    (config,) = [f for f in data(result)["findings"] if f["part"] == "config"]
    assert "2 mistakes in configs/bad.yaml" in config["sentence"]


def test_check_ends_with_1_if_a_provider_does_not_open(home: Path) -> None:
    text = TONES.replace(
        "{role: tts, id: tone}", "{role: tts, id: openai, api_key_env: NO_KEY_HERE}"
    )
    (home / "configs" / "keyless.yaml").write_text(text)
    result = call("check", "-c", "keyless", "--json")
    assert result.exit_code == 1
    (voice_,) = [f for f in data(result)["findings"] if f["part"] == "tts openai"]
    assert "NO_KEY_HERE" in voice_["sentence"]


def openai_mind(home: Path, base_url: str, model: str = "fake-chat") -> None:
    mind = f"{{role: t2t, id: openai, base_url: '{base_url}', model: {model}}}"
    lines = [line for line in TONES.splitlines() if "t2t" not in line]
    text = "\n".join([*lines, f"  - {mind}", "  - {role: t2t, id: offline}"]) + "\n"
    (home / "configs" / "server.yaml").write_text(text, encoding="utf-8")


def mind_of(result: Result) -> dict[str, str]:
    (found,) = [f for f in data(result)["findings"] if f["part"] == "t2t openai"]
    return cast(dict[str, str], found)


def test_check_says_that_a_server_does_not_answer(home: Path) -> None:
    openai_mind(home, "http://127.0.0.1:9/v1")
    result = call("check", "-c", "server", "--json")
    found = mind_of(result)
    assert found["state"] == "note"
    assert "http://127.0.0.1:9/v1" in found["sentence"]
    assert result.exit_code == 0


async def test_check_asks_a_server_for_the_model(home: Path) -> None:
    async with FakeOpenAI() as fake:

        async def check(model: str) -> dict[str, str]:
            openai_mind(home, fake.base_url, model)
            return mind_of(await asyncio.to_thread(call, "check", "-c", "server", "--json"))

        wanted = fake.settings.models[0]
        assert (await check(wanted))["state"] == "ok"
        found = await check("no-such-model")
        assert found["state"] == "note"
        assert (
            f"has no model 'no-such-model'; it has fake-stt, {wanted}, fake-tts"
            in found["sentence"]
        )


def test_an_unknown_config_ends_with_3_and_names_the_others(home: Path) -> None:
    for name in ("nobody", "../../etc/passwd", "/etc/passwd"):
        result = call("say", "hi", "-c", name)
        assert result.exit_code == 3
        assert "known: default, local, openai, tones" in result.stderr  # and not safety


def test_a_config_is_found_in_whatever_case_its_name_is_given(home: Path) -> None:
    call("new", "Mika")
    assert call("check", "-c", "Mika", "--no-open").exit_code == 0


def test_the_version_is_told() -> None:
    assert call("--version").stdout == f"voxelle {version('voxelle')}\n"


def test_say_tells_that_a_fallback_stood_in(home: Path, tmp_path: Path) -> None:
    dead = "{role: tts, id: openai, base_url: 'http://127.0.0.1:9/v1', model: a, voice: b}"
    text = TONES.replace("  - {role: tts, id: tone}", f"  - {dead}\n  - {{role: tts, id: tone}}")
    (home / "configs" / "dead.yaml").write_text(text, encoding="utf-8")
    arguments = ("say", "one two", "-c", "dead", "-o", str(tmp_path / "a.wav"))
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer = data(result)
    assert answer["voice"] == "tone"
    assert answer["seconds"] == round(answer["seconds"], 3)
    (sentence,) = answer["stood_in"]
    assert sentence.startswith("tts openai did not work because the voice at http://127.0.0.1:9/v1")
    assert sentence.endswith("; tone stood in")
    assert sentence in call(*arguments).stderr


def test_providers_are_listed_with_their_options(home: Path) -> None:
    result = call("providers", "tts", "--json")
    espeak = next(each for each in data(result)["providers"] if each["id"] == "espeak")
    assert espeak["options"]["rate"]["default"] == 175
    assert espeak["options"]["rate"]["description"]
    assert "tts espeak" in call("providers").stdout
    said = " ".join(call("providers", "t2t").stdout.split())
    assert "headers empty" in said
    assert "reply needed" in said  # by the scripted mind
    assert call("providers", "singer").exit_code == 2


def test_the_schema_is_json(home: Path) -> None:
    assert json.loads(call("schema").stdout)["title"] == "A config of Voxelle"


def test_say_writes_what_the_voice_says(home: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac"):
        out = tmp_path / name
        result = call("say", "one two three four", "-o", str(out), "-c", "tones", "--json")
        assert result.exit_code == 0, result.output
        sound, rate = soundfile.read(out)
        assert rate == 24_000
        assert len(sound) / rate == pytest.approx(data(result)["seconds"], abs=0.001)
        assert np.abs(sound).max() > 0.01
    result = call("say", "-", "-o", str(tmp_path / "c.wav"), "-c", "tones", text="from the input")
    assert result.exit_code == 0
    assert "c.wav" in result.stdout


@pytest.mark.parametrize(
    ("text", "out", "says"),
    [
        (" ", "a.wav", "the text must have 1 to 20000 characters"),
        ("hi", "a.mp3", "must end in .wav or .flac"),
        ("hi", "no/such/folder/a.wav", "there is no folder"),
    ],
)
def test_say_tells_in_one_sentence_what_is_wrong(
    home: Path, tmp_path: Path, text: str, out: str, says: str
) -> None:
    result = call("say", text, "-o", str(tmp_path / out), "-c", "tones")
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / out).exists()
    assert "Traceback" in (home / "logs" / "voxelle.log").read_text(encoding="utf-8")


def test_hear_finds_the_utterances_of_a_recording(home: Path, tmp_path: Path) -> None:
    result = call("hear", str(voice(tmp_path / "a.wav")), "-c", "tones", "--json")
    assert result.exit_code == 0, result.output
    (heard,) = data(result)["utterances"]
    assert 0.4 < heard["start"] < 1.1
    assert 1.2 < heard["seconds"] < 3.2


def make_folder(path: Path) -> None:
    path.mkdir()


def write_nan(path: Path) -> None:
    soundfile.write(path, np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")


def write_nothing(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("a.wav", lambda path: path.write_bytes(b""), "is empty: it has no bytes at all"),
    ("b.wav", write_nothing, "is empty: it has a header and no sound"),
    ("c.wav", lambda path: path.write_bytes(b"RIFFxxxx"), "cannot be read as sound"),
    ("d.flac", lambda path: path.write_bytes(b"\xff" * 999), "cannot be read as sound"),
    ("e.wav", write_nan, "holds samples that are no numbers"),
    ("f.wav", lambda path: None, "there is no file"),
    ("h.wav", make_folder, "is a folder: give one recording in it at a time"),
    ("g.raw", lambda path: path.write_bytes(b"\0"), "is empty: it has a header and no sound"),
]


@pytest.mark.parametrize(("name", "write", "says"), BROKEN)
@pytest.mark.parametrize("command", ["hear", "talk"])
def test_a_broken_recording_is_told_in_one_sentence(
    home: Path, tmp_path: Path, command: str, name: str, write: Callable[[Path], object], says: str
) -> None:
    write(tmp_path / name)
    out = ["-o", str(tmp_path / "reply.wav")] if command == "talk" else []
    result = call(command, str(tmp_path / name), *out, "-c", "tones")
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_a_recording_of_silence_has_nobody_in_it(home: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(32_000), 16_000)
    assert "Nobody speaks" in call("hear", str(tmp_path / "quiet.wav"), "-c", "tones").stdout
    result = call("talk", str(tmp_path / "quiet.wav"), "-c", "tones", "-o", str(tmp_path / "r.wav"))
    assert result.exit_code == 2
    assert "no voice was heard" in result.stderr
    assert not (tmp_path / "r.wav").exists()


def test_talk_plays_a_turn_and_tells_its_timeline(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "reply.wav"
    recording = voice(tmp_path / "a.wav")
    result = call("talk", str(recording), "-o", str(out), "-c", "tones", "--json")
    assert result.exit_code == 0, result.output
    answer = data(result)["answers"][0]
    assert answer["spoken"] == "Nice to hear from you. Shall we go on?"
    assert answer["reason"] == "finished"
    moments = answer["timeline"]
    assert {"end of speech", "turn decided", "transcript final", "first token"} <= set(moments)
    assert {"first clause", "first audio", "last audio"} <= set(moments)
    assert moments["end of speech"] == 0
    assert 0 <= moments["turn decided"] <= moments["first audio"] < moments["last audio"]
    sound, rate = soundfile.read(out)
    assert len(sound) / rate == pytest.approx(answer["seconds"], abs=0.05)
    assert moments["last audio"] - moments["first audio"] == pytest.approx(
        answer["seconds"], abs=0.1
    )


async def test_talk_waits_for_an_answer_while_somebodys_words_are_not_understood() -> None:
    ann = Member(platform="recording", id="speaker", name="Friend")
    witness = Witness(cast(Any, None))  # it reports to its room only when it plays

    def take(*notices: Notice) -> None:
        for notice in notices:
            witness.take(notice)

    def understood(text: str) -> Notice:
        return TranscriptUpdated(member=ann, text=text, is_final=True)

    take(StateChanged(state="idle"), SpeechStarted(member=ann), StateChanged(state="listening"))
    take(SpeechEnded(member=ann, seconds=1.0), StateChanged(state="thinking"))
    take(understood("my fellow"), TurnStarted(turn=1, source="voice"))
    take(StateChanged(state="speaking", turn=1), SpeechStarted(member=ann))
    take(TurnEnded(turn=1, reason="interrupted", heard="Hey", unheard="there, Friend."))
    take(StateChanged(state="listening"))
    assert not witness.is_done(5.0)  # a pause that may not be the end
    take(SpeechEnded(member=ann, seconds=2.0), StateChanged(state="thinking"))
    assert not witness.is_done(5.0)  # the ear is still writing
    take(understood("Americans"), TurnStarted(turn=2, source="voice"))
    assert not witness.is_done(5.0)
    take(StateChanged(state="speaking", turn=2))
    take(TurnEnded(turn=2, reason="finished", heard="Indeed."), StateChanged(state="idle"))
    assert not witness.is_done(0.5)
    assert witness.is_done(1.1)
    assert [answer.question for answer in witness.answers] == ["my fellow", "Americans"]
    first = witness.answers[0].facts()
    assert (first["spoken"], first["unheard"]) == ("Hey", "there, Friend.")


def test_talk_tells_the_last_answer_and_what_nobody_heard(home: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(voice(tmp_path / "a.wav", channels=1))
    quiet = len(sound) - 2 * rate
    # Somebody speaks, waits for her first words, speaks over them, and the recording ends at once.
    soundfile.write(
        tmp_path / "b.wav", np.concatenate([sound[:quiet], sound[: rate // 2], sound[:quiet]]), rate
    )
    result = call(
        "talk", str(tmp_path / "b.wav"), "-c", "tones", "-o", str(tmp_path / "r.wav"), "--json"
    )
    assert result.exit_code == 0, result.output
    answers = data(result)["answers"]
    assert answers[-1]["reason"] == "finished"
    assert answers[-1]["spoken"] == "Nice to hear from you. Shall we go on?"
    told = Answer(1, 0.0, "Hi.", "Nice to", "hear from you.", "interrupted")
    assert lines(told) == [
        "heard:   Hi.",
        "spoken:  Nice to (interrupted)",
        "unheard: hear from you.",
    ]


def test_a_real_recording_is_answered_offline(home: Path, tmp_path: Path) -> None:
    need("speech", (SPEECH / "goforward.raw").is_file(), "no recordings beside the repository")
    result = call("talk", str(SPEECH / "goforward.raw"), "-o", str(tmp_path / "r.wav"), "--json")
    assert result.exit_code == 0, result.output
    (answer,) = data(result)["answers"]
    assert answer["heard"] == "go forward ten meters"
    assert answer["seconds"] > 0.5


def test_new_makes_a_character_that_works_and_replaces_nothing(home: Path) -> None:
    result = call("new", "Lady Ö'Hara", "--json")
    assert result.exit_code == 0, result.output
    assert data(result)["character"] == "lady-o-hara"
    assert call("check", "-c", "lady-o-hara", "--no-open").exit_code == 0
    again = call("new", "Lady O Hara")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert call("new", "<script>").exit_code == 2
    with pytest.raises(ValidationError, match="no letter from a to z"):
        slug_of("日本")


def test_new_imports_a_character_card(home: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    book = {"entries": [{"keys": ["gear"], "content": "Gears are friends.", "enabled": True}]}
    about = {"name": "Tick", "description": "{{char}} mends clocks.", "first_mes": "Tock."}
    card.write_text(
        json.dumps({"spec": "chara_card_v2", "data": {**about, "character_book": book}}),
        encoding="utf-8",
    )
    result = call("new", "Clara", "--card", str(card), "--json")
    assert result.exit_code == 0, result.output
    character = load_character(home / "prompts" / "characters", "clara")
    assert character.name == "Clara"
    assert "mends clocks" in character.about
    assert "Gears are friends." in character.about
    assert call("check", "-c", "clara", "--no-open").exit_code == 0


def test_card_that_is_none_ends_with_a_sentence(home: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.png"
    card.write_bytes(b"no picture")
    result = call("new", "Clara", "--card", str(card))
    assert result.exit_code == 2
    assert "card.png: " in result.stderr
    assert call("new", "Clara", "--card", str(tmp_path / "none.png")).exit_code == 2


def test_a_home_that_cannot_be_written_to_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("VOXELLE_HOME", str(tmp_path / "file" / "home"))
    result = call("check")
    assert result.exit_code == 3
    assert "set VOXELLE_HOME to another folder" in result.stderr


def test_wrong_usage_ends_with_2() -> None:
    assert call("sing").exit_code == 2
    assert call("run", "--port", "99999").exit_code == 2


def test_run_refuses_to_be_open_to_strangers(home: Path) -> None:
    result = call("run", "-c", "tones", "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert result.exit_code == 3
    assert "a token is needed" in result.stderr
