"""The command line: `voxelle run | check | providers | schema | say | hear | talk | new`.

Exit codes: 0 all went well, 1 it failed, 2 the command was used wrongly, 3 the config, the prompts
or the environment are wrong, 130 stopped with Ctrl+C.

Only typer is imported here. Each command imports what it needs when it is called, so that
`voxelle --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="voxelle",
    help="An AI co-host for live streams: hears, thinks, speaks and moves.",
    epilog="Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 wrong configuration, 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[
    str, typer.Option("--config", "-c", help="A config in configs/ by its name, or a path.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The wav or flac file to write.")]


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"voxelle {version('voxelle')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Tell the version and end."
        ),
    ] = False,
) -> None:
    """Take what belongs to no command."""


@app.command()
def run(
    config: ConfigOption = "default",
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Instead of the config's; 0 is any free.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Instead of the config's.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page once she is ready.")] = False,
) -> None:
    """Run the core until Ctrl+C."""
    from voxelle.cli.running import run as command

    command(config, port, host, opens_browser=browser)


@app.command()
def check(
    config: ConfigOption = "default",
    opens: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether to open the providers, too.")
    ] = True,
    is_json: JsonOption = False,
) -> None:
    """Check the config, the prompts, the packages, the providers and the sound devices."""
    from voxelle.cli.checking import check as command

    command(config, opens=opens, is_json=is_json)


@app.command()
def providers(
    role: Annotated[str | None, typer.Argument(help="Only of this role, such as tts.")] = None,
    is_json: JsonOption = False,
) -> None:
    """List every provider, what it lacks, and its options."""
    from voxelle.cli.listing import providers as command

    command(role, is_json=is_json)


@app.command()
def schema() -> None:
    """Write the JSON schema of config files, for editors."""
    from voxelle.cli.listing import schema as command

    command()


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from the input.")],
    out: OutOption = Path("said.wav"),
    config: ConfigOption = "default",
    is_json: JsonOption = False,
) -> None:
    """Speak a text into a file, with her voice and its filters."""
    from voxelle.cli.saying import say as command

    command(text, out, config, is_json=is_json)


@app.command()
def hear(
    file: Annotated[Path, typer.Argument(help="wav, flac, or raw (16 kHz, 16 bit, mono).")],
    config: ConfigOption = "default",
    is_json: JsonOption = False,
) -> None:
    """Write down what is said in a recording, utterance by utterance."""
    from voxelle.cli.hearing import hear as command

    command(file, config, is_json=is_json)


@app.command()
def talk(
    file: Annotated[Path, typer.Argument(help="wav, flac, or raw (16 kHz, 16 bit, mono).")],
    out: OutOption = Path("reply.wav"),
    config: ConfigOption = "default",
    is_json: JsonOption = False,
) -> None:
    """Play one whole turn from a recording, and tell when what happened."""
    from voxelle.cli.talking import talk as command

    command(file, out, config, is_json=is_json)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Her name, as people will say it.")],
    card: Annotated[
        Path | None, typer.Option(help="A character card V2 or V3 to import, png or json.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Make a new character and a config for her, in your home."""
    from voxelle.cli.making import new as command

    command(name, card, is_json=is_json)
