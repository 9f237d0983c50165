"""A worker that does as it is told, be it good or bad."""

from __future__ import annotations

import json
import os
import sys
import time

from voxelle.processes.serving import Handler, Request, Turn, Work, serve
from voxelle.utils.exceptions import ConfigurationError, ValidationError

OPTIONS = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


def echo(request: Request) -> Work:
    """Give back what comes, until all has come."""
    while True:
        is_complete = request.is_complete
        while (payload := request.read()) is not None:
            request.answer(payload, size=len(payload))
            yield Turn.PASS
        if is_complete:
            return
        yield Turn.WAIT


def count(request: Request) -> Work:
    """Count up to `to`, in one go or giving others their turn."""
    for number in range(request.header["to"]):
        request.answer(number=number)
        if request.header.get("politely", True):
            yield Turn.PASS


def busy(request: Request) -> Work:
    """Work without a break until cancelled, as a C library with a callback does."""
    request.answer(state="begun")
    yield Turn.PASS
    while not request.is_cancelled:
        time.sleep(0.001)


def misbehave(request: Request) -> Work:
    """Do what a sick program does."""
    what = request.header["how"]
    if what == "exit":
        sys.stderr.write("cannot go on\n")
        os._exit(7)
    if what == "hang":
        time.sleep(60)
    if what == "chatter":
        os.write(1, b"printed by a library\n")
        for n in range(5_000):
            sys.stderr.write(f"line {n} " + "x" * 2_000 + "\n")
    if what == "configuration":
        raise ConfigurationError("no such voice")
    if what == "validation":
        raise ValidationError("no such word")
    if what == "bug":
        raise ZeroDivisionError("a bug")
    yield Turn.PASS


def open_handler() -> tuple[Handler, dict[str, object]]:
    how = OPTIONS.get("start")
    if how == "refuse":
        raise ConfigurationError("the model is not there")
    if how == "die":
        os._exit(3)
    if how == "sleep":
        time.sleep(60)
    kinds: dict[str, Handler] = {
        "echo": echo,
        "count": count,
        "busy": busy,
        "misbehave": misbehave,
    }
    return lambda request: kinds[request.header["what"]](request), {"pid": os.getpid()}


if __name__ == "__main__":
    serve(open_handler)
