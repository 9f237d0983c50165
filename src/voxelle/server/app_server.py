"""The one place where all parts are made and put together."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

import structlog
from fastapi import FastAPI

from voxelle.config import Changed, Config, ConfigWatcher, Outcome, Role
from voxelle.config.reload import changed_keys, needs_restart
from voxelle.conversation.cast import Cast
from voxelle.conversation.rooms import Rooms
from voxelle.home import Home
from voxelle.operations.base import TextFilter
from voxelle.operations.status import Status
from voxelle.operations.vad.shared import SharedVad
from voxelle.prompter.character import load_character
from voxelle.prompter.prompter import Prompter
from voxelle.prompter.scene import load_instructions, load_scene
from voxelle.server.guard import LOOPBACK_NAMES, Trust
from voxelle.server.http import make_app
from voxelle.server.hub import Hub
from voxelle.server.limits import Limits
from voxelle.server.listen import address_of, check_address, open_port, serving
from voxelle.server.operations import Operations
from voxelle.server.readiness import Readiness, sentence
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, OperationError, VoxelleException
from voxelle.utils.logging_utils import log_operation, set_level

log = structlog.get_logger(__name__)

_PROMPTER_KEYS = ("character", "scene", "instructions", "prompter.")


class AppServer:
    """The core: operations, rooms, and the web application in front of them.

    Entering opens everything; an operation that cannot be opened is named in `readiness`, and
    the rest runs. Leaving closes everything, in reverse order. With a `config_path`, changes of
    that file are taken over between turns.
    """

    def __init__(
        self,
        config: Config,
        home: Home,
        *,
        config_path: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.config, self.home = config, home
        self.readiness = Readiness()
        self.operations = Operations(config)
        self.hub = Hub(limits=limits)
        self._config_path = config_path
        self._began_with = config
        self._vad = SharedVad(self.operations.vad)
        self._rooms: Rooms | None = None
        self._cast: Cast | None = None
        self._open = AsyncExitStack()

    @property
    def rooms(self) -> Rooms:
        """The rooms; raises `OperationError` before they are open."""
        if self._rooms is None:
            raise OperationError("the server is not open", provider="none", is_retryable=True)
        return self._rooms

    @property
    def app(self) -> FastAPI:
        """A new web application for this core; it may be served before the core is open."""
        settings = self.config.server
        trust = Trust(
            hosts=LOOPBACK_NAMES | {name.lower() for name in (settings.host, *settings.hosts)},
            origins=frozenset(settings.origins),
            token=settings.token.get_secret_value() if settings.token else "",
        )
        return make_app(self.hub, self.readiness, trust)

    async def __aenter__(self) -> Self:
        """Open everything; raise `ConfigurationError` if the prompts cannot be read."""
        async with AsyncExitStack() as opening:
            prompter = await asyncio.to_thread(self._load_prompter, self.config)
            opening.push_async_callback(self.operations.close)
            self.operations.character = prompter.character.name
            failures = await self.operations.open(self.config, self._note_status)
            self._note_failures(failures)
            self._cast = self._make_cast(prompter)
            settings = self.config.conversation
            self._rooms = await opening.enter_async_context(Rooms(self._cast, settings))
            self._open_desks(prompter)
            opening.push_async_callback(self._close_desks)
            if self._config_path is not None:
                await opening.enter_async_context(_background(self._follow(self._config_path)))
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything, what was opened last first."""
        await self._open.aclose()

    async def apply(self, change: Changed) -> None:
        """Take a changed config over; what cannot be keeps running as it was, and is told."""
        self.config = change.new
        notes = self.readiness.notes
        notes.pop("config", None)
        if not change.keys:
            return  # a refused file is as it was: what was told of the config in use still holds
        notes.pop("settings", None)
        problems: list[str] = []
        for role in get_args(Role):
            if {f"operations.{role}", f"patience.{role}"} & set(change.keys):
                problems += await self._change_role(role, change.new)
        if any(key.startswith(_PROMPTER_KEYS) for key in change.keys):
            problems += await self._change_prompter(change.new)
        if any(key.startswith("conversation.") for key in change.keys):
            self.rooms.resettle(change.new.conversation)
        if "logging.level" in change.keys:
            set_level(change.new.logging.level)
        waiting = filter(needs_restart, changed_keys(self._began_with, change.new))
        if later := ", ".join(waiting):
            problems.append(f"these settings work from the next start on: {later}")
        if problems:
            notes["settings"] = "; ".join(problems)
        log.info("config.applied", keys=change.keys, problems=problems)

    # --- inside ----------------------------------------------------------------------------

    def _note_failures(self, failures: dict[Role, str]) -> None:
        for role, reason in failures.items():
            name = self.readiness.operations.get(role, "none")
            if name == "none":
                self.readiness.missing[role] = sentence(reason)
            else:
                self.readiness.notes[role] = f"{role}: {name} stands in, because {sentence(reason)}"

    def _note_status(self, status: Status) -> None:
        self.readiness.take(status)
        if self._rooms is not None:
            self._rooms.refresh()

    def _load_prompter(self, config: Config) -> Prompter:
        prompts = self.home.prompts
        return Prompter(
            load_character(prompts / "characters", config.character),
            load_scene(prompts / "scenes", config.scene),
            load_instructions(prompts / "instructions", config.instructions),
            config.prompter,
        )

    def _make_cast(self, prompter: Prompter) -> Cast:
        return Cast(
            stt=self.operations.stt,
            t2t=self.operations.t2t,
            tts=self.operations.tts,
            vad=self._vad,
            prompter=prompter,
            audio_filter=self.operations.filter_audio,
            text_filter=self._text_filter(),
            is_paid=lambda: self.operations.is_paid,
            remark=lambda: self.readiness.detail,
        )

    def _text_filter(self) -> TextFilter:
        # Nothing may reach the audience past the safety filter, not even because it is broken.
        reason = self.readiness.missing.get("filter_text")
        return _ClosedFilter(reason) if reason else self.operations.filter_text

    def _open_desks(self, prompter: Prompter) -> None:
        self.hub.rooms = self.rooms
        self.hub.character = prompter.character.name
        self.readiness.has_rooms = True

    async def _close_desks(self) -> None:
        self.readiness.has_rooms = False
        await self.hub.close()
        self.hub.rooms = None

    async def _follow(self, path: Path) -> None:
        watcher = ConfigWatcher(path, self.home, self.config)
        async with aclosing(watcher.changes()) as changes:
            async for outcome in changes:
                try:
                    await self._take(outcome)
                except Exception as error:  # the next change of the file must still be seen
                    log.exception("config.not_applied")
                    why = f"{type(error).__name__}; the log has more"
                    self.readiness.notes["config"] = f"the new config is in use only in part: {why}"
                self.rooms.refresh()  # the page tells it now, not with her next reply

    async def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, Changed):
            await self.apply(outcome)
        else:
            log.error("config.rejected", error=str(outcome.error))
            self.readiness.notes["config"] = f"the old config stays: {sentence(outcome.error)}"

    async def _change_role(self, role: Role, config: Config) -> list[str]:
        try:
            with log_operation("change an operation", role=role):
                await self.operations.change(role, config)
        except VoxelleException as error:
            log.exception("operation.not_changed", operation=role)
            return [f"the old {role} stays: {sentence(error)}"]
        self._recast(None)
        return []

    async def _change_prompter(self, config: Config) -> list[str]:
        try:
            prompter = await asyncio.to_thread(self._load_prompter, config)
        except ConfigurationError as error:
            return [f"the old prompts stay: {sentence(error)}"]
        self._recast(prompter)
        return []

    def _recast(self, prompter: Prompter | None) -> None:
        if self._cast is None:
            return
        prompter = prompter or self._cast.prompter
        self._cast = replace(self._cast, prompter=prompter, text_filter=self._text_filter())
        self.hub.character = prompter.character.name
        self.rooms.recast(self._cast)


