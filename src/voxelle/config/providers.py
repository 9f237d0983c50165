"""Where the tables of providers are; imported only when asked for, because that takes a while."""

from __future__ import annotations

import importlib
from typing import cast

from voxelle.config.model import Role
from voxelle.operations.registry import Registry

MANAGERS: dict[Role, str] = {
    "t2t": "voxelle.operations.t2t.manager:T2TManager",
    "stt": "voxelle.operations.stt.manager:STTManager",
    "tts": "voxelle.operations.tts.manager:TTSManager",
    "vad": "voxelle.operations.vad.manager:VADManager",
    "filter_audio": "voxelle.operations.filter_audio.manager:AudioFilterManager",
    "filter_text": "voxelle.operations.filter_text.manager:TextFilterManager",
}


def registry_of(role: Role) -> Registry:
    """Give the table of a role's providers."""
    module, _, name = MANAGERS[role].partition(":")
    manager = getattr(importlib.import_module(module), name)
    return cast(Registry, manager.registry)
