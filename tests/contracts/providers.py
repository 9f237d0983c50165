"""How the providers are set up here: what each needs beside its defaults.

A provider that is registered but not named here is asked with its defaults. A new one that
needs a server or a model gets an entry: a context manager that gives its choice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from emulators.fake_openai.server import FakeOpenAI
from requirements import need
from voxelle.operations.registry import Choice

Scene = Callable[[], AbstractAsyncContextManager[Choice]]


def openai(model: str) -> Scene:
    """Choose a model of a server that speaks the protocol and is not real."""

    @asynccontextmanager
    async def scene() -> AsyncGenerator[Choice]:
        async with FakeOpenAI() as fake:
            yield Choice.model_validate({"id": "openai", "base_url": fake.base_url, "model": model})

    return scene


@asynccontextmanager
async def faster_whisper() -> AsyncGenerator[Choice]:
    need_package("faster_whisper", "local")
    from emulators.tiny_whisper import make_tiny_whisper

    with TemporaryDirectory() as folder:
        model = make_tiny_whisper(Path(folder) / "tiny", "stop the music")
        yield Choice.model_validate(
            {"id": "faster_whisper", "model": str(model), "download": False, "device": "cpu"}
        )


@asynccontextmanager
async def pocketsphinx() -> AsyncGenerator[Choice]:
    need_package("pocketsphinx", "pocketsphinx")
    yield Choice(id="pocketsphinx")


@asynccontextmanager
async def espeak() -> AsyncGenerator[Choice]:
    need_package("espeakng_loader", "espeak")
    yield Choice(id="espeak")


@asynccontextmanager
async def scripted() -> AsyncGenerator[Choice]:
    yield Choice.model_validate({"id": "scripted", "reply": "I know what I am going to say."})


EARS: dict[str, Scene] = {
    "faster_whisper": faster_whisper,
    "openai": openai("fake-stt"),
    "pocketsphinx": pocketsphinx,
}
MINDS: dict[str, Scene] = {"openai": openai("fake-t2t"), "scripted": scripted}
VOICES: dict[str, Scene] = {"espeak": espeak, "openai": openai("fake-tts")}


@asynccontextmanager
async def chosen(scenes: dict[str, Scene], name: str) -> AsyncGenerator[Choice]:
    """Set the scene for a provider, and give its choice."""
    if name not in scenes:
        yield Choice(id=name)
        return
    async with scenes[name]() as choice:
        yield choice


def need_package(package: str, extra: str) -> None:
    is_there = find_spec(package) is not None
    need(package, is_there, f"{package} is not installed: pip install 'voxelle[{extra}]'")
