"""How long a provider is waited for, and how often it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from voxelle.utils.exceptions import OperationError

T = TypeVar("T")


class Patience(BaseModel):
    """The patience with the providers of one role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A language model on a processor reads a long prompt for this long before its first word.
    first_item_s: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="Seconds within which the first piece of an answer must come; for ears see "
        "final_s.",
    )
    # A voice or a mind that has begun and is silent for so long has lost its connection.
    next_item_s: float = Field(
        default=8.0,
        ge=0,
        le=600,
        description="Seconds within which each further piece must come, "
        "tools of a language model included; 0 waits forever.",
    )
    # The conversation gives the words up 15 s after the end; until then somebody else is asked.
    final_s: float = Field(
        default=12.0,
        gt=0,
        le=600,
        description="Seconds after the end of what somebody says within which an ear must have "
        "given its words; the ears that can be asked share them.",
    )
    # Somebody waits for an answer: more than one quick second try only makes a longer silence.
    tries: int = Field(
        default=2,
        ge=1,
        le=10,
        description="How often a provider is asked, the first time included, before the next "
        "one; who did not answer in time is not asked again.",
    )
    pause_s: float = Field(
        default=0.2,
        ge=0,
        le=60,
        description="Seconds of the first pause between tries at most; it doubles each time.",
    )
    max_pause_s: float = Field(
        default=2.0, ge=0, le=60, description="Seconds of any pause between tries at most."
    )
    failures: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Failures in a row after which a provider is left alone for a while; with "
        "a fallback, one answer that did not come in time is enough.",
    )
    rest_s: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="Seconds for which a provider that failed too often is left alone.",
    )


async def persist(
    ask: Callable[[], Awaitable[T]],
    patience: Patience,
    may_repeat: Callable[[OperationError], bool],
) -> T:
    """Ask, and ask again after retryable errors but time-outs, with full jitter in between.

    Full jitter (a random pause between 0 and a bound that doubles) keeps hundreds of rooms from
    asking a provider that came back all in the same moment. `may_repeat` has the last word. Raises
    the error of the last try; cancellation ends a try or a pause at once.
    """

    def is_worth_it(error: BaseException) -> bool:
        if not isinstance(error, OperationError) or not error.is_retryable:
            return False
        return not is_timeout(error) and may_repeat(error)

    async def once() -> T:  # tenacity awaits only what is plainly a coroutine function
        return await ask()

    retrying = AsyncRetrying(
        sleep=asyncio.sleep,  # by the loop's clock
        stop=stop_after_attempt(patience.tries),
        wait=wait_random_exponential(multiplier=patience.pause_s, max=patience.max_pause_s),
        retry=retry_if_exception(is_worth_it),
        reraise=True,
    )
    return await retrying(once)


def is_timeout(error: OperationError) -> bool:
    """Tell whether a provider did not answer in time: somebody has waited long enough for it."""
    return isinstance(error.__cause__, TimeoutError)