class _ClosedFilter:
    """Lets nothing through, because the filter that should stand here could not be opened."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def apply(self, text: Stream[str]) -> Stream[str]:
        """Close `text`, and raise `OperationError`."""
        await text.aclose()
        problem = f"she says nothing without her text filters: {self._reason}"
        raise OperationError(problem, provider="filter_text", is_retryable=False)
        yield ""


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Let `work` run while inside; its failure is logged and stops nothing else."""

    async def run() -> None:
        try:
            await work
        except Exception:  # a lost watch on a file is no reason to end the show
            log.exception("background.failed")

    task = asyncio.create_task(run(), name="voxelle.background")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def serve(
    config: Config, home: Home, port: int | None = None, *, config_path: Path | None = None
) -> int:
    """Run the core until Ctrl+C, and give the exit code of the program.

    `port` stands in for the config's. One line with the address is printed as soon as she can
    be talked to. What keeps it from starting is printed as a sentence, with exit code 1.
    """
    settings = config.server
    token = settings.token.get_secret_value() if settings.token else ""
    try:
        check_address(settings.host, token)
        listener = open_port(settings.host, settings.port if port is None else port)
        asyncio.run(_serve(AppServer(config, home, config_path=config_path), listener))
    except ConfigurationError as error:
        sys.stderr.write(f"Voxelle cannot start: {error}\n")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    return 0


async def _serve(server: AppServer, listener: socket.socket) -> None:
    stopped = asyncio.Event()
    opening = asyncio.current_task()

    def on_stop() -> None:
        stopped.set()
        if opening is not None:
            opening.cancel()  # Ctrl+C before everything was open

    address = address_of(listener)
    # The port answers at once: /health is 200, and /ready tells what is still missing.
    async with (
        serving(server.app, listener, server.hub.limits, on_stop=on_stop),
        AsyncExitStack() as stack,
    ):
        try:
            await stack.enter_async_context(server)
        finally:
            opening = None
        gc.collect()
        gc.freeze()  # what lives until the end is not looked at again in every collection
        detail = server.readiness.detail
        sys.stdout.write(f"Voxelle is ready: {address}{f' ({detail})' if detail else ''}\n")
        sys.stdout.flush()
        await stopped.wait()
