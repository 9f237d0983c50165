"""Starting: the command line of start.py, with a core that only waits, on real sockets."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from requirements import need
from tiny_project import REPOSITORY, make_project, offline, outcome, start, wait_for
from voxelle_launcher import main

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    place = make_project(tmp_path_factory.mktemp("start") / "Vöxelle für Jörg", wheels)
    code, said = outcome(place, "test", "-k", "two words", **offline([wheels]))
    assert "pytest was given ['-k', 'two words']" in said
    assert code == 3, "the exit code of pytest is not passed on"
    return place


@pytest.fixture
def port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    return str(number)


def signals_work() -> None:
    need("posix", sys.platform != "win32", "Windows cannot send Ctrl+C to one process")


def test_second_start_is_ready_in_under_3_s_and_ctrl_c_stops_it(project: Path, port: str) -> None:
    signals_work()
    begin = time.perf_counter()
    with start(project, "--no-browser", "--port", port) as process:
        said = wait_for(process, "Voxelle is ready")
        assert time.perf_counter() - begin < 3.0
        assert f"http://127.0.0.1:{port}/" in said[-1]
        assert not any("Installing" in line for line in said)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=10)
    assert "asked to stop by SIGINT time 1" in rest
    assert process.returncode == 0


def test_ctrl_c_of_a_terminal_reaches_the_core_only_once(project: Path, port: str) -> None:
    signals_work()
    with start(project, "--no-browser", "--port", port) as process:
        wait_for(process, "Voxelle is ready")
        os.killpg(process.pid, signal.SIGINT)  # a terminal signals the whole group
        rest, _ = process.communicate(timeout=10)
    assert rest.count("asked to stop") == 1
    assert process.returncode == 0


def test_sigterm_is_passed_on_and_the_exit_code_returned(project: Path, port: str) -> None:
    signals_work()
    with start(project, "--no-browser", "--port", port, TINY_CODE="7") as process:
        wait_for(process, "Voxelle is ready")
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=10)
    assert "asked to stop by SIGTERM time 1" in rest
    assert process.returncode == 7


def test_second_ctrl_c_ends_a_core_that_does_not_stop(project: Path, port: str) -> None:
    signals_work()
    with start(project, "--no-browser", "--port", port, TINY_CORE="stubborn") as process:
        wait_for(process, "Voxelle is ready")
        process.send_signal(signal.SIGINT)
        wait_for(process, "asked to stop")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGKILL


def test_failing_core_gives_its_sentence_and_its_exit_code(project: Path, port: str) -> None:
    code, said = outcome(project, "--no-browser", "--port", port, "--config", "bad.yaml")
    assert "The config bad.yaml has a mistake." in said
    assert "ready" not in said
    assert code == 1


def test_config_that_names_an_engine_of_a_set_has_it_installed(
    project: Path, wheels: Path, port: str, tmp_path: Path
) -> None:
    signals_work()
    place = tmp_path / "other"
    shutil.copytree(project, place, symlinks=True)
    configs = place / "configs"
    configs.mkdir()
    (configs / "plain.yaml").write_text("# - {role: stt, id: faster_whisper}\n", encoding="utf-8")
    (configs / "whisper.yaml").write_text(
        "operations:\n  - {role: stt, id: faster_whisper, model: base}\n", encoding="utf-8"
    )
    links = offline([wheels])
    for name, is_needed in [("plain", False), ("Whisper", True)]:
        arguments = ("--no-browser", "--port", port, "--config", name)
        with start(place, *arguments, **links) as process:
            said = "".join(wait_for(process, "Voxelle is ready"))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
        assert ("Installing local" in said) == is_needed
        assert ("whisper.yaml needs the set local" in said.lower()) == is_needed


def test_taken_port_is_said_with_the_option_that_mends_it(project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        code, said = outcome(project, "--no-browser", "--port", str(number))
    assert code == 1
    assert f"Port {number} is taken: another program uses it" in said
    assert "--port" in said


def test_running_voxelle_is_recognised_at_a_taken_port(project: Path, port: str) -> None:
    signals_work()
    with start(project, "--no-browser", "--port", port) as process:
        wait_for(process, "Voxelle is ready")
        code, said = outcome(project, "--no-browser", "--port", port)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert code == 1
    assert "Voxelle runs there already" in said


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "٣"])
def test_impossible_port_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main([f"--port={text}"])
    assert "a port is a number from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("server:\n  port: 8000\n", 8000),
        ("other:\n  port: 1\nserver: # here\n  # a comment\n\n  host: x\n  port: 8001 # x\n", 8001),
        ("server: {host: x, port: 8002}\n", 8002),
        ("server:\n  host: x\nother:\n  port: 1\n", main.PORT),
        ("server:\n  port: 0\n", main.PORT),
        ("server:\n  port: 99999\n", main.PORT),
        ("", main.PORT),
    ],
)
def test_port_of_the_config_is_found(text: str, port: int, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text, encoding="utf-8")
    assert main.configured_port(config) == port


def test_unreadable_config_counts_as_the_default_port(tmp_path: Path) -> None:
    assert main.configured_port(tmp_path / "absent.yaml") == main.PORT
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert main.configured_port(tmp_path / "binary.yaml") == main.PORT


def old_python(version: str) -> str | None:
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:  # noqa: S603 - a Python that the machine has
        return found
    pyenv = shutil.which("pyenv")
    if not pyenv:
        return None
    told = subprocess.run(  # noqa: S603 - the machine's own pyenv
        [pyenv, "root"], capture_output=True, text=True, check=False
    )
    places = sorted(Path(told.stdout.strip()).glob(f"versions/{version}.*/bin/python"))
    return str(places[-1]) if places else None


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_old_python_gets_a_sentence(version: str) -> None:
    python = old_python(version)
    need(f"python{version}", python is not None, f"Python {version} is not on this machine")
    assert python is not None
    done = subprocess.run(  # noqa: S603 - our own start.py
        [python, str(REPOSITORY / "start.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"needs Python 3.11 or newer, and this is Python {version}" in done.stderr
    assert "Traceback" not in done.stderr
