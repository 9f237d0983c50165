"""When to listen, what to answer, and when to speak: the `conversation` section of a config."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Policy: TypeAlias = Literal["stop", "duck", "ignore"]
"""What a person's speech does to hers: stop it, make it softer, or nothing."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EndpointingSettings(_Settings):
    """After how much silence somebody has finished; adapted to their words and their pauses."""

    finished_s: float = Field(
        default=0.35,
        gt=0,
        le=5,
        description="Seconds of silence after words that sound finished (a partial transcript "
        "that ends in . ! or ?).",
    )
    unsure_s: float = Field(
        default=0.6,
        gt=0,
        le=5,
        description="Seconds of silence when nothing tells whether the sentence is finished.",
    )
    unfinished_s: float = Field(
        default=0.95,
        gt=0,
        le=5,
        description="Seconds of silence after words that sound unfinished, such as 'and' or 'the'.",
    )
    cap_s: float = Field(
        default=1.2,
        gt=0,
        le=5,
        description="Seconds of silence that always end what somebody says.",
    )
    longest_s: float = Field(
        default=60.0,
        gt=1,
        le=600,
        description="Seconds after which speech without any pause is cut into a new utterance.",
    )


class BargeInSettings(_Settings):
    """How a person interrupts her."""

    duck_after_s: float = Field(
        default=0.096, ge=0, le=2, description="Seconds of speech after which she becomes softer."
    )
    duck_db: float = Field(default=-18.0, ge=-60, le=0, description="How much softer, in decibels.")
    stop_after_s: float = Field(
        default=0.5,
        ge=0.05,
        le=5,
        description="Seconds of speech after which she stops, if no words are understood yet.",
    )
    stop_after_words_s: float = Field(
        default=0.2,
        ge=0.05,
        le=5,
        description="Seconds of speech after which she stops once a real word is understood.",
    )
    longest_back_channel_s: float = Field(
        default=1.4,
        ge=0.1,
        le=5,
        description="Seconds of speech that may pass as a back-channel ('mhm', 'yeah').",
    )
    back_channels: tuple[str, ...] = Field(
        default=(
            "mhm", "mm", "mmm", "hmm", "hm", "uh", "huh", "uh huh", "uhuh", "ah", "oh", "aha",
            "yeah", "yep", "yup", "yes", "ok", "okay", "right", "sure", "i see", "wow", "cool",
            "nice", "haha", "ha", "lol", "true", "really", "exactly", "got it", "great", "good",
        ),
        description="Words that people say to show that they listen; they don't stop her.",
    )  # fmt: skip
    policies: dict[str, Policy] = Field(
        default_factory=dict,
        description="What speech from a platform does to hers, such as {discord: stop, browser: "
        "duck}; a platform that is not named here stops her.",
    )


class DirectorSettings(_Settings):
    """What deserves an answer, and before what else."""

    queue: int = Field(
        default=64, ge=1, le=1_000, description="How many things may wait for an answer at once."
    )
    voice_expires_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds after which spoken words are not answered any more.",
    )
    text_expires_s: float = Field(
        default=60.0, gt=0, description="Seconds after which a written message is not answered."
    )
    event_expires_s: float = Field(
        default=300.0, gt=0, description="Seconds after which a stream event is not thanked for."
    )
    idle_s: float = Field(
        default=60.0,
        ge=0,
        description="Seconds of silence after which she says something by herself; 0 is never.",
    )
    answers_text: bool = Field(
        default=True, description="Whether written messages are answered, or only taken note of."
    )


class ConversationSettings(_Settings):
    """When to listen, what to answer, and when to speak."""

    endpointing: EndpointingSettings = Field(
        default=EndpointingSettings(), description="When somebody has finished speaking."
    )
    barge_in: BargeInSettings = Field(
        default=BargeInSettings(), description="How people interrupt her."
    )
    director: DirectorSettings = Field(
        default=DirectorSettings(), description="What is answered, and what comes first."
    )
    speculation: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether a reply is prepared at the first silence, and thrown away if the "
        "person goes on; auto does so unless the language model or the voice costs money.",
    )
    lead_s: float = Field(
        default=0.08,
        ge=0.02,
        le=1,
        description="Seconds of her voice that are sent ahead of real time.",
    )
    ahead_s: float = Field(
        default=8.0,
        ge=0.5,
        le=60,
        description="Seconds of her voice that are made ahead of playing.",
    )
    longest_reply_s: float = Field(
        default=90.0, ge=5, le=600, description="Seconds after which a reply is brought to its end."
    )
    history: int = Field(
        default=400, ge=10, le=10_000, description="How many remarks a room remembers word by word."
    )
    most_rooms: int = Field(
        default=500, ge=1, le=10_000, description="How many rooms may be open at once."
    )
    most_members: int = Field(
        default=2_000, ge=1, le=100_000, description="How many members a room remembers."
    )
    most_ears: int = Field(
        default=64,
        ge=1,
        le=1_000,
        description="How many members of a room are listened to at once.",
    )
