"""Where Whisper models for CTranslate2 come from: a folder, or a visible download."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm  # type: ignore[import-untyped]  # it has no types

from voxelle.utils.exceptions import ConfigurationError

log = logging.getLogger(__name__)

FILES = ("config.json", "model.bin", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")
"""What a download fetches: the files that faster-whisper reads."""

STEP_PERCENT = 10
"""How often the log tells about a download."""


def find_model(model: str, models: Path) -> Path | None:
    """Give the folder of a model: a path, or a name in `models`; `None` if there is none.

    `base` is also found as `faster-whisper-base`, which is how its publishers call it.
    """
    names = (Path(model).expanduser(), models / model, models / f"faster-whisper-{model}")
    for folder in names:
        # A size is no path: a folder that happens to be called "base" here is not meant.
        if folder == Path(model) and not ("/" in model or "\\" in model):
            continue
        if folder.is_dir():
            return folder.absolute()
    return None


def check_model(folder: Path) -> None:
    """Raise `ConfigurationError` at once if a folder is no whole model.

    Without this, faster-whisper would ask the network for a lost tokenizer.json, for 23 s.
    """
    missing = [name for name in ("model.bin", "tokenizer.json") if not (folder / name).is_file()]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    if missing:
        raise ConfigurationError(
            f"{folder} is not a whole Whisper model for faster-whisper: {', '.join(missing)} "
            f"missing. Copy it from where the model came from, or delete the folder and let it be "
            f"downloaded again."
        )


def download_model(model: str, models: Path, stop: threading.Event) -> Path:
    """Fetch a model of a known size into `models`, and tell the log how far it is.

    Takes minutes: call it in a thread. Setting `stop` ends it at the next block with
    `InterruptedError`; the next call goes on where it stopped. Raises `ConfigurationError`
    for an unknown name, without a network, and when the disk is full.
    """
    import huggingface_hub
    from faster_whisper.utils import _MODELS

    repository = _MODELS.get(model)
    if repository is None:
        raise ConfigurationError(_unknown(model, models, sorted(_MODELS)))
    folder = models / f"faster-whisper-{model}"
    log.info("downloading the Whisper model %s to %s", model, folder)

    class Progress(_LoggedProgress):
        wanted, stopping = model, stop

    try:
        huggingface_hub.snapshot_download(
            repository, local_dir=folder, allow_patterns=list(FILES), tqdm_class=Progress
        )
    except InterruptedError:
        raise
    except Exception as error:
        # Everything may happen here: no network, a proxy, a full disk, a vanished repository.
        raise ConfigurationError(
            f"the Whisper model {model!r} is not in {models} and could not be downloaded "
            f"({type(error).__name__}: {_first_line(error)}). Connect to the network once, or put "
            f"the folder of the model there as {folder.name}."
        ) from error
    log.info("the Whisper model %s is complete", model)
    return folder


def missing_model(model: str, models: Path) -> ConfigurationError:
    """Make the error for a model that is not there and must not be downloaded."""
    from faster_whisper.utils import available_models

    sizes = available_models()
    if model not in sizes:
        return ConfigurationError(_unknown(model, models, sizes))
    return ConfigurationError(
        f"the Whisper model {model!r} is not in {models}, and download is false: put its folder "
        f"there as faster-whisper-{model}, or set download to true."
    )


class _LoggedProgress(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A progress bar that writes to the log instead of a terminal."""

    wanted: str
    stopping: threading.Event

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.told = 0
        # The hub names its bars, which the plain tqdm does not know.
        kwargs.pop("name", None)
        kwargs.update(disable=False, file=io.StringIO())
        super().__init__(*args, **kwargs)

    def update(self, n: float | None = 1) -> bool:
        """Count on; raise `InterruptedError` if the download is to stop."""
        if self.stopping.is_set():
            raise InterruptedError("the download was stopped")
        shown = bool(super().update(n))
        percent = int(100 * self.n / self.total) if self.total and self.unit == "B" else 0
        if percent >= self.told + STEP_PERCENT:
            self.told = percent - percent % STEP_PERCENT
            size = self.total / 1e6
            log.info("downloading %s: %d %% of %.0f MB", self.wanted, self.told, size)
        return shown


def _unknown(model: str, models: Path, sizes: list[str]) -> str:
    found = sorted(path.name for path in models.glob("*") if (path / "model.bin").is_file())
    return (
        f"there is no Whisper model {model!r}: it is no folder with a model, not in {models} "
        f"(there: {', '.join(found) or 'none'}), and no known size ({', '.join(sizes)})"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
