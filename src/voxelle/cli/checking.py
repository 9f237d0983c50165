"""`voxelle check`: whether it will work here, and what is missing if not."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Literal, get_args

import typer
from rich.table import Table

from voxelle.cli.probing import why_unready
from voxelle.cli.session import CONFIGURATION, FAILED, Session, session
from voxelle.config import Config, Role
from voxelle.config.model import CHAINS
from voxelle.config.providers import registry_of
from voxelle.operations.breaker import Breaker
from voxelle.operations.registry import Choice, command_for
from voxelle.operations.seat import Seat
from voxelle.utils.exceptions import ConfigurationError

OPEN_S = 120.0
"""Seconds that a provider may take to open: loading a large model from a slow disk."""

_COLOURS = {"ok": "green", "note": "yellow", "failed": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    part: str
    state: Literal["ok", "note", "failed"]
    """A note keeps nothing from working."""

    sentence: str


def check(name: str, *, opens: bool, is_json: bool) -> None:
    """Check everything and tell it; end with 0, 1 (something failed) or 3 (the config is wrong)."""
    with session(is_json=is_json) as here:
        findings = [Finding("home", "ok", str(here.home.root)), _logs(here)]
        code = 0
        try:
            config = here.load(name)
        except ConfigurationError as error:
            findings.append(Finding("config", "failed", str(error)))
            code = CONFIGURATION
        else:
            findings.append(Finding("config", "ok", f"{name}: no mistakes, prompts included"))
            findings += [_packages(config), _port(config)]
            with here.console.status("Opening the providers ..."):
                findings += here.run(_providers(config)) if opens else []
            findings.append(_devices())
        if not code and any(finding.state == "failed" for finding in findings):
            code = FAILED
        _tell(here, findings, code)
        raise typer.Exit(code)


def _tell(here: Session, findings: list[Finding], code: int) -> None:
    if here.is_json:
        found = [asdict(finding) for finding in findings]
        here.answer({"success": code == 0, "exit_code": code, "findings": found})
        return
    table = Table("part", "", "what was found", show_edge=False)
    for finding in findings:
        colour = _COLOURS[finding.state]
        sentence = finding.sentence.replace("[", r"\[")
        table.add_row(finding.part, f"[{colour}]{finding.state}[/]", sentence)
    here.console.print(table)


def _logs(here: Session) -> Finding:
    probe = here.home.logs / ".check"
    try:
        here.home.logs.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        sentence = f"{here.home.logs} cannot be written to ({error.strerror}): nothing is kept"
        return Finding("logs", "note", sentence)
    return Finding("logs", "ok", str(here.home.logs))


def _packages(config: Config) -> Finding:
    sentences: list[str] = []
    state: Literal["note", "failed"] = "note"
    for role in get_args(Role):
        registry = registry_of(role)
        for index, choice in enumerate(config.choices(role)):
            if lacking := registry.lacking(choice.id):
                command = command_for(registry.extras[choice.id])
                sentences.append(f"{role} {choice.id} needs {', '.join(lacking)}: {command}")
                state = "failed" if _is_needed(role, index) else state
    if sentences:
        return Finding("packages", state, "; ".join(sentences))
    return Finding("packages", "ok", "everything that this config needs is installed")


def _is_needed(role: Role, index: int) -> bool:
    """Tell whether she would have to do without something that the config wants first."""
    return index == 0 or role in CHAINS


def _port(config: Config) -> Finding:
    server = config.server
    place = f"{server.host}:{server.port}"
    try:
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            if server.port and probe.connect_ex((server.host, server.port)) == 0:
                return Finding("port", "note", f"{place} is taken, perhaps by a running Voxelle")
    except OSError as error:
        return Finding("port", "failed", f"{place}: {error}")
    return Finding("port", "ok", f"{place} is free")


async def _providers(config: Config) -> list[Finding]:
    findings: list[Finding] = []
    for role in get_args(Role):
        for index, choice in enumerate(config.choices(role)):
            is_needed = _is_needed(role, index)
            findings.append(await _provider(role, choice, is_needed=is_needed))
    return findings


async def _provider(role: Role, choice: Choice, *, is_needed: bool) -> Finding:
    part = f"{role} {choice.id}"
    start = perf_counter()
    try:
        provider = registry_of(role).create(choice)
        seat: Seat[Any] = Seat(choice.id, provider, Breaker(1, 0))
        async with asyncio.timeout(OPEN_S):
            await seat.open()
        try:
            trouble = await why_unready(provider)
        finally:
            await seat.close()
    except TimeoutError:
        return _unopened(part, f"did not open within {OPEN_S:.0f} s", is_needed=is_needed)
    except Exception as error:  # noqa: BLE001 - whatever a provider raises is the finding
        return _unopened(part, str(error) or type(error).__name__, is_needed=is_needed)
    if trouble:
        return Finding(part, "note", trouble)
    paid = "; costs money per request" if seat.is_paid else ""
    return Finding(part, "ok", f"opens in {perf_counter() - start:.2f} s{paid}")


def _unopened(part: str, sentence: str, *, is_needed: bool) -> Finding:
    return Finding(part, "failed" if is_needed else "note", sentence)


def _devices(load: Callable[[str], Any] = importlib.import_module) -> Finding:
    try:
        sound = load("sounddevice")
        devices = list(sound.query_devices())
    except ImportError:
        sentence = "not looked at (no package sounddevice); the browser brings its own microphone"
        return Finding("devices", "note", sentence)
    except Exception as error:  # noqa: BLE001 - a driver may fail in any way, and none is needed
        return Finding("devices", "note", f"the sound system does not answer: {error}")
    ears = sum(device["max_input_channels"] > 0 for device in devices)
    mouths = sum(device["max_output_channels"] > 0 for device in devices)
    state: Literal["ok", "note"] = "ok" if ears and mouths else "note"
    return Finding("devices", state, f"{ears} to hear with, {mouths} to speak with")
