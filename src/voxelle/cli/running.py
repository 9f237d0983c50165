"""`voxelle run`: the core, until Ctrl+C."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import webbrowser

import pydantic
import typer

from voxelle.cli.session import session
from voxelle.config import Config, ServerSettings
from voxelle.server.app_server import serve
from voxelle.utils.exceptions import ConfigurationError

WAIT_S = 120.0
"""Seconds for which the page is waited for: an engine may load a large model first."""


def run(name: str, port: int | None, host: str | None, *, opens_browser: bool) -> None:
    """Run the core, and end with its exit code."""
    with session() as here:
        path = here.config_path(name)
        config = here.load(name)
        if host is not None:
            config = _with_host(config, host)
        if opens_browser:
            threading.Thread(target=_open_page, args=[config, port], daemon=True).start()
        here.log_as(config.logging)
        raise typer.Exit(serve(config, here.home, port, config_path=path))


def _with_host(config: Config, host: str) -> Config:
    try:
        server = ServerSettings.model_validate({**dict(config.server), "host": host})
    except pydantic.ValidationError as error:
        sentence = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"--host: {sentence}") from error
    return config.model_copy(update={"server": server})


def _open_page(config: Config, port: int | None) -> None:
    port = config.server.port if port is None else port
    page = f"http://127.0.0.1:{port}"
    pause = threading.Event()
    for _ in range(round(WAIT_S / 0.25)):
        try:
            with urllib.request.urlopen(f"{page}/ready", timeout=2) as answer:  # noqa: S310 - ours
                if answer.status == 200:
                    webbrowser.open(page)
                    return
        except (urllib.error.URLError, OSError):
            pass
        pause.wait(0.25)
