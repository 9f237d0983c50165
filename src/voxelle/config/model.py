"""What a config file may say."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    field_validator,
    model_validator,
)

from voxelle.conversation.settings import ConversationSettings
from voxelle.operations.patience import Patience
from voxelle.operations.registry import Choice
from voxelle.prompter.settings import PrompterSettings

Role: TypeAlias = Literal["t2t", "stt", "tts", "vad", "filter_audio", "filter_text"]
"""What a provider does: the name of its operation."""

CHAINS: frozenset[Role] = frozenset({"filter_audio", "filter_text"})
"""Roles whose entries are all in use, one after the other; of the others one is in use."""

NEEDED: tuple[Role, ...] = ("t2t", "stt", "tts", "vad")
"""Roles without which there is no conversation."""

_RESTART: dict[str, JsonValue] = {"needs_restart": True}

FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperationEntry(BaseModel):
    """One provider and its options: `{role: tts, id: espeak, voice: en-us}`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    role: Role = Field(description="What the provider does.")
    id: str = Field(
        min_length=1,
        max_length=100,
        description="Which provider does it; `voxelle providers` lists them with their options.",
    )

    @property
    def choice(self) -> Choice:
        """The entry as its operation's manager takes it."""
        return Choice.model_validate({"id": self.id, **(self.model_extra or {})})


class ServerSettings(_Section):
    """Where the core can be reached, and by whom."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=255,
        description="Address to listen on. Anything but this machine itself needs a token.",
        json_schema_extra=_RESTART,
    )
    # 7272 is assigned to nothing that streamers run beside us.
    port: int = Field(
        default=7272,
        ge=0,
        le=65_535,
        description="Port to listen on; 0 takes any free one.",
        json_schema_extra=_RESTART,
    )
    token: SecretStr | None = Field(
        default=None,
        description="What clients from elsewhere must know, at least 16 characters; unset, the "
        "variable VOXELLE_TOKEN is used.",
        json_schema_extra=_RESTART,
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Further names under which this server may be called.",
        json_schema_extra=_RESTART,
    )
    origins: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Further web pages that may use it, such as https://voxelle.example.",
        json_schema_extra=_RESTART,
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @field_validator("token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters; a shorter one can be guessed")
        return token

    @model_validator(mode="after")
    def _check_reach(self) -> ServerSettings:
        if not self.is_local and self.token is None:
            raise ValueError(
                f"host {self.host} can be reached from elsewhere, so a token is needed: set token "
                "here or VOXELLE_TOKEN in .env, or listen on 127.0.0.1"
            )
        return self


class LoggingSettings(_Section):
    """What is logged, and where."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least serious messages that are shown and kept."
    )
    is_kept: bool = Field(
        default=True,
        description="Whether messages are also written to logs/voxelle.log, one JSON per line.",
        json_schema_extra=_RESTART,
    )
    file_mb: float = Field(
        default=10.0,
        ge=0.1,
        le=1_000,
        description="Megabytes after which a new log file is begun.",
        json_schema_extra=_RESTART,
    )
    files: int = Field(
        default=5,
        ge=1,
        le=100,
        description="How many log files are kept.",
        json_schema_extra=_RESTART,
    )


class Config(_Section):
    """One character, and everything it is made of."""

    character: FileName = Field(
        description="Who she is: the name of a file in prompts/characters, without its ending."
    )
    scene: FileName = Field(
        default="cohost", description="Where she is: the name of a file in prompts/scenes."
    )
    instructions: FileName = Field(
        default="default",
        description="How she speaks: the name of a file in prompts/instructions.",
    )
    operations: tuple[OperationEntry, ...] = Field(
        max_length=100,
        description="The providers. Of t2t, stt, tts and vad the first entry is used and further "
        "ones are fallbacks; of filter_audio and filter_text all are used, in this order.",
    )
    patience: dict[Role, Patience] = Field(
        default_factory=dict,
        description="How long the providers of a role are waited for, and how often asked again.",
    )
    conversation: ConversationSettings = Field(
        default=ConversationSettings(),
        description="When to listen, what to answer and when to speak.",
    )
    prompter: PrompterSettings = Field(
        default=PrompterSettings(), description="What the language model is shown, and how much."
    )
    server: ServerSettings = Field(
        default=ServerSettings(), description="Where the core can be reached, and by whom."
    )
    logging: LoggingSettings = Field(
        default=LoggingSettings(), description="What is logged, and where."
    )

    def choices(self, role: Role) -> tuple[Choice, ...]:
        """Give the entries of one role, in their order."""
        return tuple(entry.choice for entry in self.operations if entry.role == role)

    @field_validator("operations")
    @classmethod
    def _check_roles(cls, operations: tuple[OperationEntry, ...]) -> tuple[OperationEntry, ...]:
        there = {entry.role for entry in operations}
        if missing := [role for role in NEEDED if role not in there]:
            raise ValueError(f"must have an entry for each of: {', '.join(missing)}")
        return operations
