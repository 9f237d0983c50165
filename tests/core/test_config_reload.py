from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voxelle.config import Changed, Config, ConfigWatcher, Rejected, load, reload
from voxelle.config.reload import Outcome, changed_keys, needs_restart
from voxelle.home import Home

TEXT = """\
character: ada
scene: desk
instructions: short
operations:
  - {role: stt, id: scripted}
  - {role: t2t, id: scripted, reply: Hello.}
  - {role: tts, id: tone}
  - {role: vad, id: silero}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path.resolve())
    prompts = {
        "characters/ada.yaml": "name: Ada",
        "scenes/desk.md": "x",
        "instructions/short.md": "y",
    }
    for name, text in prompts.items():
        path = home.prompts / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    home.configs.mkdir()
    write(home, TEXT)
    return home


def write(home: Home, text: str) -> Path:
    """Save as editors do: into another file that then takes the old one's place."""
    path = home.configs / "test.yaml"
    other = path.with_suffix(".tmp")
    other.write_text(text, encoding="utf-8")
    other.replace(path)
    return path


def watcher(home: Home) -> ConfigWatcher:
    path = home.configs / "test.yaml"
    return ConfigWatcher(path, home, load(path, home))


async def test_a_good_change_is_taken_over_and_told_key_by_key(home: Home) -> None:
    watching = watcher(home)
    old = watching.config
    text = TEXT.replace("id: tone", "id: tone, pitch_hz: 300")
    write(home, text + "server: {port: 8000}\nconversation: {lead_s: 0.1}\n")
    outcome = await watching.reload()
    assert isinstance(outcome, Changed)
    assert outcome.keys == ("conversation.lead_s", "operations.tts", "server.port")
    assert outcome.needs_restart == ("server.port",)
    assert (outcome.old, outcome.new) == (old, watching.config)
    assert watching.config.server.port == 8000


async def test_a_change_with_mistakes_is_refused_and_the_old_config_stays(home: Home) -> None:
    watching = watcher(home)
    old = watching.config
    write(home, TEXT + "server: {port: 99999}\nlogging: {level: loud}\n")
    outcome = await watching.reload()
    assert isinstance(outcome, Rejected)
    assert len(str(outcome.error).splitlines()) == 3
    assert watching.config is old
    (home.configs / "test.yaml").unlink()
    assert isinstance(await watching.reload(), Rejected)
    assert watching.config is old


@pytest.mark.parametrize(
    "text", ["name: A\nborn: 2026-13-01", "about: " + "[" * 90_000, "name: !!int ''"]
)
async def test_a_character_that_is_no_plain_yaml_is_refused_and_the_old_config_stays(
    home: Home, text: str
) -> None:
    watching = watcher(home)
    (home.prompts / "characters" / "ada.yaml").write_text(text, encoding="utf-8")
    write(home, TEXT + "server: {port: 8000}\n")
    assert isinstance(await watching.reload(), Rejected)
    (home.prompts / "characters" / "ada.yaml").write_text("name: Ada", encoding="utf-8")
    assert isinstance(await watching.reload(), Changed)


async def test_a_failure_that_nobody_thought_of_is_refused_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, home: Home) -> Config:
        raise LookupError(path, home)

    watching = watcher(home)
    monkeypatch.setattr(reload, "load", fail)
    outcome = await watching.reload()
    assert isinstance(outcome, Rejected)
    assert "cannot be read: LookupError" in str(outcome.error)
    monkeypatch.undo()
    write(home, TEXT + "server: {port: 8000}\n")
    assert isinstance(await watching.reload(), Changed)


async def test_a_save_that_changes_nothing_is_not_told(home: Home) -> None:
    watching = watcher(home)
    write(home, "# a comment\n" + TEXT)
    assert await watching.reload() is None


async def test_a_refused_file_that_is_as_it_was_again_is_told_once(home: Home) -> None:
    watching = watcher(home)
    write(home, "character: [")
    assert isinstance(await watching.reload(), Rejected)
    write(home, TEXT)
    outcome = await watching.reload()
    assert outcome == Changed(watching.config, watching.config, (), ())
    assert await watching.reload() is None


async def test_what_was_added_or_taken_away_is_a_change_too(home: Home) -> None:
    path = home.configs / "test.yaml"
    old = load(path, home)
    write(home, TEXT.replace("{role: vad, id: silero}", "{role: vad, id: energy}")
          + "  - {role: filter_audio, id: limiter}\npatience: {tts: {tries: 3}}\n")  # fmt: skip
    new = load(path, home)
    assert changed_keys(old, new) == ("operations.filter_audio", "operations.vad", "patience.tts")
    assert changed_keys(new, old) == changed_keys(old, new)


def test_keys_know_whether_they_need_a_restart() -> None:
    assert needs_restart("server.port")
    assert needs_restart("logging.file_mb")
    assert not needs_restart("logging.level")
    assert not needs_restart("operations.tts")
    assert not needs_restart("nothing.at.all")


@pytest.mark.real_time
async def test_the_system_tells_of_saves_and_of_the_env_file(home: Home) -> None:
    text = TEXT + 'server: {host: 127.0.0.1, token: "${MY_TOKEN:-a-token-of-the-file}"}\n'
    write(home, text)
    watching = watcher(home)
    stop = asyncio.Event()
    told: asyncio.Queue[Outcome] = asyncio.Queue(10)

    async def follow() -> None:
        async for outcome in watching.changes(stop):
            await told.put(outcome)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await asyncio.sleep(0.5)  # until the system watches
        write(home, text + "logging: {level: debug}\n")
        first = await told.get()
        write(home, "character: [")
        second = await told.get()
        write(home, text + "logging: {level: debug}\n")
        (home.root / ".env").write_text("MY_TOKEN=a-token-of-the-environment\n", encoding="utf-8")
        third = await told.get()
        stop.set()
    assert isinstance(first, Changed)
    assert first.keys == ("logging.level",)
    assert isinstance(second, Rejected)
    assert "is not valid YAML" in str(second.error)
    assert isinstance(third, Changed)
    assert third.keys == ("server.token",)
