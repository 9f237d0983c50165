"""Secrets and switches from the environment and from `.env`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from voxelle.utils.document import Key, Slip
from voxelle.utils.exceptions import ConfigurationError

MAX_BYTES = 64_000
"""A `.env` has a few lines."""

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})(?::-(?P<other>[^}]*))?\}")


class Environment(BaseSettings):
    """Every variable that Voxelle reads by itself; `.env.example` shows them all."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    home: Path | None = Field(
        default=None,
        alias="VOXELLE_HOME",
        description="The folder with configs, prompts, models and logs. Not read from .env, "
        "because .env lies in it.",
    )
    token: SecretStr | None = Field(
        default=None,
        alias="VOXELLE_TOKEN",
        description="What clients from other machines must know (server.token).",
    )
    openai_key: SecretStr | None = Field(
        default=None,
        alias="OPENAI_API_KEY",
        description="Key for OpenAI, used by every provider `openai` without a key of its own.",
    )


def read_env_file(path: Path) -> dict[str, str]:
    """Give the variables of a `.env` file, an empty dict if there is none.

    Raises `ConfigurationError` if it cannot be read. Touches the disk.
    """
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path}: is larger than {MAX_BYTES // 1000} kB")
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    return {name: value for name, value in found.items() if value}


def export_env_file(path: Path, environ: MutableMapping[str, str] | None = None) -> None:
    """Put the variables of a `.env` file into the environment, where providers look for keys.

    What is set outside wins. Raises `ConfigurationError` if the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    for name, value in read_env_file(path).items():
        if not environ.get(name):
            environ[name] = value


def fill_in(data: Any, environ: Mapping[str, str]) -> tuple[Any, set[str], list[Slip]]:
    """Replace `${NAME}` and `${NAME:-otherwise}` in all texts of a config; `$${` stays `${`.

    Gives the new data, the texts that came from variables (they are secret), and the mistakes.
    """
    filling = _Filling(environ)
    return filling.fill(data, ()), filling.secrets, filling.slips


class _Filling:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.secrets: set[str] = set()
        self.slips: list[Slip] = []

    def fill(self, data: Any, key: Key) -> Any:
        if isinstance(data, dict):
            return {name: self.fill(value, (*key, name)) for name, value in data.items()}
        if isinstance(data, list):
            return [self.fill(value, (*key, index)) for index, value in enumerate(data)]
        if isinstance(data, str) and "${" in data:
            parts = data.split("$${")
            return "${".join(_REFERENCE.sub(lambda m: self._value(m, key), p) for p in parts)
        return data

    def _value(self, found: re.Match[str], key: Key) -> str:
        name = found["name"]
        if value := self._environ.get(name):
            self.secrets.add(value)
            return value
        if found["other"] is None:
            self.slips.append(Slip(key, f"the variable {name} is not set: put it into .env"))
        return found["other"] or ""
