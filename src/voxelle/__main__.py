"""The `voxelle` command, also as `python -m voxelle`."""

from __future__ import annotations

import sys

from voxelle.operations.vad.threads import pin_blas


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    # Before anything imports numpy: its threads would fight each other for the few small products
    # of a voice detector, and make each of them slower.
    pin_blas()
    for stream in (sys.stdout, sys.stderr):
        # A Windows console of another code page must not fail on an emoji in a reply.
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")
    from voxelle.cli import app

    app(prog_name="voxelle")


if __name__ == "__main__":
    main()
