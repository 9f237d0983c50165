"""Whether a server that a provider needs is there, before anybody speaks to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voxelle.operations.base import Provider
from voxelle.operations.openai_client import OpenAIProvider

if TYPE_CHECKING:
    from openai.types import Model

PROBE_S = 2.0
"""Seconds that a server may take to list its models: it does nothing for that."""

NAMED = 10
"""How many models are named at most."""


async def why_unready(provider: Provider) -> str:
    """Ask the server of an open provider for its models; give what is wrong, or nothing.

    Only providers that speak to an OpenAI-compatible server have one. The request is free. Raises
    the operation's error if the server refuses the key.
    """
    if not isinstance(provider, OpenAIProvider):
        return ""
    import openai

    model = str(getattr(provider.options, "model", "") or "")
    try:
        async with asyncio.timeout(PROBE_S):
            listed = (await provider.client.models.list()).data or []
    except TimeoutError:
        return f"{provider.options.base_url} does not answer within {PROBE_S:g} s"
    except (openai.NotFoundError, openai.APIResponseValidationError, AttributeError, ValueError):
        return ""  # somebody answers, who has no list of models
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise await provider.explained(error, model) from error
    except Exception as error:  # noqa: BLE001 - whatever the client raises is the finding
        return str(await provider.explained(error, model))
    return _why_without_model(provider, model, listed)


def _why_without_model(provider: OpenAIProvider, model: str, listed: list[Model]) -> str:
    # Many servers list only their language models.
    if provider.operation != "language model" or not model or not listed:
        return ""
    names = [one.id for one in listed]
    # Ollama calls `llama3.2` by its full name, `llama3.2:latest`.
    if any(name == model or name.startswith(f"{model}:") for name in names):
        return ""
    known = ", ".join(sorted(names)[:NAMED])
    return f"{provider.options.base_url} has no model {model!r}; it has {known}"
