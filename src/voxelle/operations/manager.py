"""What the managers of the operations have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from typing import ClassVar, Generic, TypeVar, cast

from voxelle.operations.registry import Choice, Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import OperationError

P = TypeVar("P")
T = TypeVar("T")


class OperationManager(Generic[P]):
    """Keeps one provider open, and gives its failures our names.

    A manager has the face of its operation: whoever wants a voice is handed the
    TTS manager and sees a TTS. Providers change between turns, never during one.
    """

    registry: ClassVar[Registry]
    error: ClassVar[type[OperationError]]

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._provider: P | None = None
        self.name = "none"

    async def use(self, choices: Sequence[Choice]) -> None:
        """Open the first choice, the others being its fallbacks; then close what was in use before.

        If the new ones cannot be opened, the old ones stay in use and the error is raised.
        """
        choice = choices[0]
        async with AsyncExitStack() as opening:
            provider = await opening.enter_async_context(self.registry.create(choice))
            opened = opening.pop_all()
        previous, self._open = self._open, opened
        self._provider, self.name = cast(P, provider), choice.id
        await previous.aclose()

    async def close(self) -> None:
        """Close the provider in use, if there is one."""
        self._provider, self.name = None, "none"
        await self._open.aclose()

    @property
    def provider(self) -> P:
        """The provider in use."""
        if self._provider is None:
            raise self.error("nothing is in use", provider=self.name, is_retryable=False)
        return self._provider

    async def guard(self, stream: Stream[T]) -> Stream[T]:
        """Pass a provider's stream on; whatever it raises becomes this operation's error."""
        try:
            async with aclosing(stream):
                async for item in stream:
                    yield item
        except OperationError:
            raise
        except Exception as error:
            is_retryable = isinstance(error, (OSError, TimeoutError))
            message = f"{self.name}: {str(error) or type(error).__name__}"
            raise self.error(message, provider=self.name, is_retryable=is_retryable) from error
