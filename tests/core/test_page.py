from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from browser import Page, browsing, find_chromium
from requirements import need
from server_rooms import RecordingServer, recording_server
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    CaptionSpoken,
    Member,
    StateChanged,
    TextShown,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
    VoiceStopped,
    Word,
)

pytestmark = pytest.mark.real_time

GUEST = Member(platform="web", id="x", name="Guest")
FAKE_MIC = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def chromium() -> str:
    path = find_chromium()
    need("chromium", path is not None, "no Chromium or Chrome is installed")
    return path or ""


async def text_of(page: Page, selector: str) -> str:
    return str(await page.js(f"document.querySelector({selector!r}).innerText"))


async def is_ready(page: Page) -> None:
    await page.until("document.querySelector('#state').textContent === 'Ready'")


async def click(page: Page, selector: str) -> None:
    await page.mouse(selector, "mousePressed")
    await page.mouse(selector, "mouseReleased")


def reply(server: RecordingServer, turn: int, seconds: float) -> None:
    """Let her say ten words with a tone under them."""
    server.main.tell(TurnStarted(turn=turn, source="chat", to="Guest"))
    words = tuple(Word(text=f"w{n}", start=n * seconds / 10) for n in range(10))
    server.main.tell(CaptionSpoken(turn=turn, line=0, words=words))
    times = np.arange(round(24_000 * seconds)) / 24_000
    tone = (8_000 * np.sin(2 * np.pi * 300 * times)).astype("<i2")
    for start in range(0, len(tone), 24_000):
        payload = tone[start : start + 24_000].tobytes()
        start_s = start / 24_000
        server.main.tell(AudioSpoken(turn=turn, rate=24_000, start=start_s, payload=payload))
    server.main.tell(AudioEnded(turn=turn, seconds=seconds))


async def test_one_writes_hears_the_reply_and_the_page_reports_what_was_heard() -> None:
    async with recording_server() as server, browsing(chromium(), server.http) as page:
        await is_ready(page)
        assert "offline demo mind" in await text_of(page, "#detail")
        await click(page, "#text")
        await page.js("document.querySelector('#text').value = 'Hello <b>you</b>!'")
        await click(page, "button[type=submit]")
        await server.main.until("read", "Guest", "Hello <b>you</b>!")
        server.main.tell(TextShown(member=GUEST, text="Hello <b>you</b>!"))
        reply(server, 1, 1.0)
        await page.until("document.querySelector('#talk .hers span')?.innerText.includes('w3')")
        assert "w9" not in await text_of(page, "#talk .hers")  # not before it is spoken
        await page.until("document.querySelector('#talk .hers span').innerText.includes('w9')")
        assert "Hello <b>you</b>!" in await text_of(page, "#talk")
        async with asyncio.timeout(5):
            while not any(told[0] == "report" and told[3] for told in server.main.told):
                server.main.news.clear()
                await server.main.news.wait()
        reports = [told for told in server.main.told if told[0] == "report"]
        assert reports[-1][1:] == (1, pytest.approx(1.0, abs=0.01), True)
        assert len(reports) >= 4
        assert page.complaints == []


async def test_a_stopped_reply_falls_silent_and_shows_what_nobody_heard() -> None:
    async with recording_server() as server, browsing(chromium(), server.http) as page:
        await is_ready(page)
        await click(page, "#name")
        reply(server, 1, 5.0)
        await page.until("document.querySelector('#talk .hers span')?.innerText.includes('w1')")
        server.main.tell(VoiceStopped(turn=1))
        ended = TurnEnded(turn=1, reason="interrupted", heard="w0 w1", unheard="w2 w3")
        server.main.tell(ended)
        await page.until("document.querySelector('#talk .hers s')?.innerText === 'w2 w3'")
        async with asyncio.timeout(5):
            while not any(told[0] == "report" and told[3] for told in server.main.told):
                server.main.news.clear()
                await server.main.news.wait()
        assert server.main.told[-1][2] < 2.0


