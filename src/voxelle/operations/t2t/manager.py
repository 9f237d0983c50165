"""The manager of language models: a T2T that retries, falls back and can be swapped."""

from __future__ import annotations

from typing import ClassVar

from voxelle.messages import Message, Tool
from voxelle.operations.base import T2T
from voxelle.operations.items import approved, fault_in_text
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import T2TError


class T2TManager(OperationManager[T2T]):
    """Has the face of a language model, whichever of them is in use."""

    registry: ClassVar[Registry] = Registry(
        operation="t2t",
        builtin={
            "offline": "voxelle.operations.t2t.offline.mind:OfflineT2T",
            "openai": "voxelle.operations.t2t.openai:OpenAIT2T",
            "scripted": "voxelle.operations.t2t.scripted:ScriptedT2T",
        },
        extras={},
    )
    error = T2TError

    def reply(self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()) -> Stream[str]:
        """Answer the last message with the first provider that can.

        Raises `T2TError` while it is read; to close the stream ends the provider's request.
        """
        return self.attempt(
            lambda provider: approved(provider.reply(messages, tools), fault_in_text)
        )
