"""Whether NumPy's matrix products stay in one thread."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os, sys
for name in list(os.environ):
    if name.endswith("_NUM_THREADS"):
        del os.environ[name]
from voxelle.operations.vad.threads import SETTINGS, pin_blas
assert "numpy" not in sys.modules
os.environ["MKL_NUM_THREADS"] = "3"
assert pin_blas()
assert [os.environ[name] for name in SETTINGS] == ["1", "1", "3", "1"]
import numpy
assert not pin_blas()
"""


def test_one_thread_is_asked_for_before_numpy_is_there() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)  # noqa: S603 - our own code
