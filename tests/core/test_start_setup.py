"""Setting up: what start.py does to `.venv`, with tiny wheels and no network."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from pathlib import Path

import pytest

from tiny_project import (
    CopiedEnvironment,
    copy_project,
    make_project,
    make_wheel,
    offline,
    run_python,
)
from voxelle_launcher import environment as environments
from voxelle_launcher import main, preparing, trouble
from voxelle_launcher.environment import Environment

RUN = main.RUN_SETS


class Told(list[str]):
    """What start.py said."""

    def __call__(self, text: str) -> None:
        self.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """A project in a folder with spaces and umlauts, and beside it an environment with only pip."""
    folder = tmp_path_factory.mktemp("at home")
    project = make_project(folder / "Vöxelle für Jörg", wheels)
    bare = Environment(folder / "empty")
    bare.root.mkdir()
    bare.make()
    return project


@pytest.fixture(scope="module")
def filled(template: Path, wheels: Path) -> Path:
    """The same project after a set-up."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in offline([wheels]).items():
            patch.setenv(name, value)
        place = copy_project(template, template.parent / "fïlled")
        bare = template.parent / "empty" / ".venv"
        assert preparing.prepare(CopiedEnvironment(place, bare), RUN, Told(), is_fresh=False)
    return place


@pytest.fixture(autouse=True)
def no_network(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in offline([wheels]).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def environment(template: Path, tmp_path: Path) -> CopiedEnvironment:
    project = copy_project(template, tmp_path / "Vöxelle ä b")
    return CopiedEnvironment(project, template.parent / "empty" / ".venv")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def ready(template: Path, filled: Path, tmp_path: Path) -> CopiedEnvironment:
    """A project that is set up, in a folder of its own."""
    project = copy_project(filled, tmp_path / "Vöxelle ä b")
    return CopiedEnvironment(project, template.parent / "empty" / ".venv")


def test_set_up_in_a_path_with_spaces_and_umlauts_makes_packages_and_source_importable(
    ready: CopiedEnvironment,
) -> None:
    found = run_python(ready, "import tinybase, tinyear, tinyvoice, voxelle; print(voxelle)")
    assert "Vöxelle ä b" in found
    assert (ready.scripts / ("voxelle.cmd" if sys.platform == "win32" else "voxelle")).is_file()


def test_source_link_is_ascii_and_relative_so_that_any_home_folder_works(
    ready: CopiedEnvironment,
) -> None:
    version = ready.version()
    assert version is not None
    link = (ready.site_packages(version) / "voxelle.pth").read_bytes().decode("ascii").strip()
    assert not Path(link).is_absolute()


def test_project_has_its_version_and_entry_points_as_if_pip_had_installed_it(
    ready: CopiedEnvironment,
) -> None:
    code = "from importlib.metadata import *; print(version('voxelle'), *entry_points(name='tiny'))"
    assert run_python(ready, code).startswith("1.2.3 EntryPoint(name='tiny'")
    run_python(
        ready, "from pip._internal.cli.main import main; main(['uninstall', '-y', 'voxelle'])"
    )
    assert run_python(ready, "from importlib.util import *; print(find_spec('voxelle'))") == "None"


def test_new_version_of_the_project_is_linked_without_installing_anything(
    ready: CopiedEnvironment, told: Told
) -> None:
    project = ready.root / "pyproject.toml"
    text = project.read_text(encoding="utf-8").replace("1.2.3", "1.3.0")
    project.write_text(text, encoding="utf-8")
    assert preparing.prepare(ready, RUN, told, is_fresh=False)
    assert told == []
    shown = run_python(ready, "from importlib.metadata import version; print(version('voxelle'))")
    assert shown == "1.3.0"


def test_second_set_up_does_nothing(
    ready: CopiedEnvironment, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "")  # pip could not install anything now
    assert not preparing.prepare(ready, RUN, told, is_fresh=False)
    assert told == []


def test_only_what_is_new_is_installed(ready: CopiedEnvironment, told: Told) -> None:
    assert preparing.prepare(ready, main.TEST_SETS, told, is_fresh=False)
    assert [line.split()[1] for line in told if line.startswith("Installing")] == ["dev"]


def test_sets_of_earlier_calls_are_kept_up_to_date(
    ready: CopiedEnvironment, wheels: Path, told: Told
) -> None:
    preparing.prepare(ready, ["base", "local"], Told(), is_fresh=False)
    more = make_wheel(wheels, "tinymore", "tinymore", "")
    lock = ready.root / "requirements" / "local.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + more, encoding="utf-8")
    assert preparing.prepare(ready, ["base"], told, is_fresh=False)
    assert [line.split()[1] for line in told if line.startswith("Installing")] == ["local"]
    run_python(ready, "import tinymore")


def interrupted(environment: Environment) -> None:
    stamp = environment.stamp()
    assert stamp is not None
    stamp.is_whole = False
    environment.write(stamp)


def package_lost(environment: Environment) -> None:
    version = environment.version()
    assert version is not None
    shutil.rmtree(environment.site_packages(version) / "tinybase-1.0.dist-info")


def python_removed(environment: Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to(environment.root / "removed" / "python")


def python_upgraded(environment: Environment) -> None:
    stamp = environment.stamp()
    assert stamp is not None
    stamp.python = "3.10"
    environment.write(stamp)


def half_made(environment: Environment) -> None:
    environment.remove()
    environment.folder.mkdir()


def only_a_file(environment: Environment) -> None:
    environment.remove()
    environment.folder.write_text("not a folder", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (interrupted, "interrupted"),
        (package_lost, "lost"),
        (python_removed, "does not run"),
        (python_upgraded, "changed from 3.10"),
        (half_made, "does not run"),
        (only_a_file, "does not run"),
    ],
)
def test_broken_environment_is_made_anew(
    ready: CopiedEnvironment, told: Told, damage: object, reason: str
) -> None:
    assert callable(damage)
    damage(ready)
    assert preparing.prepare(ready, RUN, told, is_fresh=False)
    assert reason in told[0]
    assert "anew" in told[0]
    run_python(ready, "import tinybase")
    assert not preparing.prepare(ready, RUN, told, is_fresh=False)


def test_unreadable_stamp_does_not_stop_the_set_up(ready: CopiedEnvironment, told: Told) -> None:
    for broken in ("{", '"text"', json.dumps({"sets": []}), json.dumps({"more": 1})):
        (ready.folder / "voxelle-stamp.json").write_text(broken, encoding="utf-8")
        assert ready.stamp() is None
    assert preparing.prepare(ready, RUN, told, is_fresh=False)
    assert not preparing.prepare(ready, RUN, told, is_fresh=False)


def test_environment_made_by_hand_is_filled_and_keeps_what_is_in_it(
    environment: CopiedEnvironment, told: Told
) -> None:
    environment.make()
    (environment.folder / "voxelle-stamp.json").unlink()
    kept = environment.folder / "mine.txt"
    kept.write_text("mine", encoding="utf-8")
    assert preparing.prepare(environment, RUN, told, is_fresh=False)
    assert kept.exists()
    run_python(environment, "import tinybase")


def test_fresh_makes_a_whole_environment_anew(ready: CopiedEnvironment, told: Told) -> None:
    (ready.folder / "old.txt").write_text("old", encoding="utf-8")
    assert preparing.prepare(ready, RUN, told, is_fresh=True)
    assert not (ready.folder / "old.txt").exists()


def test_missing_optional_wheel_is_told_once_and_set_up_goes_on(
    environment: CopiedEnvironment, told: Told
) -> None:
    lock = environment.root / "requirements" / "pocketsphinx.txt"
    lock.write_text(f"nowhere==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert preparing.prepare(environment, RUN, told, is_fresh=False)
    assert "offline ear (pocketsphinx)" in told.text
    run_python(environment, "import tinybase, tinyvoice")
    assert not preparing.prepare(environment, RUN, told, is_fresh=False)


def test_what_pip_says_is_shown_only_if_it_fails(
    environment: CopiedEnvironment, told: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    preparing.prepare(environment, RUN, told, is_fresh=False)
    assert capfd.readouterr() == ("", "")
    assert "Installed base in" in told.text
    lock = environment.root / "requirements" / "base.txt"
    lock.write_text(f"nowhere==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(trouble.NoWheelError):
        preparing.prepare(environment, RUN, told, is_fresh=False)
    assert "No matching distribution found for nowhere" in capfd.readouterr().err


def test_gpl_voice_is_announced(environment: CopiedEnvironment, told: Told) -> None:
    preparing.prepare(environment, RUN, told, is_fresh=False)
    assert "GPL-3" in told.text


def test_missing_required_wheel_names_the_pythons_that_work(
    environment: CopiedEnvironment, told: Told
) -> None:
    lock = environment.root / "requirements" / "base.txt"
    lock.write_text(f"nowhere==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(trouble.NoWheelError, match=r"3\.11, 3\.12 or 3\.13"):
        preparing.prepare(environment, RUN, told, is_fresh=False)


def test_package_with_another_hash_is_refused(environment: CopiedEnvironment, told: Told) -> None:
    lock = environment.root / "requirements" / "base.txt"
    lock.write_text(f"tinybase==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(trouble.SetupError, match="not the one that Voxelle was tested with"):
        preparing.prepare(environment, RUN, told, is_fresh=False)


def test_no_network_is_said_and_the_next_start_mends_it(
    environment: CopiedEnvironment, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delenv("PIP_NO_INDEX")
        patch.delenv("PIP_FIND_LINKS")
        patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        with pytest.raises(trouble.SetupError, match="registry cannot be reached"):
            preparing.prepare(environment, RUN, told, is_fresh=False)
    assert preparing.prepare(environment, RUN, told, is_fresh=False)
    run_python(environment, "import tinybase")


def test_incomplete_copy_of_the_project_is_said(ready: CopiedEnvironment, told: Told) -> None:
    (ready.root / "requirements" / "base.txt").unlink()
    with pytest.raises(trouble.SetupError, match=r"base\.txt is missing"):
        preparing.prepare(ready, RUN, told, is_fresh=False)


class RefusedEnvironment(CopiedEnvironment):
    """An environment in a folder to which the system refuses to write."""

    refusal: OSError

    def make(self) -> None:
        raise self.refusal


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "may not write to"),
        (OSError(errno.EROFS, "Read-only file system"), "may not write to"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
)
def test_refusal_of_the_system_is_a_sentence(
    template: Path, told: Told, tmp_path: Path, refusal: OSError, sentence: str
) -> None:
    place = copy_project(template, tmp_path / "x")
    environment = RefusedEnvironment(place, template)
    environment.refusal = refusal
    with pytest.raises(trouble.SetupError, match=sentence):
        preparing.prepare(environment, RUN, told, is_fresh=False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: Could not install: [WinError 112] There is not enough", "The disk is full"),
        ("ERROR: [Errno 13] Permission denied: '/x'", "may not write to"),
        ("ERROR: [WinError 5] Access is denied", "may not write to"),
        ("WARNING: Retrying (Retry(total=0)) after connection broken by", "cannot be reached"),
        ("SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED)", "cannot be reached"),
        ("something else", "--fresh"),
    ],
)
def test_words_of_pip_become_a_sentence(words: str, sentence: str, tmp_path: Path) -> None:
    assert sentence in str(trouble.from_pip(words, tmp_path))


def test_python_without_ensurepip_names_the_debian_package(
    environment: CopiedEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "find_spec", lambda name: None)
    with pytest.raises(trouble.SetupError, match="no venv or ensurepip module"):
        Environment(environment.root).make()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"sudo apt install python{version}-venv" in str(trouble.no_venv_module(is_debian=True))
    assert "python.org" in str(trouble.no_venv_module(is_debian=False))


def test_python_newer_than_the_pins_is_said_before_anything_is_made(
    environment: CopiedEnvironment, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "NEWEST", (3, 10))
    with pytest.raises(trouble.SetupError, match="is newer than the packages"):
        preparing.prepare(environment, RUN, told, is_fresh=False)
    assert not environment.folder.exists()
