from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from voxelle.utils import logging_utils as lu
from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.logging_utils import Logging, LogOptions
from voxelle.utils.secrets import redact, redact_all, remember_secret


class Pipeline:
    """Logging into memory and into a folder."""

    def __init__(self, folder: Path | None, **options: Any) -> None:
        self.console = io.StringIO()
        self.folder = folder
        self.logging = Logging(LogOptions(folder=folder, **options), self.console)

    def finish(self) -> list[dict[str, Any]]:
        self.logging.stop()
        assert self.folder is not None
        text = (self.folder / "voxelle.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path / "logs", level="debug")
    with pipeline.logging:
        yield pipeline


def test_structlog_and_the_standard_library_land_in_the_same_file(pipeline: Pipeline) -> None:
    structlog.get_logger("voxelle.operations.x").info("heard %d words", 3, speaker="ann")
    logging.getLogger("voxelle.server.x").warning("lost %s", "bob", extra={"frames": 7})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    first, second, third = pipeline.finish()
    assert (first["event"], first["speaker"]) == ("heard 3 words", "ann")
    assert (first["level"], first["category"]) == ("info", "OPERATION")
    assert first["logger"] == "voxelle.operations.x"
    assert (second["event"], second["frames"]) == ("lost bob", 7)
    assert (second["level"], second["category"]) == ("warning", "API_REQUEST")
    assert "old way" in third["event"]


def test_a_failure_is_logged_with_its_traceback(pipeline: Pipeline) -> None:
    for log in (structlog.get_logger("a"), logging.getLogger("b")):
        try:
            raise ValueError("no such voice")
        except ValueError:
            log.exception("a voice failed")
    for event in pipeline.finish():
        assert event["category"] == "ERROR"
        assert "test_logging.py" in event["exception"]
        assert "ValueError: no such voice" in event["exception"]


async def test_ids_follow_tasks_and_do_not_leak_into_others(pipeline: Pipeline) -> None:
    log = structlog.get_logger("voxelle.conversation")

    async def turn(number: int) -> None:
        with lu.log_context(turn=number):
            await asyncio.sleep(1)
            log.info("spoken")

    with lu.log_context(session_id="s1"):
        await asyncio.gather(*[asyncio.create_task(turn(number)) for number in (1, 2)])
    log.info("idle")
    first, second, third = pipeline.finish()
    assert [(event["session_id"], event["turn"]) for event in (first, second)] == [
        ("s1", 1),
        ("s1", 2),
    ]
    assert "session_id" not in third
    assert "turn" not in third


async def test_the_helpers_name_their_category(pipeline: Pipeline) -> None:
    with lu.log_operation("tts", provider="tone"):
        await asyncio.sleep(0.25)
    with pytest.raises(ValueError, match="broken"), lu.log_operation("t2t"):
        raise ValueError("broken")
    with pytest.raises(asyncio.CancelledError), lu.log_operation("stt"):
        raise asyncio.CancelledError
    lu.log_integration("twitch", "reconnected", tries=2)
    lu.log_security_event("a foreign page was refused", origin="https://x.example")
    lu.log_performance("first audio", 0.123456)
    lu.log_api_request("GET", "/api/rooms?token=abcdefgh", 200, 0.01)
    lu.log_error("a room failed", RuntimeError("no floor"))
    events = pipeline.finish()
    assert [(event["category"], event["event"]) for event in events] == [
        ("OPERATION", "operation started"),
        ("OPERATION", "operation complete"),
        ("OPERATION", "operation started"),
        ("ERROR", "operation failed"),
        ("OPERATION", "operation started"),
        ("OPERATION", "operation cancelled"),
        ("INTEGRATION", "reconnected"),
        ("SECURITY", "a foreign page was refused"),
        ("PERFORMANCE", "measured"),
        ("API_REQUEST", "request"),
        ("ERROR", "a room failed"),
    ]
    assert (events[1]["operation"], events[1]["provider"], events[1]["s"]) == ("tts", "tone", 0.25)
    assert events[8]["s"] == 0.1235
    assert events[9]["path"] == "/api/rooms"
    assert "RuntimeError: no floor" in events[10]["exception"]


PLANTED = "planted-secret-of-the-test"


def test_no_secret_is_ever_written(pipeline: Pipeline) -> None:
    remember_secret(PLANTED)
    log = structlog.get_logger("a")
    log.info("key %s", PLANTED, api_key="anything", nested={"list": [PLANTED, {"token": "x1y2"}]})
    logging.getLogger("b").info("Authorization: Bearer abcd.efgh", extra={"password": "hunter2"})
    log.info("sk-proj-abcdefgh12345678 oauth:abcdef123456 https://ann:pa55word@host/x?token=qwerty")
    try:
        raise ValueError(f"server refused {PLANTED}")
    except ValueError:
        log.exception("failed")
    with lu.log_context(session_token="zzz999"):  # noqa: S106 - planted
        log.info("inside")
    pipeline.finish()
    assert pipeline.folder is not None
    written = (pipeline.folder / "voxelle.log").read_text() + pipeline.console.getvalue()
    for secret in (PLANTED, "anything", "x1y2", "abcd.efgh", "hunter2", "sk-proj", "abcdef123456"):
        assert secret not in written
    for secret in ("pa55word", "qwerty", "zzz999"):
        assert secret not in written
    assert written.count("(secret)") >= 14


def test_short_and_harmless_texts_are_left_alone() -> None:
    remember_secret("abc")
    assert redact("abc is a word, and so is bearer") == "abc is a word, and so is bearer"
    assert redact_all({"keys": ["a"], "tokens": 5, "monkey": "x"}) == {
        "keys": ["a"],
        "tokens": 5,
        "monkey": "x",
    }
    assert redact_all(b"12345") == "5 bytes"


def test_files_are_rotated_and_old_ones_go(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, file_bytes=2_000, files=3, console="none")
    with pipeline.logging:
        for number in range(100):
            logging.getLogger("a").info("message number %d", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["voxelle.log", "voxelle.log.1", "voxelle.log.2"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.iterdir())
    last = (tmp_path / "voxelle.log").read_text().splitlines()[-1]
    assert json.loads(last)["event"] == "message number 99"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    (tmp_path / "voxelle.log").symlink_to("/dev/full")
    with pipeline.logging:
        for number in range(300):
            logging.getLogger("a").info("message %d", number)
    said = pipeline.console.getvalue()
    assert said.count("the log file cannot be written, the show goes on") == 1
    assert "No space left on device" in said
    assert said.count("message ") >= 300


def test_a_disk_that_has_room_again_is_written_to_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.write_text("a file where the folder should be")
    pipeline = Pipeline(folder)
    with pipeline.logging:
        log = logging.getLogger("a")
        log.info("lost")
        while "cannot be written" not in pipeline.console.getvalue():
            threading.Event().wait(0.005)
        folder.unlink()
        for number in range(30):
            log.info("message %d", number)
    said = pipeline.console.getvalue()
    assert said.count("cannot be written") == 1
    assert said.count("can be written again") == 1
    assert "message 29" in (folder / "voxelle.log").read_text()


class StuckConsole(io.StringIO):
    """A console that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(10)
        return super().write(text)


def test_a_stuck_console_never_holds_up_the_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lu, "QUEUE", 100)
    console = StuckConsole()
    with Logging(LogOptions(), console):
        start = time.perf_counter()
        for number in range(1_000):
            logging.getLogger("a").info("message %d", number)
        assert time.perf_counter() - start < 2
        console.go.set()
    said = console.getvalue()
    assert "log messages came too fast and were left out" in said
    assert 100 <= said.count("message ") <= 110


def test_what_people_write_does_nothing_to_the_terminal(pipeline: Pipeline) -> None:
    structlog.get_logger("a").info("chat \x1b[2J\nfake line", user="\x1b]0;owned\x07\u202e")
    pipeline.logging.stop()
    said = pipeline.console.getvalue()
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said.splitlines()) == 1


def test_a_failure_is_one_sentence_on_the_console_and_its_traceback_in_the_file(
    pipeline: Pipeline,
) -> None:
    log = logging.getLogger("voxelle.x")
    try:
        raise ConfigurationError("the voice needs a key:\n  set OPENAI_API_KEY")
    except ConfigurationError as error:
        log.warning("a provider is left out", exc_info=error, extra={"color_message": "\x1b[1m"})
        log.exception("no voice: the voice needs a key: set OPENAI_API_KEY")
    try:
        raise ExceptionGroup("two at once", [ValueError("odd"), OSError("full")])
    except ExceptionGroup:
        log.exception("background failed")
    events = pipeline.finish()
    assert all("Traceback" in event["exception"] for event in events)
    left_out, named, group = pipeline.console.getvalue().splitlines()
    assert "a provider is left out: the voice needs a key: set OPENAI_API_KEY" in left_out
    assert "color_message" not in left_out
    assert "ConfigurationError" not in left_out
    assert named.count("needs a key") == 1
    assert "background failed" in group
    assert "two at once" in group


def test_waiting_for_the_start_is_noted_at_debug_and_failures_at_info(pipeline: Pipeline) -> None:
    lu.log_api_request("GET", "/ready", 503, 0.01)
    lu.log_api_request("GET", "/nothing", 404, 0.01)
    lu.log_api_request("POST", "/api/rooms/main/say", 503, 0.01)
    assert [event["level"] for event in pipeline.finish()] == ["debug", "info", "info"]


def test_without_a_file_the_console_has_the_traceback() -> None:
    console = io.StringIO()
    with Logging(LogOptions(), console):
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("a").exception("it failed")
    assert "Traceback" in console.getvalue()


def test_the_level_may_change_at_once(pipeline: Pipeline) -> None:
    log = structlog.get_logger("a")
    pipeline.logging.set_level("warning")
    log.info("too quiet")
    log.warning("loud")
    pipeline.logging.set_level("info")
    logging.getLogger("httpx").info("libraries are quiet")
    logging.getLogger("uvicorn.error").info("connection open")
    log.info("heard")
    assert [event["event"] for event in pipeline.finish()] == ["loud", "heard"]


def test_stopping_gives_everything_back_and_ends_the_thread(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    pipeline = Pipeline(tmp_path, console="json")
    with pipeline.logging:
        assert logging.getLogger().handlers != before
        logging.getLogger("a").warning("inside")
    assert logging.getLogger().handlers == before
    assert not [thread for thread in threading.enumerate() if thread.name == "logging"]
    assert json.loads(pipeline.console.getvalue())["event"] == "inside"
    pipeline.logging.stop()


def test_a_value_that_cannot_be_shown_costs_no_message(pipeline: Pipeline) -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no")

    structlog.get_logger("a").info("odd", value=Bad(), path=Path("x"), long="y" * 9_999)
    (event,) = pipeline.finish()
    assert event["value"] == "(Bad that cannot be shown: RuntimeError)"
    assert event["path"] == "x"
    assert len(event["long"]) == 4_000


def test_writing_a_message_takes_the_loop_well_under_a_millisecond(pipeline: Pipeline) -> None:
    log = structlog.get_logger("voxelle.x")
    if sys.gettrace() is not None:
        pytest.skip("a tracer makes everything slow")
    start = time.perf_counter()
    for number in range(500):
        log.info("heard", words=number, text="some words that somebody said")
    assert (time.perf_counter() - start) / 500 < 0.001
