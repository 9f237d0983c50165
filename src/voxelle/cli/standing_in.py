"""Which providers did not work, and who stood in for them."""

from __future__ import annotations

from typing import Any, cast

from voxelle.config import Config, Role
from voxelle.config.model import CHAINS
from voxelle.operations.manager import OperationManager


def stood_in(config: Config, *managers: OperationManager[Any]) -> tuple[str, ...]:
    """Give a sentence for each operation of which something did not work.

    Ask after the work is done and before the managers are closed.
    """
    sentences: list[str] = []
    for manager in managers:
        role = cast(Role, manager.registry.operation)
        status = manager.status
        wanted = config.choices(role)
        if not status.error or not wanted or status.state == "down":
            continue
        answered = who_answered(config, manager)
        if role in CHAINS or answered == wanted[0].id:
            sentences.append(f"{role} did not work throughout: {status.error}")
        else:
            sentences.append(
                f"{role} {wanted[0].id} did not work because {status.error}; {answered} stood in"
            )
    return tuple(sentences)


def who_answered(config: Config, manager: OperationManager[Any]) -> str:
    """Give the name of the provider that answered last."""
    wanted = config.choices(cast(Role, manager.registry.operation))
    # A first one that failed would be asked first again, but an error stays only if another one
    # has answered since.
    if manager.status.error and len(wanted) > 1 and manager.name == wanted[0].id:
        return wanted[1].id if len(wanted) == 2 else "a fallback"
    return manager.name
