from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from voxelle.config import Config, load
from voxelle.config.schema import config_schema
from voxelle.home import Home
from voxelle.operations.patience import Patience

ROOT = Path(__file__).parents[2]
HOME = Home(ROOT)
EXAMPLES = ["default", "local", "openai"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_without_mistakes(name: str) -> None:
    config = load(HOME.configs / f"{name}.yaml", HOME, {"OPENAI_API_KEY": "sk-of-the-test"})
    assert {entry.role for entry in config.operations} >= {"stt", "t2t", "tts", "vad"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_filters_what_she_says(name: str) -> None:
    config = load(HOME.configs / f"{name}.yaml", HOME, {})
    assert [choice.id for choice in config.choices("filter_text")] == ["clean", "safety"]
    assert config.choices("filter_audio")[-1].id == "limiter"


def test_the_default_needs_no_key_no_network_and_no_money() -> None:
    config = load(HOME.configs / "default.yaml", HOME, {})
    first = {role: config.choices(role)[0].id for role in ("stt", "t2t", "tts", "vad")}
    assert first == {"stt": "pocketsphinx", "t2t": "offline", "tts": "espeak", "vad": "silero"}


def test_the_schema_knows_every_section_and_the_options_of_every_provider() -> None:
    schema = config_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert {"character", "operations", "server", "conversation"} <= set(schema["properties"])
    entries = schema["properties"]["operations"]["items"]["anyOf"]
    espeak = next(entry for entry in entries if entry["title"] == "tts espeak")
    assert espeak["properties"]["role"] == {"const": "tts"}
    assert espeak["properties"]["rate"]["maximum"] == 450
    assert espeak["additionalProperties"] is False


def test_the_page_about_configuration_names_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    def check(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                check(field.annotation, f"{prefix}{name}.")
            else:
                assert f"`{prefix}{name}`" in page or f"\n{name}:" in page or name == "patience"

    check(Config, "")
    check(Patience, "patience.ROLE.")
