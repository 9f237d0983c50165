"""One thread for matrix products: with more, the small ones here cost 2 to 5 times as much.

BLAS libraries read their settings when NumPy is first imported, so this imports nothing that
imports NumPy, and whoever starts a process calls it first.
"""

from __future__ import annotations

import os
import sys

SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What OpenMP, OpenBLAS, MKL and Apple's Accelerate look at."""


def pin_blas() -> bool:
    """Ask for one thread, unless the environment says otherwise; False if NumPy was sooner."""
    for name in SETTINGS:
        os.environ.setdefault(name, "1")
    return "numpy" not in sys.modules
