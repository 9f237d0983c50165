"""How much of the prompt each part may take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

LEAST_HISTORY = 300
"""Tokens that are always left for what is to be answered: one remark with a long name."""


class PrompterSettings(BaseModel):
    """Budgets in estimated tokens (see `prompter.tokens`), caps, and how names are spoken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total_tokens: int = Field(
        default=6_000,
        ge=600,
        le=1_000_000,
        description="Most tokens of a prompt. Leave room for the reply in the model's window.",
    )
    instructions_tokens: int = Field(
        default=1_500, ge=50, description="Most tokens of prompts/instructions; longer is an error."
    )
    scene_tokens: int = Field(
        default=800, ge=50, description="Most tokens of the scene; longer is an error."
    )
    examples_tokens: int = Field(
        default=800, ge=0, description="Most tokens of example dialogue; the last ones go first."
    )
    contexts_tokens: int = Field(
        default=1_000, ge=0, description="Most tokens of all contexts; the oldest go first."
    )
    members_tokens: int = Field(
        default=200, ge=0, description="Most tokens of the list of people who are here."
    )
    history_tokens: int = Field(
        default=3_000,
        ge=LEAST_HISTORY,
        description="Most tokens of the conversation; the oldest remarks go first.",
    )
    remark_chars: int = Field(
        default=1_000, ge=20, le=10_000, description="Most characters of one remark."
    )
    name_chars: int = Field(default=40, ge=5, le=100, description="Most characters of a name.")
    names: dict[str, str] = Field(
        default_factory=dict,
        description="How names are spoken: {xX_Ann_Xx: Ann}. Case does not matter.",
    )
    clock_minutes: int = Field(
        default=1,
        ge=1,
        le=60,
        description="How finely she knows the time. A local model that keeps its prompt warm "
        "answers sooner when the time changes seldom.",
    )
