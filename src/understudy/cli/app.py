"""The command and its verbs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from understudy.cli.run import run

app = typer.Typer(
    name="understudy",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"understudy {version('understudy')}")
        raise typer.Exit


@app.callback()
def understudy(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run Python classes and functions as actors, each in a process of its own."""


app.command("run")(run)


def main() -> None:
    """Run the command line of this process; it ends by `SystemExit`."""
    app(prog_name="understudy")
