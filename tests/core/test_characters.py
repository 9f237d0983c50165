"""Character files: what they say, and what is said about their mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxelle.prompter.character import Character, describe, load_character, write_character
from voxelle.prompter.scene import load_instructions, load_scene
from voxelle.utils.exceptions import ConfigurationError

PROMPTS = Path(__file__).parents[2] / "prompts"
AVATAR = {"neutral", "happy", "sad", "angry", "surprised", "smug", "shy", "sleepy", "wink"}


@pytest.mark.parametrize("name", ["voxelle", "orin"])
def test_shipped_characters_are_complete(name: str) -> None:
    character = load_character(PROMPTS / "characters", name)
    assert character.name.lower() == name
    assert len(character.about) > 300
    assert character.talks
    assert character.likes
    assert character.never
    assert len(character.examples) >= 5
    assert set(character.expressions) <= AVATAR
    for example in character.examples:
        tags = [part.split("]")[0] for part in example.she.split("[")[1:]]
        assert set(tags) <= set(character.expressions)
        assert "*" not in example.she


def test_shipped_scenes_and_instructions_can_be_read() -> None:
    assert "co-host" in load_scene(PROMPTS / "scenes", "cohost").text
    assert load_scene(PROMPTS / "scenes", "chatting").name == "chatting"
    assert "square brackets" in load_instructions(PROMPTS / "instructions", "default")


def test_written_character_reads_back_the_same(tmp_path: Path) -> None:
    character = load_character(PROMPTS / "characters", "voxelle")
    path = write_character(tmp_path / "characters", character, "copy")
    assert path.name == "copy.yaml"
    assert load_character(tmp_path / "characters", "copy") == character


def test_existing_character_is_never_replaced(tmp_path: Path) -> None:
    write_character(tmp_path, Character(name="A"), "a")
    with pytest.raises(FileExistsError):
        write_character(tmp_path, Character(name="B"), "a")
    assert load_character(tmp_path, "a").name == "A"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", ".hidden", ""])
def test_character_is_never_written_or_read_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a plain file name"):
        write_character(tmp_path / "in", Character(name="A"), name)
    with pytest.raises(ConfigurationError, match="there is no in/"):
        load_character(tmp_path / "in", name)


def test_lines_of_a_markdown_file_are_counted_from_its_top(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("---\nname: A\nborn: 2026-13-01\n---\nYou are a poet.")
    with pytest.raises(ConfigurationError, match=r"bad\.md:3: born"):
        load_character(tmp_path, "bad")


def test_of_thousands_of_mistakes_the_first_twenty_are_told(tmp_path: Path) -> None:
    text = "name: A\n" + "".join(f"k{number}: 1\n" for number in range(5_000))
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"; and 4,980 more$") as caught:
        load_character(tmp_path, "bad")
    assert len(str(caught.value)) < 20 * 500


def test_markdown_character_has_its_text_as_about(tmp_path: Path) -> None:
    text = "---\nname: Iris\nlikes: [rain]\n---\nYou are a poet.\n\nYou rhyme."
    (tmp_path / "iris.md").write_text(text, encoding="utf-8")
    character = load_character(tmp_path, "iris")
    assert character.about == "You are a poet.\n\nYou rhyme."
    assert character.likes == ("rain",)
    assert describe(character).startswith("# You are Iris\n\nYou are a poet.")


def test_unknown_character_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    write_character(tmp_path, Character(name="Iris"), "iris")
    with pytest.raises(ConfigurationError, match="known: iris"):
        load_character(tmp_path, "irs")


def test_all_mistakes_of_a_file_are_told_at_once_with_file_and_key(tmp_path: Path) -> None:
    text = "name: ''\nlikse: [a]\nvoice: {speed: fast}\npalette: {hair: purple}\n"
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_character(tmp_path, "bad")
    for part in ("bad.yaml: name:", "likse", "voice.speed", "palette.hair"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name: [unclosed", "not valid YAML"),
        (b"- just\n- a list", "must be keys and values, such as `name: Voxelle`"),
        (b"", "name: Field required"),
        (b"name: \xff\xfe", "is not UTF-8"),
        (b"name: !!python/object/apply:os.getcwd x", "cannot be read as"),
        (b"name: A\nborn: 2026-13-01", "bad.yaml:2: born: has a value that cannot be read"),
        (b"name: A\nabout: " + b"[" * 90_000, "nested too deeply"),
        (b"name: A\nabout: !!int ''", "cannot be read as int"),
        (b"name: A\nabout: !!bool xx", "cannot be read as bool"),
        (b"name: A\nname: B", "bad.yaml:2: name: stands twice"),
        (b"name: A\nlikes: &a [*a]", "levels"),
        (b"a" * 300_000, "larger than 256 KiB"),
    ],
)
def test_unreadable_file_is_an_error_that_says_why(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"bad\.yaml") as caught:
        load_character(tmp_path, "bad")
    assert told in str(caught.value)
