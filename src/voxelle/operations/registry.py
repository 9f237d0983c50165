"""Where providers are found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, cast

import pydantic
from pydantic import BaseModel, ConfigDict

from voxelle.operations.base import Options, Provider
from voxelle.utils.exceptions import ConfigurationError


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
        """Import a provider's class; raise `ConfigurationError` if it cannot be."""
        places = self.places()
        if name not in places:
            known = ", ".join(sorted(places))
            raise ConfigurationError(
                f"no {self.operation} provider is called {name!r}; known: {known}"
            )
        module, _, attribute = places[name].partition(":")
        try:
            return cast(type[Provider], getattr(importlib.import_module(module), attribute))
        except ImportError as error:
            raise ConfigurationError(self._missing(name, error)) from error

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
            raise ConfigurationError(f"{self.operation} {choice.id!r}: {error}") from error
        return provider(options)

    def _missing(self, name: str, error: ImportError) -> str:
        sentence = f"{self.operation} {name!r} needs a package that is not installed ({error})"
        if extra := self.extras.get(name):
            sentence += f"; install it with: pip install 'voxelle[{extra}]'"
        return sentence
