"""The lock files: complete, at allowed versions, hashed, and without addresses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lock_requirements import entries, environments, trim
from voxelle_launcher import main

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {path.stem: path for path in (ROOT / "requirements").glob("*.txt")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def locked(name: str) -> list[Requirement]:
    return [Requirement(head) for head in _heads(name)]


def _heads(name: str) -> Iterator[str]:
    yield from entries(LOCKS[name].read_text(encoding="utf-8"))


def asked_for(extra: str) -> Iterator[Requirement]:
    """Give what an extra asks for, with the extras of ours that it names resolved."""
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        if requirement.name == "voxelle":
            for other in requirement.extras:
                yield from asked_for(other)
        else:
            yield requirement


def missing(requirements: list[Requirement], pins: list[Requirement]) -> list[str]:
    """List, for every machine, which requirements no pin fulfils."""
    gaps = []
    for values in environments():
        for wish in requirements:
            if wish.marker is not None and not wish.marker.evaluate(values):
                continue
            versions = [
                next(iter(pin.specifier)).version
                for pin in pins
                if canonicalize_name(pin.name) == canonicalize_name(wish.name)
                and (pin.marker is None or pin.marker.evaluate(values))
            ]
            if len(versions) != 1 or versions[0] not in wish.specifier:
                gaps.append(f"{wish} on {values['sys_platform']} {values['python_version']}")
    return gaps


def test_every_dependency_is_locked_at_an_allowed_version_for_every_machine() -> None:
    wishes = [Requirement(text) for text in PROJECT["dependencies"]]
    assert missing(wishes, locked("base")) == []


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_extra_is_locked_at_an_allowed_version_for_every_machine(extra: str) -> None:
    sets = ["pocketsphinx", "espeak"] if extra == "offline" else [extra]
    pins = [pin for name in ["base", *sets] for pin in locked(name)]
    assert missing(list(asked_for(extra)), pins) == []


def test_check_of_the_locks_sees_a_pin_that_is_absent_or_too_old() -> None:
    pins = [Requirement("numpy==1.0")]
    assert len(missing([Requirement("numpy>=2")], pins)) == len(environments())
    assert len(missing([Requirement("rich")], pins)) == len(environments())


def test_start_installs_only_sets_that_are_locked() -> None:
    assert {*main.RUN_SETS, *main.TEST_SETS, *main.WITH} == set(LOCKS)


def test_sets_that_are_installed_together_pin_the_same_versions() -> None:
    seen: dict[str, set[str]] = {}
    for name in LOCKS:
        for pin in locked(name):
            seen.setdefault(pin.name, set()).add(f"{pin.specifier} {pin.marker or ''}")
    several = {name for name, pins in seen.items() if len(pins) > 1}
    assert several <= {"pocketsphinx"}


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_lock_pins_and_hashes_everything_and_names_no_address(name: str) -> None:
    text = LOCKS[name].read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|://|--index|--extra|--find|\s@\s", text)
    for head, entry in entries(text).items():
        assert re.fullmatch(r"[a-z0-9.-]+==[^ ;]+( ; .+)?", head)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry)


def test_trimming_keeps_only_what_some_machine_needs() -> None:
    lock = entries(
        "everywhere==1 ; python_full_version < '3.15' \\\n    --hash=sha256:a\n"
        "windows==1 ; python_full_version < '3.15' and sys_platform == 'win32' \\\n"
        "    --hash=sha256:b\n"
        "browser==1 ; sys_platform == 'emscripten' \\\n    --hash=sha256:c\n"
    )
    trimmed = trim(lock)
    assert list(trimmed) == ["everywhere==1", "windows==1 ; sys_platform == 'win32'"]
    assert trimmed["everywhere==1"] == "everywhere==1 \\\n    --hash=sha256:a"