async def test_the_button_sends_what_the_microphone_hears_while_it_is_held(tmp_path: Path) -> None:
    times = np.arange(48_000 * 2) / 48_000
    tone = (12_000 * np.sin(2 * np.pi * 500 * times)).astype("<i2")
    with wave.open(str(tmp_path / "mic.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(tone.tobytes())
    flags = (*FAKE_MIC, f"--use-file-for-fake-audio-capture={tmp_path / 'mic.wav'}")
    async with recording_server() as server, browsing(chromium(), server.http, flags) as page:
        await is_ready(page)
        await page.mouse("#hold", "mousePressed")
        async with asyncio.timeout(15):
            while len(server.main.frames) < 50:
                server.main.news.clear()
                await server.main.news.wait()
        await page.mouse("#hold", "mouseReleased")
        (key,) = {key for key, _ in server.main.frames}
        await server.main.until("end_utterance", key)
        assert key[0] == "web"
        frames = [frame for _, frame in server.main.frames]
        starts = np.diff([frame.start for frame in frames])
        assert starts == pytest.approx(0.02, abs=0.002)
        heard = np.concatenate([frame.samples for frame in frames])
        peak = np.argmax(np.abs(np.fft.rfft(heard * np.hanning(len(heard)))))
        assert peak * 16_000 / len(heard) == pytest.approx(500, abs=10)
        server.main.tell(TranscriptUpdated(member=GUEST, text="a long tone", is_final=True))
        await page.until("document.querySelector('#talk').innerText.includes('a long tone')")
        assert page.complaints == []


async def press_space(page: Page, *kinds: str) -> None:
    for kind in kinds:
        space = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
        text = {"text": " "} if kind == "keyDown" else {}
        await page.call("Input.dispatchKeyEvent", type=kind, **space, **text)


async def test_space_talks_only_if_nothing_else_has_the_focus() -> None:
    async with recording_server() as server, browsing(chromium(), server.http, FAKE_MIC) as page:
        await is_ready(page)
        await page.js("document.querySelector('#silence').focus()")
        await press_space(page, "keyDown", "keyUp")
        await server.main.until("silence")
        await page.js("document.querySelector('#open-mic').focus()")
        await press_space(page, "keyDown", "keyUp")
        assert await page.js("document.querySelector('#open-mic').checked") is True
        await press_space(page, "keyDown", "keyUp")
        assert await page.js("document.querySelector('#open-mic').checked") is False
        assert await text_of(page, "#hold") == "Hold to talk"
        for focus in ("document.querySelector('#hold').focus()", "document.activeElement.blur()"):
            await page.js(focus)
            await press_space(page, "keyDown")
            assert await text_of(page, "#hold") == "Listening to you …"
            # The focus moves while the key is held: letting go still ends it.
            await page.js("document.querySelector('#text').focus()")
            await press_space(page, "keyUp")
            assert await text_of(page, "#hold") == "Hold to talk"
        assert page.complaints == []


async def test_escape_silences_her_and_only_the_button_lets_her_speak_again() -> None:
    async with recording_server() as server, browsing(chromium(), server.http) as page:
        await is_ready(page)
        await page.key("Escape", "Escape")
        await server.main.until("silence")
        server.main.tell(StateChanged(state="silenced"))
        await page.until("!document.querySelector('#silenced').hidden")
        assert await text_of(page, "#state") == "Silenced"
        await click(page, "#release")
        await server.main.until("release")


async def test_a_microphone_that_is_denied_is_explained_and_writing_still_works() -> None:
    flags = FAKE_MIC[:1]
    async with recording_server() as server, browsing(chromium(), server.http, flags) as page:
        await page.call(
            "Browser.setPermission", permission={"name": "microphone"}, setting="denied"
        )
        await is_ready(page)
        await page.mouse("#hold", "mousePressed")
        await page.until("!document.querySelector('#trouble').hidden")
        assert "allow the microphone" in await text_of(page, "#trouble")
        assert await text_of(page, "#hold") == "Hold to talk"
        await page.mouse("#hold", "mouseReleased")
        await page.js("document.querySelector('#text').value = 'no mic'")
        await click(page, "button[type=submit]")
        await server.main.until("read", "Guest", "no mic")


async def test_the_page_comes_back_after_a_restart_and_keeps_what_was_typed() -> None:
    async with recording_server() as server, browsing(chromium(), server.http) as page:
        await is_ready(page)
        await page.js("document.querySelector('#text').value = 'half a sen'")
        await server.stop()
        await page.until("document.querySelector('#trouble').innerText.includes('Reconnecting')")
        assert await page.js("document.querySelector('#hold').disabled") is True
        async with recording_server(port=server.port):
            await is_ready(page)
            assert await page.js("document.querySelector('#text').value") == "half a sen"
            assert await page.js("document.querySelector('#trouble').hidden") is True
