"""The core as a whole, with real operations that need nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from voxelle.client import Client, connect
from voxelle.config import Changed, Config, load
from voxelle.config.reload import changed_keys
from voxelle.events import (
    JoinRoom,
    Member,
    Notice,
    StateChanged,
    TextReceived,
    TurnEnded,
    TurnStarted,
)
from voxelle.home import Home
from voxelle.server.app_server import AppServer, serve
from voxelle.server.listen import open_port, serving

pytestmark = pytest.mark.real_time

ANN = Member(platform="test", id="ann", name="Ann")

QUIET = """
character: iris
operations:
  - {role: stt, id: scripted}
  - {role: t2t, id: MIND}
  - {role: tts, id: tone}
  - {role: vad, id: energy}
"""


def make_home(tmp_path: Path, config: str = QUIET, mind: str = "offline") -> tuple[Home, Path]:
    """Write a small home and its config."""
    for folder, name, text in [
        ("characters", "iris.yaml", "name: Iris\nabout: A cheerful co-host.\n"),
        ("characters", "orin.yaml", "name: Orin\nabout: A calm co-host.\n"),
        ("scenes", "cohost.md", "You co-host a stream."),
        ("instructions", "default.md", "Speak in short sentences."),
    ]:
        place = tmp_path / "prompts" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    path = tmp_path / "configs" / "test.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(config.replace("MIND", mind), encoding="utf-8")
    return Home(tmp_path), path


def load_home(tmp_path: Path, config: str = QUIET, mind: str = "offline") -> tuple[Config, Home]:
    home, path = make_home(tmp_path, config, mind)
    return load(path, home, {}), home


async def until(client: Client, kind: type[Notice]) -> Any:
    async with asyncio.timeout(10):
        async for notice in client:
            if isinstance(notice, kind):
                return notice
    raise AssertionError("the connection ended")


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - files and folders tell nobody
            await asyncio.sleep(0.05)


async def get(port: int, path: str) -> tuple[int, Mapping[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}{path}")
        return answer.status_code, answer.json()


async def test_a_text_over_the_socket_is_answered_aloud(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    listener = open_port("127.0.0.1", 0)
    port = listener.getsockname()[1]
    core = AppServer(config, home)
    async with serving(core.app, listener, core.hub.limits):
        assert (await get(port, "/health"))[0] == 200
        assert (await get(port, "/ready"))[0] == 503  # nothing is open yet
        async with core:
            assert (await get(port, "/ready"))[0] == 200
            join = JoinRoom(platform="test")
            async with connect(f"http://127.0.0.1:{port}", join=join) as client:
                assert client.joined is not None
                assert client.joined.character == "Iris"
                await client.send(TextReceived(member=ANN, text="hello"))
                state = await until(client, StateChanged)
                while not state.detail:
                    state = await until(client, StateChanged)
                assert "offline demo mind; connect a language model: see .env.ex" in state.detail
                ended = await until(client, TurnEnded)
                assert ended.reason == "finished"
                assert ended.heard
            _, answer = await get(port, "/api/state")
            assert answer["data"]["rooms"][0]["room"] == "main"
        assert (await get(port, "/ready"))[0] == 503


async def test_the_client_of_the_protocol_page_works(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "protocol.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "client.py"
    script.write_text(code, encoding="utf-8")
    config, home = load_home(tmp_path)
    listener = open_port("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    core = AppServer(config, home)
    async with serving(core.app, listener, core.hub.limits), core:
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "error", str(script), "Hello there", url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, errors = await client.communicate()
    assert client.returncode == 0, errors
    assert errors == b""
    *captions, last = out.decode().splitlines()
    ended = re.fullmatch(r"finished, (\d+\.\d) s of sound; heard: (.+)", last)
    assert ended
    assert float(ended[1]) > 0.5
    assert " ".join(captions) == ended[2]


async def test_what_does_not_open_is_named_and_the_rest_runs(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    broken = config.model_copy(
        update={
            "operations": tuple(
                entry.model_copy(update={"id": "no_such_voice"}) if entry.role == "tts" else entry
                for entry in config.operations
            )
        }
    )
    async with AppServer(broken, home) as core:
        assert not core.readiness.is_ready
        assert "no_such_voice" in core.readiness.missing["tts"]
        assert core.readiness.operations["t2t"] == "offline"
        assert core.rooms.room("main") is not None


async def test_a_voice_detector_that_does_not_open_is_stood_in_for(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    broken = config.model_copy(
        update={
            "operations": tuple(
                entry.model_copy(update={"id": "none_such"}) if entry.role == "vad" else entry
                for entry in config.operations
            )
        }
    )
    async with AppServer(broken, home) as core:
        assert core.readiness.is_ready
        assert "energy stands in" in core.readiness.notes["vad"]


async def test_without_its_text_filters_she_says_nothing(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    entry = config.operations[0].model_copy(update={"role": "filter_text", "id": "none_such"})
    broken = config.model_copy(update={"operations": (*config.operations, entry)})
    listener = open_port("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    core = AppServer(broken, home)
    join = JoinRoom(platform="test")
    async with (
        serving(core.app, listener, core.hub.limits),
        core,
        connect(url, join=join) as client,
    ):
        await client.send(TextReceived(member=ANN, text="hello"))
        ended = await until(client, TurnEnded)
    assert ended.reason == "failed"
    assert ended.heard == ""


async def test_a_changed_config_is_taken_over_between_turns(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    path = home.configs / "test.yaml"
    async with AppServer(config, home, config_path=path) as core:
        await asyncio.sleep(0.3)  # until the system watches the folder
        text = QUIET.replace("MIND", "offline").replace("character: iris", "character: orin")
        path.write_text(text + "  - {role: filter_audio, id: gain}\n", encoding="utf-8")
        await eventually(
            lambda: (core.hub.character, core.operations.filter_audio.name) == ("Orin", "gain")
        )
        room = core.rooms.room("main")
        path.write_text("character: [", encoding="utf-8")
        await eventually(lambda: "the old config stays" in core.readiness.notes.get("config", ""))
        await eventually(lambda: "the old config stays" in room.state.detail)
        assert core.hub.character == "Orin"
        path.write_text(text + "  - {role: filter_audio, id: gain}\n", encoding="utf-8")
        await eventually(lambda: "config" not in core.readiness.notes)


async def test_what_waits_for_a_restart_is_told_until_it_is_taken_back(tmp_path: Path) -> None:
    config, home = load_home(tmp_path)
    text = QUIET.replace("MIND", "offline")
    async with AppServer(config, home) as core:
        for addition, told in (
            ("logging: {files: 9}\n", "logging.files"),
            ("logging: {files: 9}\nconversation: {lead_s: 0.1}\n", "logging.files"),
            ("conversation: {lead_s: 0.1}\n", ""),
        ):
            _, path = make_home(tmp_path, text + addition)
            new = load(path, home, {})
            keys = changed_keys(core.config, new)
            await core.apply(Changed(core.config, new, keys, ()))
            assert core.readiness.notes.get("settings", "").endswith(told)
            assert ("settings" in core.readiness.notes) == bool(told)


async def test_settings_of_the_conversation_and_the_log_are_taken_over_at_once(
    tmp_path: Path,
) -> None:
    config, home = load_home(tmp_path)
    root = logging.getLogger()
    before = root.level
    text = QUIET.replace("MIND", "offline")
    text += "conversation: {director: {idle_s: 0.2}}\nlogging: {level: error, files: 9}\n"
    try:
        async with AppServer(config, home) as core:
            room = core.rooms.room("main")
            listener = Told()
            room.attach(listener)
            _, path = make_home(tmp_path, text)
            new = load(path, home, {})
            keys = changed_keys(config, new)
            await core.apply(Changed(config, new, keys, ("logging.files",)))
            await eventually(lambda: any(isinstance(n, TurnStarted) for n in listener.notices))
            assert root.level == logging.ERROR
            assert core.readiness.notes["settings"].endswith("next start on: logging.files")
    finally:
        root.setLevel(before)


class Told:
    """Plays her voice to nobody, and remembers what it was told."""

    plays_audio = True

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def take(self, notice: Notice) -> None:
        self.notices.append(notice)


def test_a_taken_port_ends_the_program_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, home = load_home(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve(config, home, port) == 1
    assert f"port {port} is taken" in capsys.readouterr().err


def test_missing_prompts_end_the_program_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, home = load_home(tmp_path)
    (tmp_path / "prompts" / "scenes" / "cohost.md").unlink()
    assert serve(config, home, 0) == 1
    assert "cohost" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to one child only is POSIX")
def test_a_signal_ends_the_program_in_order(tmp_path: Path) -> None:
    make_home(tmp_path)
    code = (
        "import sys; from pathlib import Path; from voxelle.config import load\n"
        "from voxelle.home import Home; from voxelle.server.app_server import serve\n"
        "home = Home(Path(sys.argv[1])); path = home.configs / 'test.yaml'\n"
        "sys.exit(serve(load(path, home, {}), home, 0, config_path=path))\n"
    )
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("Voxelle is ready: http://127.0.0.1:")
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=15)
    assert child.returncode == 0, errors
    assert "Traceback" not in errors
