from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from voxelle.operations import registry as registry_module
from voxelle.operations.base import Options, Provider
from voxelle.operations.registry import Choice, Registry, unknown
from voxelle.utils.exceptions import ConfigurationError


class LoudOptions(Options):
    rate: int = 24_000
    pitch_hz: float = 220.0


class Loud(Provider):
    options_type = LoudOptions


PLUGINS = {
    "good": "from voxelle.operations.base import Provider\nclass Voice(Provider): ...\n",
    "broken": "raise RuntimeError('licence expired')\n",
    "hungry": "import no_such_package_at_all\n",
    "damaged": "raise ImportError('DLL load failed')\n",
    "empty": "",
    "strange": "class Voice: ...\n",
}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A distribution that names five voices, as pip would install it."""
    info = tmp_path / "voxelle_voices-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voxelle-voices\nVersion: 1.0\n")
    lines = [f"{name} = voices_{name}:Voice" for name in PLUGINS]
    (info / "entry_points.txt").write_text("\n".join(["[voxelle.tts]", *lines]))
    for name, code in PLUGINS.items():
        (tmp_path / f"voices_{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("tts", {"good": "nowhere:Nothing"}, {})
    for name in PLUGINS:
        sys.modules.pop(f"voices_{name}", None)


class LoudRegistry(Registry):
    def find(self, name: str) -> type[Provider]:
        return Loud


def test_a_plugin_is_found_by_its_entry_point_and_may_replace_a_builtin(plugins: Registry) -> None:
    assert set(plugins.places()) == set(PLUGINS)
    assert plugins.find("good").__module__ == "voices_good"
    assert isinstance(plugins.create(Choice(id="good")), Provider)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", "voices_broken:Voice: RuntimeError: licence expired"),
        ("hungry", "needs a package that is not installed .*no_such_package_at_all"),
        ("damaged", "voices_damaged:Voice: ImportError: DLL load failed"),
        ("empty", "module 'voices_empty' has no attribute 'Voice'"),
        ("strange", "voices_strange:Voice is not a class made from Provider"),
        ("goood", "known: broken, damaged, empty, good, hungry, strange; did you mean 'good'?"),
    ],
)
def test_a_plugin_that_does_not_work_is_named_with_the_reason(
    plugins: Registry, name: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        plugins.find(name)


def test_a_missing_package_of_ours_comes_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "voxelle-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voxelle\nVersion: 9.9\n")
    (info / "INSTALLER").write_text("pip\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry("tts", {"heavy": "no_such_package_at_all:Voice"}, {"heavy": "local"})
    with pytest.raises(ConfigurationError, match=r'pip install "voxelle\[local\]"'):
        registry.find("heavy")


@pytest.mark.parametrize(
    ("extra", "command"),
    [("local", "python start.py --with local"), ("espeak", "python start.py")],
)
def test_the_command_fits_the_environment_that_start_py_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str, command: str
) -> None:
    info = tmp_path / "voxelle-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voxelle\nVersion: 9.9\n")
    (info / "INSTALLER").write_text("start.py\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry_module.command_for(extra) == command


def test_all_wrong_options_are_named_at_once() -> None:
    registry = LoudRegistry("tts", {}, {})
    choice = Choice.model_validate({"id": "loud", "rate": "fast", "rat": 8000, "pitch_hz": "low"})
    with pytest.raises(ConfigurationError) as caught:
        registry.create(choice)
    for key in ("rate:", "rat:", "pitch_hz:"):
        assert key in str(caught.value)


def test_what_an_extra_lacks_is_told_without_importing_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [
        "numpy>=1.26",
        "pytest>=1; extra == 'voices'",
        'no-such-package-at-all[fast]>=2; extra == "voices"',
        "another-missing-one; extra == 'ears'",
    ]
    monkeypatch.setattr(registry_module, "requires", lambda _: lines)
    registry = Registry("tts", {"a": "a:A", "b": "b:B"}, {"a": "voices"})
    assert registry.lacking("a") == ("no-such-package-at-all",)
    assert registry.lacking("b") == ()


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert unknown("voice", "zzz", ["anna"]) == "no voice is called 'zzz'; known: anna"
