"""Where providers are found."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    entry_points,
    requires,
    version,
)
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict

from voxelle.operations.base import Options, Provider
from voxelle.utils.exceptions import ConfigurationError

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)[^;]*;\s*\(?extra == ['\"](?P<extra>[\w-]+)['\"]\)?$"
)
"""A requirement of an extra, as it stands in a wheel: `pocketsphinx>=5.0.4; extra == 'espeak'`."""


_ASKED_FOR = frozenset({"local"})
"""The extras that start.py installs only when asked; the others it tries at every start."""


class NotInstalledError(ConfigurationError):
    """A provider is known, and a package that it needs is not installed."""


class Choice(BaseModel):
    """A provider and its options: `{id: espeak, voice: en-us}`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the id, not yet checked."""
        return dict(self.model_extra or {})


@dataclass(frozen=True, slots=True)
class Registry:
    """The providers of one operation: names, and the places of their classes.

    A class is imported only when its name is chosen, so a missing optional
    package troubles only those who asked for it.
    """

    operation: str

    builtin: Mapping[str, str]
    """Places as `{name: "module:class"}`."""

    extras: Mapping[str, str]
    """Which extra of Voxelle installs what a provider needs, as `{name: extra}`."""

    def places(self) -> dict[str, str]:
        """Every known provider as {name: "module:class"}; a plugin may replace a built-in."""
        plugins = entry_points(group=f"voxelle.{self.operation}")
        return {**self.builtin, **{plugin.name: plugin.value for plugin in plugins}}

    def find(self, name: str) -> type[Provider]:
        """Import a provider's class; raise `ConfigurationError` if it cannot be.

        It is a `NotInstalledError` if only a package is missing.
        """
        places = self.places()
        if name not in places:
            raise ConfigurationError(unknown(f"{self.operation} provider", name, places))
        module, _, attribute = places[name].partition(":")
        try:
            found: object = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise NotInstalledError(self._missing(name, error)) from error
        except Exception as error:  # a plugin is somebody else's code: anything may happen
            raise ConfigurationError(
                f"{self.operation} {name!r} cannot be loaded from {places[name]}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not (isinstance(found, type) and issubclass(found, Provider)):
            raise ConfigurationError(
                f"{self.operation} {name!r}: {places[name]} is not a class made from Provider"
            )
        return found

    def lacking(self, name: str) -> tuple[str, ...]:
        """Give the packages that a provider's extra asks for and that are not installed.

        Nothing is imported; empty for providers that need no extra, and for plugins.
        """
        extra = self.extras.get(name)
        wanted = [_REQUIREMENT.match(line) for line in requires("voxelle") or [] if extra]
        names = [match["name"] for match in wanted if match and match["extra"] == extra]
        return tuple(name for name in names if not _is_installed(name))

    def check(self, choice: Choice) -> tuple[type[Provider], Options]:
        """Give the chosen class and its checked options.

        Raises `ConfigurationError` for an unknown or uninstalled provider, and
        `pydantic.ValidationError` (all wrong options at once) for wrong options.
        """
        provider = self.find(choice.id)
        return provider, provider.options_type.model_validate(choice.options)

    def create(self, choice: Choice) -> Provider:
        """Make the chosen provider, not yet open; raise `ConfigurationError` if it cannot be."""
        try:
            provider, options = self.check(choice)
        except pydantic.ValidationError as error:
            mistakes = "; ".join(
                f"{'.'.join(map(str, mistake['loc'])) or 'options'}: {mistake['msg']}"
                for mistake in error.errors(include_url=False, include_input=False)
            )
            raise ConfigurationError(f"{self.operation} {choice.id!r}: {mistakes}") from error
        return provider(options)

    def _missing(self, name: str, error: ModuleNotFoundError) -> str:
        sentence = f"{self.operation} {name!r} needs a package that is not installed ({error})"
        if extra := self.extras.get(name):
            sentence += f"; install it with: {command_for(extra)}"
        return sentence


def command_for(extra: str) -> str:
    """Give the command that installs an extra of Voxelle in the way this Voxelle was installed.

    The environment that start.py made knows no extras: there, start.py installs them itself.
    """
    try:
        is_ours = (distribution("voxelle").read_text("INSTALLER") or "").strip() == "start.py"
    except PackageNotFoundError:
        is_ours = False
    if not is_ours:
        return f'pip install "voxelle[{extra}]"'
    return f"python start.py --with {extra}" if extra in _ASKED_FOR else "python start.py"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that nothing has this name, what was probably meant, and which names there are."""
    names = sorted(known)
    sentence = f"no {what} is called {name[:100]!r}; known: {', '.join(names) or 'none'}"
    if close := difflib.get_close_matches(name, names, n=1):
        sentence += f"; did you mean {close[0]!r}?"
    return sentence


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
