"""Reading a config file and checking all of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pydantic

from voxelle.config.environment import fill_in, read_env_file
from voxelle.config.mistakes import report, secrets_in, shown_path, slips_of
from voxelle.config.model import CHAINS, Config, Role
from voxelle.config.providers import registry_of
from voxelle.home import Home
from voxelle.operations.registry import Choice, NotInstalledError, unknown
from voxelle.prompter.character import load_character
from voxelle.prompter.scene import load_instructions, load_scene
from voxelle.utils.document import Document, Slip, read_document
from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.secrets import remember_secret


def load(path: Path, home: Home, environ: Mapping[str, str] | None = None) -> Config:
    """Read and check a config file, the options of its providers and its prompts included.

    Variables come from `environ` (the process's, if it is None) and from `.env` in the home.
    Nothing is opened: keys may still be wrong and models missing. Raises one `ConfigurationError`
    that names every mistake. Touches the disk and imports providers, so call it in a thread.
    """
    document = read_document(path)
    environ = {**read_env_file(home.root / ".env"), **(os.environ if environ is None else environ)}
    data, secrets, slips = fill_in(document.data, environ)
    for secret in secrets:
        remember_secret(secret)
    _add_token(data, environ)
    secrets.update(secrets_in(data))
    slips = [*document.slips, *slips, *_wrong_options(data), *_missing_prompts(data, home)]
    config: Config | None = None
    try:
        config = Config.model_validate(data)
    except pydantic.ValidationError as error:
        slips += slips_of(error, Config)
    report(shown_path(path, home.root), Document(data, document.lines), slips, secrets)
    if config is None:  # every failure of the model is a slip, so this cannot be reached
        raise ConfigurationError(f"{path}: cannot be read")
    return config


def _add_token(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    server = data.get("server")
    token = environ.get("VOXELLE_TOKEN")
    if not token:
        return
    remember_secret(token)
    if server is None:
        data["server"] = {"token": token}
    elif isinstance(server, dict) and server.get("token") is None:
        server["token"] = token


def _wrong_options(data: dict[str, Any]) -> list[Slip]:
    """Check every operation by itself, however wrong the rest of the file is."""
    entries = data.get("operations")
    slips: list[Slip] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue
        if entry.get("role") not in get_args(Role):
            continue
        options = {name: value for name, value in entry.items() if name != "role"}
        others = [other for at, other in enumerate(entries or ()) if at != index]
        slips += _wrong_entry(entry["role"], options, index, others)
    return slips


def _wrong_entry(role: Role, options: dict[str, Any], index: int, others: list[Any]) -> list[Slip]:
    registry = registry_of(role)
    name: str = options["id"]
    if name not in registry.places():
        sentence = unknown(f"{role} provider", name, registry.places())
        return [Slip(("operations", index, "id"), sentence)]
    try:
        registry.check(Choice.model_validate(options))
    except NotInstalledError as error:
        # It is left out at the start, with a warning, and another one of its role stands in.
        stands_in = any(isinstance(other, dict) and other.get("role") == role for other in others)
        if stands_in and role not in CHAINS:
            return []
        return [Slip(("operations", index, "id"), str(error))]
    except ConfigurationError as error:
        return [Slip(("operations", index, "id"), str(error))]
    except pydantic.ValidationError as error:
        model = registry.find(name).options_type
        return slips_of(error, model, ("operations", index))
    return []


def _missing_prompts(data: dict[str, Any], home: Home) -> list[Slip]:
    readers: dict[str, tuple[str, Callable[[Path, str], object]]] = {
        "character": ("characters", load_character),
        "scene": ("scenes", load_scene),
        "instructions": ("instructions", load_instructions),
    }
    slips: list[Slip] = []
    for key, (folder, read) in readers.items():
        name = data.get(key, Config.model_fields[key].default)
        if not isinstance(name, str):
            continue  # the model says what is wrong with it
        try:
            read(home.prompts / folder, name)
        except ConfigurationError as error:
            slips.append(Slip((key,), str(error)))
    return slips
