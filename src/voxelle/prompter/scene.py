"""What is going on: a scene from prompts/scenes, and the instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxelle.prompter.prompt_files import find_file, read_text


@dataclass(frozen=True, slots=True)
class Scene:
    """Where she is and what she is there for."""

    name: str
    text: str


def load_scene(folder: Path, name: str) -> Scene:
    """Read `folder/name.md`; raise `ConfigurationError` if it cannot be."""
    return Scene(name, read_text(find_file(folder, name, (".md",))).strip())


def load_instructions(folder: Path, name: str) -> str:
    """Read `folder/name.md`; raise `ConfigurationError` if it cannot be."""
    return read_text(find_file(folder, name, (".md",))).strip()
