"""Every error Voxelle raises on purpose.

* VoxelleException
  * ValidationError         a request is wrong: tell whoever sent it
  * ConfigurationError      the files or the environment are wrong: say so and stop
  * OperationError          a provider failed: end the turn, keep the show running
    * T2TError, STTError, TTSError, AudioFilterError
  * ProcessError            a helper program died or did not start
  * APIError                somebody asked the server for what they may not have
    * AuthenticationError, AuthorizationError, RateLimitError
  * BackendError            something outside Voxelle failed
    * DatabaseError, IntegrationError
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar


class VoxelleException(Exception):  # noqa: N818 - the whole family of programs calls it so
    """Base of all errors below; catch it only at the outermost edge."""

    component: ClassVar[str] = "voxelle"
    """Which part of Voxelle failed."""

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.context = context
        """Facts for the log, such as the provider's name; never secrets."""
        self.timestamp = datetime.now(UTC)


class ValidationError(VoxelleException):
    """A request from outside does not say what it must."""

    component = "validation"


class ConfigurationError(VoxelleException):
    """A config file, prompt file or environment variable is missing or wrong."""

    component = "configuration"


class OperationError(VoxelleException):
    """A provider failed; why it did is in `__cause__`."""

    component = "operations"

    def __init__(self, message: str, *, provider: str, is_retryable: bool) -> None:
        super().__init__(message, provider=provider, is_retryable=is_retryable)
        self.provider = provider
        self.is_retryable = is_retryable


class T2TError(OperationError):
    """A language model failed."""

    component = "t2t"


class STTError(OperationError):
    """An ear failed."""

    component = "stt"


class TTSError(OperationError):
    """A voice failed."""

    component = "tts"


class AudioFilterError(OperationError):
    """An effect failed."""

    component = "filter_audio"


class ProcessError(VoxelleException):
    """A helper program died or did not start."""

    component = "processes"


class APIError(VoxelleException):
    """Somebody asked the server for what they may not have, or in a way they may not."""

    component = "api"


class AuthenticationError(APIError):
    """Nobody knows who is asking: the token is missing or wrong."""


class AuthorizationError(APIError):
    """Whoever asks is known, and may not do this."""


class RateLimitError(APIError):
    """Whoever asks does so too often."""


class BackendError(VoxelleException):
    """Something outside Voxelle failed."""

    component = "backend"


class DatabaseError(BackendError):
    """What is kept on disk cannot be read or written."""

    component = "database"


class IntegrationError(BackendError):
    """A service outside Voxelle failed."""

    component = "integration"
