"""`voxelle providers` and `voxelle schema`: what there is, and how it is set."""

from __future__ import annotations

import json
import sys
from typing import Any, cast, get_args

from rich.table import Table

from voxelle.cli.session import session
from voxelle.config.model import Role
from voxelle.config.providers import registry_of
from voxelle.config.schema import config_schema, entry_schema
from voxelle.operations.registry import command_for
from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.validators import choice


def providers(role: str | None, *, is_json: bool) -> None:
    """List the providers of one role or of all."""
    with session(is_json=is_json) as here:
        roles = get_args(Role)
        if role is not None:
            roles = (choice(role, "the role", roles),)
        found = [_describe(r, name) for r in roles for name in sorted(registry_of(r).places())]
        if here.is_json:
            here.answer({"success": True, "providers": found})
            return
        for each in found:
            table = Table.grid(padding=(0, 2))
            for option, facts in each["options"].items():
                default = _short(facts, is_needed=option in each["needed"])
                table.add_row("", option, default, facts.get("description", ""))
            here.console.print(f"[bold]{each['role']} {each['id']}[/]: {each['state']}")
            if each["options"]:
                here.console.print(table)


def schema() -> None:
    """Write the JSON schema of a config to the standard output."""
    with session():
        sys.stdout.write(json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n")


def _describe(role: Role, name: str) -> dict[str, Any]:
    registry = registry_of(role)
    state, is_installed = "ready", True
    if lacking := registry.lacking(name):
        state = f"needs {', '.join(lacking)}: {command_for(registry.extras[name])}"
        is_installed = False
    try:
        registry.find(name)
    except ConfigurationError as error:
        state, is_installed = str(error), False
    entry = entry_schema(role, name)
    properties = cast(dict[str, Any], entry["properties"])
    options = {key: facts for key, facts in properties.items() if key not in {"role", "id"}}
    return {
        "role": role,
        "id": name,
        "is_installed": is_installed,
        "state": state,
        "extra": registry.extras.get(name),
        "options": options,
        "needed": [key for key in entry["required"] if key in options],
    }


def _short(facts: dict[str, Any], *, is_needed: bool) -> str:
    if "default" not in facts:  # made anew for each provider, such as an empty table
        return "needed" if is_needed else "empty"
    text = json.dumps(facts["default"], ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
