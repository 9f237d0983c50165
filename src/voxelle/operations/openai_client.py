"""What the three providers for OpenAI-compatible servers share: the client and its failures.

The package `openai` is imported only when a provider is opened, in a thread,
because its import and its first use take about a second.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from voxelle.operations import base
from voxelle.operations.openai_failures import explain
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, OperationError, VoxelleException

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

OPENAI_HOST = "api.openai.com"

KEEP_ALIVE_S = 60.0
"""How long an idle connection stays open: longer than the usual pause between two turns, so that
no turn waits for a new TLS handshake, and shorter than the 75 s after which nginx hangs up."""

LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")
"""Endings of names that exist only in one network."""


class OpenAIOptions(base.Options):
    """Which server is asked, and how."""

    base_url: str = Field(
        default=f"https://{OPENAI_HOST}/v1",
        description="Address of the server; it usually ends in /v1.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="Key for the server. If it is not set, the variable `api_key_env` is read; "
        "servers on your own machine usually need none.",
    )
    api_key_env: str | None = Field(
        default=None,
        description="Environment variable that holds the key. OPENAI_API_KEY is read only for "
        "OpenAI itself, so that the key never goes to somebody else's server unasked.",
    )
    organization: str | None = Field(
        default=None, description="OpenAI organization that pays, if you are in several."
    )
    project: str | None = Field(default=None, description="OpenAI project that pays.")
    timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Longest silence of the server, in seconds, before the request is given up.",
    )
    connect_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="Longest wait for a connection, in seconds."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Further HTTP headers for every request."
    )
    is_paid: bool | None = Field(
        default=None,
        description="Whether requests cost money (then nothing is asked for on speculation). "
        "Unset: only servers on this machine or in this network are free.",
    )

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address such as http://127.0.0.1:11434/v1")
        if parts.username or parts.password:
            raise ValueError("must not hold a password: put the key into api_key")
        return value.rstrip("/")

    @property
    def host(self) -> str:
        """The server's name or number."""
        return urlsplit(self.base_url).hostname or ""


class OpenAIProvider(base.Provider):
    """Holds the official client while it is open, and gives its failures our names."""

    operation: ClassVar[str]
    """What the server is in an error: "language model", "ear" or "voice"."""

    error: ClassVar[type[OperationError]]

    options_type = OpenAIOptions
    options: OpenAIOptions

    def __init__(self, options: OpenAIOptions) -> None:
        super().__init__(options)
        is_near = is_local(options.host)
        self.is_paid = not is_near if options.is_paid is None else options.is_paid
        self._client: AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        """Make the client; nothing is sent yet, so the server may come up later.

        Raises `ConfigurationError` if a key is needed and there is none.
        """
        key = find_key(self.options, self.operation)
        self._client = await asyncio.to_thread(_make_client, self.options, key)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def client(self) -> AsyncOpenAI:
        """The client; raises this operation's error when the provider is not open."""
        if self._client is None:
            raise self.failure("is not open")
        return self._client

    def failure(self, what: str, *, is_retryable: bool = False) -> OperationError:
        """Make this operation's error: `what` completes a sentence that names the server."""
        message = f"the {self.operation} at {self.options.base_url} {what}"
        return self.error(message, provider="openai", is_retryable=is_retryable)

    async def explained(self, error: Exception, model: str) -> OperationError:
        """Turn what the client raised into this operation's error, in one clear sentence.

        Asks the server for its models if the wanted one is unknown. Never shows the key.
        """
        explanation = await explain(error, self._client, model)
        what = explanation.what
        if self._client is not None:
            # Some servers quote the key in their own words.
            what = what.replace(self._client.api_key, "***")
        return self.failure(what, is_retryable=explanation.is_retryable)

    async def translated(self, stream: Stream[T], model: str) -> Stream[T]:
        """Pass a stream on; what the client raises becomes this operation's error."""
        try:
            async with aclosing(stream):
                async for item in stream:
                    yield item
        except (
            VoxelleException
        ):  # ours already: a tool, or what was heard, is wrong and not the server
            raise
        except Exception as error:
            raise await self.explained(error, model) from error


def is_local(host: str) -> bool:
    """Tell whether a host is on this machine or in this network, as far as its name tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A name without a dot is a neighbour: a container, or a machine in the same network.
        return "." not in host or host.endswith(LOCAL_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_link_local


def find_key(options: OpenAIOptions, operation: str) -> str:
    """Give the key for a server, or "none" if it needs none.

    Raises `ConfigurationError` if a key is named or needed and cannot be found.
    """
    if options.api_key is not None and (key := options.api_key.get_secret_value().strip()):
        return key
    is_openai = options.host == OPENAI_HOST
    name = options.api_key_env or ("OPENAI_API_KEY" if is_openai else None)
    if name is None:
        return "none"
    if key := os.environ.get(name, "").strip():
        return key
    raise ConfigurationError(
        f"the {operation} at {options.base_url} needs a key: "
        f"set {name} in the environment or in .env"
    )


def _make_client(options: OpenAIOptions, key: str) -> AsyncOpenAI:
    """Import the package and make a client that is warm; takes long, so call it in a thread."""
    import httpx2
    import openai

    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=options.base_url,
        organization=options.organization,
        project=options.project,
        default_headers=options.headers,
        timeout=httpx2.Timeout(options.timeout_s, connect=options.connect_timeout_s),
        # The manager retries and falls back, for all providers alike.
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            limits=httpx2.Limits(max_keepalive_connections=20, keepalive_expiry=KEEP_ALIVE_S),
            # A proxy of the environment cannot reach this machine.
            trust_env=not is_local(options.host),
        ),
    )
    # Each of these imports its part of the package when it is first touched.
    _ = client.chat.completions, client.audio.speech, client.audio.transcriptions, client.models
    return client
