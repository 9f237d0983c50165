"""A real browser for tests, driven by its DevTools protocol and nothing else."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
    "--remote-debugging-port=0 --autoplay-policy=user-gesture-required --window-size=900,700"
).split()


def find_chromium() -> str | None:
    """Give the path of a Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """Uncaught exceptions and what the browser logged as an error."""

    async def call(self, method: str, **params: Any) -> Any:
        """Send one command and give its result."""
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(message["params"])[:500])
            if message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error":
                    self.complaints.append(entry["text"])

    async def js(self, expression: str) -> Any:
        """Evaluate an expression as if the user had just clicked; promises are awaited."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str, within_s: float = 10.0) -> Any:
        """Wait until an expression is true in the page, and give its value."""
        async with asyncio.timeout(within_s):
            while not (value := await self.js(expression)):  # noqa: ASYNC110 - it cannot tell us
                await asyncio.sleep(0.05)
        return value

    async def key(self, key: str, code: str, kind: str = "keyDown") -> None:
        """Press or release a key."""
        await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, text="")

    async def mouse(self, selector: str, kind: str) -> None:
        """Press or release the mouse in the middle of an element."""
        place = await self.js(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        x, y = place
        await self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
        )

    async def screenshot(self, path: Path) -> None:
        """Write what the tab shows as a PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - nothing else runs


@asynccontextmanager
async def browsing(chromium: str, url: str, flags: Sequence[str] = ()) -> AsyncGenerator[Page]:
    """Open `url` in a new browser with an empty profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium,
            *QUIET,
            *flags,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with connect(await _find_tab(Path(profile)), max_size=None, proxy=None) as socket:
                page = Page(socket)
                for domain in ("Runtime", "Page", "Log"):
                    await page.call(f"{domain}.enable")
                await page.call("Page.navigate", url=url)
                here = f"location.href.startsWith({url!r})"
                await page.until(f"{here} && document.readyState === 'complete'")
                yield page
        finally:
            process.terminate()
            await process.wait()


async def _find_tab(profile: Path) -> str:
    async with asyncio.timeout(30):
        while not (where := _read_port(profile)):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
        port, path = where
        async with connect(f"ws://127.0.0.1:{port}{path}", proxy=None) as socket:
            browser = Page(socket)
            while True:
                targets = (await browser.call("Target.getTargets"))["targetInfos"]
                pages = [target for target in targets if target["type"] == "page"]
                if pages:
                    return f"ws://127.0.0.1:{port}/devtools/page/{pages[0]['targetId']}"
                await asyncio.sleep(0.05)


def _read_port(profile: Path) -> list[str]:
    file = profile / "DevToolsActivePort"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return lines if len(lines) == 2 else []
