from __future__ import annotations

import re
from pathlib import Path

import pytest

from voxelle.config.environment import (
    MAX_BYTES,
    Environment,
    export_env_file,
    fill_in,
    read_env_file,
)
from voxelle.utils.exceptions import ConfigurationError

ROOT = Path(__file__).parents[2]
READS = re.compile(r"""(?:environ(?:\.get)?[\[(]|getenv\()\s*["']([A-Z][A-Z0-9_]+)["']""")

# Names that systems give, and that a config may not set.
OF_THE_SYSTEM = {"LOCALAPPDATA", "XDG_DATA_HOME", "APPDATA", "PATH", "NO_COLOR"}


def test_the_example_shows_every_variable_that_is_read() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    shown = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    declared = {str(field.alias) for field in Environment.model_fields.values()}
    read = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in READS.findall(path.read_text(encoding="utf-8"))
    }
    assert shown == declared
    assert read - OF_THE_SYSTEM <= declared


def test_the_example_holds_no_value_and_every_variable_has_a_description() -> None:
    assert read_env_file(ROOT / ".env.example") == {}
    assert all(field.description for field in Environment.model_fields.values())


def test_secrets_of_the_environment_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890abcdef")
    environment = Environment()
    assert environment.openai_key is not None
    assert "1234567890" not in repr(environment)


def test_a_file_is_exported_and_what_is_set_outside_wins(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("\ufeffA=1\nB='two words'\nC=\nexport D=${A}\n", encoding="utf-8")
    environ = {"A": "outside"}
    export_env_file(path, environ)
    assert environ == {"A": "outside", "B": "two words", "D": "${A}"}


def test_a_missing_file_is_empty_and_a_huge_or_broken_one_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert read_env_file(path) == {}
    path.write_bytes(b"A=\xff\xfe\xfd\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_env_file(path)
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="is larger than 64 kB"):
        read_env_file(path)


def test_references_are_filled_in_everywhere_and_only_once() -> None:
    data = {"a": ["${X}", {"b": "<${X}> $${X} ${Y:-}"}], "n": 5}
    filled, secrets, slips = fill_in(data, {"X": "${Y}", "Y": "no"})
    assert filled == {"a": ["${Y}", {"b": "<${Y}> ${X} no"}], "n": 5}
    assert secrets == {"${Y}", "no"}
    assert slips == []
