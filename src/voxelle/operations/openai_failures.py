"""Why an OpenAI-compatible server failed, in words for people."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

MODELS_TIMEOUT_S = 3.0
"""How long a server may take to list its models while an error is being explained."""

NAMED_MODELS = 20
"""How many models an error names."""

MAX_WORDS = 300
"""Characters of the server's own words in an error."""

RETRYABLE = frozenset({408, 409, 429})
"""Statuses below 500 that may pass by themselves: the list of the official client."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What went wrong, and whether another try may help."""

    what: str
    """Completes the sentence "the voice at http://... ___"."""

    is_retryable: bool


async def explain(error: Exception, client: AsyncOpenAI | None, model: str) -> Explanation:
    """Explain what the official client raised; may ask the server which models it has."""
    import httpx2
    import openai

    if isinstance(error, openai.APITimeoutError):
        return Explanation("did not answer in time (see timeout_s)", is_retryable=True)
    if isinstance(error, openai.APIStatusError):
        return await _explain_status(error, client, model)
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError):
        return Explanation(
            "answered with something that is not JSON: is base_url right? It usually ends in /v1",
            is_retryable=False,
        )
    # While sound is read the client lets the errors of its HTTP library through.
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return _explain_connection(error)
    if isinstance(error, openai.APIError):
        return Explanation(f"broke off: {_short(error.message)}", is_retryable=True)
    return Explanation(f"failed: {type(error).__name__}: {_short(str(error))}", is_retryable=False)


def _explain_connection(error: Exception) -> Explanation:
    root: BaseException = error
    names = {type(root).__name__}
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
        names.add(type(root).__name__)
    if names & {"ReadTimeout", "ConnectTimeout", "PoolTimeout", "WriteTimeout"}:
        return Explanation("did not answer in time (see timeout_s)", is_retryable=True)
    if names & {"RemoteProtocolError", "ReadError", "IncompleteRead"}:
        return Explanation("broke the connection off in mid-answer", is_retryable=True)
    if names & {"ConnectionRefusedError"} or "refused" in str(root).lower():
        what = "refused the connection: is it running, and is the port right?"
    elif names & {"gaierror"}:
        what = "cannot be found: is its name right, and is there a network?"
    elif names & {"SSLError", "SSLCertVerificationError"}:
        what = f"has no certificate that can be trusted ({_short(str(root))})"
    else:
        what = f"cannot be reached ({_short(str(root)) or type(root).__name__})"
    return Explanation(what, is_retryable=True)


async def _explain_status(
    error: APIStatusError, client: AsyncOpenAI | None, model: str
) -> Explanation:
    status = error.status_code
    if status == 404:
        return Explanation(await _explain_missing(error, client, model), is_retryable=False)
    said = f": {_words(error)}" if _words(error) else ""
    if status == 401:
        # Its own words are left out, because some servers quote the key in them.
        return Explanation("refused the key (401): is api_key right?", is_retryable=False)
    if status == 403:
        return Explanation(f"forbade the request (403){said}", is_retryable=False)
    if status == 429:
        return _explain_busy(error, said)
    if status >= 500:
        return Explanation(f"failed ({status}){said}", is_retryable=True)
    what = f"did not accept the request ({status}){said}"
    return Explanation(what, is_retryable=status in RETRYABLE)


def _explain_busy(error: APIStatusError, said: str) -> Explanation:
    if error.code == "insufficient_quota":
        return Explanation(f"has no credit left for this key (429){said}", is_retryable=False)
    after = error.response.headers.get("retry-after", "")
    wait = f"; it asks to wait {after} s" if after.isdigit() else ""
    return Explanation(f"has too much to do (429){wait}{said}", is_retryable=True)


async def _explain_missing(error: APIStatusError, client: AsyncOpenAI | None, model: str) -> str:
    known = await _models(client) if client else []
    if model in known:
        return f"knows the model {model!r} but cannot do this with it (404): {_words(error)}"
    if known:
        shown = ", ".join(known[:NAMED_MODELS]) + (" ..." if len(known) > NAMED_MODELS else "")
        return f"has no model called {model!r}; it has: {shown}"
    if "model" in _words(error).lower():
        return f"has no model called {model!r} ({_words(error)})"
    return "knows no such address (404): is base_url right? It usually ends in /v1"


async def _models(client: AsyncOpenAI) -> list[str]:
    import openai

    try:
        async with asyncio.timeout(MODELS_TIMEOUT_S):
            page = await client.models.list()
            return sorted(str(entry.id) for entry in page.data)
    except (openai.OpenAIError, TimeoutError, ValueError, AttributeError, TypeError):
        # Only an error is being explained: whatever is wrong here is said better by that one.
        return []


def _words(error: APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body.get("error") or ""
    return _short(str(body or ""))


def _short(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= MAX_WORDS else plain[:MAX_WORDS] + "..."
