"""The JSON schema of a config file, so that an editor helps while one writes it."""

from __future__ import annotations

from typing import Any, get_args

from voxelle.config.model import Config, Role
from voxelle.config.providers import registry_of
from voxelle.utils.exceptions import ConfigurationError


def config_schema() -> dict[str, Any]:
    """Give the schema of a whole file, with the options of every provider that is installed.

    Imports every provider, so call it in a thread.
    """
    schema = Config.model_json_schema(mode="validation")
    definitions = schema.setdefault("$defs", {})
    entries: list[dict[str, Any]] = []
    for role in get_args(Role):
        for name in sorted(registry_of(role).places()):
            entry = entry_schema(role, name)
            definitions.update(entry.pop("$defs", {}))
            entries.append(entry)
    schema["properties"]["operations"]["items"] = {"anyOf": entries}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A config of Voxelle"
    return schema


def entry_schema(role: Role, name: str) -> dict[str, Any]:
    """Give the schema of one entry of `operations`; options are open if it is not installed."""
    try:
        schema = registry_of(role).find(name).options_type.model_json_schema(mode="validation")
    except ConfigurationError as error:
        schema = {"type": "object", "description": str(error), "additionalProperties": True}
    own: dict[str, Any] = {"role": {"const": role}, "id": {"const": name}}
    schema["properties"] = {**own, **schema.get("properties", {})}
    schema["required"] = ["role", "id", *schema.get("required", [])]
    schema["title"] = f"{role} {name}"
    return schema
