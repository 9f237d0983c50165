"""What a test needs from its machine: it skips without it, or fails where it was promised."""

from __future__ import annotations

import os

import pytest


def need(name: str, is_there: bool, reason: str) -> None:
    """Skip the running test unless `is_there`, or fail it if the machine promised `name`.

    `VOXELLE_REQUIRE` lists, with commas between, the names that this machine has to have
    (`.ci/run` sets it), so that a lost program or folder cannot turn tests off unseen. `reason`
    says what is absent and how to get it. At the top of a module it skips the whole module.
    """
    if is_there:
        return
    promised = {part.strip() for part in os.environ.get("VOXELLE_REQUIRE", "").split(",")}
    if name in promised:
        pytest.fail(f"VOXELLE_REQUIRE promises {name!r}, but: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
