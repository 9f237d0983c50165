from __future__ import annotations

import sys
from pathlib import Path

import pytest

from voxelle.home import Home, examples, find_home, user_folder


def test_the_environment_names_the_home(tmp_path: Path) -> None:
    (tmp_path / "here" / "configs").mkdir(parents=True)
    home = find_home({"VOXELLE_HOME": "../there"}, tmp_path / "here")
    assert home.root == tmp_path / "there"
    assert home.logs == tmp_path / "there" / "logs"


def test_a_working_directory_with_configs_is_a_home(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    assert find_home({"VOXELLE_HOME": " "}, tmp_path) == Home(tmp_path)


def test_anywhere_else_the_home_is_the_users(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environ = {"XDG_DATA_HOME": str(data), "LOCALAPPDATA": str(data)}
    assert find_home(environ, tmp_path) == Home(user_folder(environ))


def test_every_system_has_its_own_place_for_data(tmp_path: Path) -> None:
    assert user_folder({"LOCALAPPDATA": str(tmp_path)}, "win32") == tmp_path / "Voxelle"
    assert user_folder({}, "win32") == Path.home() / "AppData" / "Local" / "Voxelle"
    assert user_folder({}, "darwin").parts[-2:] == ("Application Support", "Voxelle")
    assert user_folder({"XDG_DATA_HOME": str(tmp_path)}, "linux") == tmp_path / "voxelle"
    assert user_folder({"XDG_DATA_HOME": "data"}, "linux") == Path.home() / ".local/share/voxelle"


def test_a_name_may_hold_folders(tmp_path: Path) -> None:
    path = Home(tmp_path).resolve("prompts", "characters/iris.md")
    assert path == tmp_path.resolve() / "prompts" / "characters" / "iris.md"


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "../configs/default.yaml", "a/../../b", "/etc/passwd", "C:\\Windows", "C:x"),
        *("\\\\host\\share", "a\\..\\..\\b", "nul", "COM1.txt", "a/aux.md", "file.", "file /x"),
        *("file:stream", "a\0b", "a\nb", "x" * 501),
    ],
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="prompts has no file"):
        Home(tmp_path).resolve("prompts", name)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")
def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "out").symlink_to(tmp_path)
    (tmp_path / "models" / "in").symlink_to(tmp_path / "models" / "whisper")
    home = Home(tmp_path)
    with pytest.raises(ValueError, match="a link leads out"):
        home.resolve("models", "out/secret.txt")
    assert home.resolve("models", "in/a.bin") == tmp_path.resolve() / "models/whisper/a.bin"


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")
def test_a_whole_folder_may_lie_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(tmp_path / "disk")
    path = Home(tmp_path / "home").resolve("models", "big.bin")
    assert path == tmp_path.resolve() / "disk" / "big.bin"


def test_an_unknown_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it has configs, prompts, models, logs"):
        Home(tmp_path).resolve("secrets", "x")  # type: ignore[arg-type] # that is the point


def test_furnishing_copies_the_examples_and_changes_nothing_that_is_there(tmp_path: Path) -> None:
    mine = tmp_path / "configs" / "default.yaml"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    home = Home(tmp_path)
    written = home.furnish()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert mine not in written
    assert all(path.is_file() for path in written)
    assert all(home.folder(kind).is_dir() for kind in ("models", "logs", "prompts"))
    assert home.furnish() == ()


def test_an_empty_home_gets_all_the_examples(tmp_path: Path) -> None:
    written = {path.relative_to(tmp_path) for path in Home(tmp_path).furnish()}
    there = examples()
    shipped = {path.relative_to(there) for path in (there / "configs").rglob("*") if path.is_file()}
    assert shipped <= written
