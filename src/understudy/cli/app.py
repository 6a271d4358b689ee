"""The command and its verbs."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from understudy.cli import presses
from understudy.cli.bare import spare
from understudy.cli.exits import DENIED, DONE, FAILED, LATE, NO_ACTOR, PRESSED, REFUSED, UNREAD, Failure, no_verb
from understudy.cli.options import CHOICE, Connect, Key, System, placed
from understudy.errors import AccessDenied, ConfigError, UnderstudyError, UnknownActor, WaitTimeout

VERBS = (
    "run",
    "ps",
    "top",
    "watch",
    "info",
    "stop",
    "kill",
    "restart",
    "pause",
    "resume",
    "configure",
    "shutdown",
    "logs",
    "dump",
    "systems",
    "keys",
)
_SETTINGS = {"help_option_names": ["-h", "--help"]}
_UsageError: Any = typer.BadParameter.__mro__[1]  # typer gives it no public name


class Verbs(TyperGroup):
    """Each verb is a module with a function, both of its name, imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of that name, or None."""
        if cmd_name not in VERBS:
            return None
        found = getattr(import_module(f"understudy.cli.{cmd_name}"), cmd_name)
        if isinstance(found, typer.Typer):  # with verbs of its own
            return get_command(found)
        alone = typer.Typer(add_completion=False, context_settings=_SETTINGS)
        alone.command(cmd_name)(placed(found))
        command = get_command(alone)
        for param in command.get_params(ctx):
            spare(param)
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The options before the verb."""
        for param in self.get_params(ctx):
            spare(param)
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Which verb is meant; fails with the nearest."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise no_verb(args[0], VERBS)
        name, command, rest = super().resolve_command(ctx, args)
        for option in CHOICE:
            if (value := ctx.params.get(option)) is None or command is None:
                continue
            if all(param.name != option for param in command.params):
                raise Failure(REFUSED, f"--{option} is for verbs on a running system; {name} is about none")
            rest = [f"--{option}", value, *rest]  # one behind the verb comes last, and holds
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Carry it out."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # here, for typer would make it a failure
            raise typer.Exit(UNREAD) from None
        except KeyboardInterrupt:
            raise typer.Exit(PRESSED) from None


app = typer.Typer(
    name="understudy",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"understudy {version('understudy')}")
        raise typer.Exit


@app.callback()
def understudy(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    system: System = None,
    connect: Connect = None,
    key: Key = None,
) -> None:
    """Run Python classes and functions as actors, and watch and steer the actors of running systems."""


def main(words: list[str] | None = None) -> NoReturn:
    """Run the command line of this process, or these words; it ends by `SystemExit`."""
    given = sys.argv[1:] if words is None else words
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names and texts may hold what a terminal cannot show
    with presses.remembered():
        code, text = _perform(given or ["--help"])
    if text:
        verb = next((f" {word}" for word in _behind_choice(given)[:1] if word in VERBS), "")
        with contextlib.suppress(OSError):  # a terminal that hung up
            print(f"understudy{verb}: {text}", file=sys.stderr, flush=True)
    raise SystemExit(code if _is_flushed() else UNREAD)


def _behind_choice(given: list[str]) -> list[str]:
    """The words without the system that is chosen before the verb."""
    rest = given
    while rest and rest[0].partition("=")[0].removeprefix("--") in CHOICE and rest[0].startswith("--"):
        rest = rest[1 if "=" in rest[0] else 2 :]
    return rest


def _perform(words: list[str]) -> tuple[int, str]:
    """The exit code, and one line for standard error, if any."""
    try:
        return app(words, prog_name="understudy", standalone_mode=False) or DONE, ""
    except Failure as failure:
        return failure.code, _line(failure)
    except _UsageError as error:
        return REFUSED, _line(error.format_message())
    except UnknownActor as error:
        return NO_ACTOR, _line(error)
    except WaitTimeout as error:
        return LATE, _line(error)
    except ConfigError as error:
        return REFUSED, _line(error)
    except AccessDenied as error:
        return DENIED, _line(error)
    except (UnderstudyError, OSError) as error:
        return FAILED, _line(f"{type(error).__name__}: {error}")
    except Exception as error:  # a defect of ours: told in a line, and whole to whoever looks for it
        if os.environ.get("UNDERSTUDY_DEBUG"):
            raise
        return FAILED, _line(f"{type(error).__name__}: {error} (a defect; UNDERSTUDY_DEBUG=1 shows where)")


def _line(text: object) -> str:
    return " ".join(str(text).split())


def _is_flushed() -> bool:
    """False if nobody reads, or can: what is still in the buffer is dropped then, for it is flushed at exit again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
        return False
    return True
