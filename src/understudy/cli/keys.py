"""`understudy keys`: who may come in over a network: let somebody in, list them, let somebody in no more."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from understudy.cli.bare import spare
from understudy.cli.completion import members
from understudy.cli.exits import REFUSED, Failure, no_verb
from understudy.cli.options import Json
from understudy.cli.sheet import Column
from understudy.cli.voice import Voice, as_json, note
from understudy.status import Role
from understudy.wire.keyring import Keyring, Member

_PORT = 7700  # in the example of what to say elsewhere


class SubVerbs(TyperGroup):
    """What can be done to a keyring."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of that name, or None."""
        command = super().get_command(ctx, cmd_name)
        for param in command.get_params(ctx) if command is not None else ():
            spare(param)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Which verb is meant; fails with the nearest."""
        verbs = self.list_commands(ctx)
        if args[0] not in verbs and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise no_verb(f"keys {args[0]}", [f"keys {verb}" for verb in verbs])
        return super().resolve_command(ctx, args)


keys = typer.Typer(
    name="keys",
    cls=SubVerbs,
    help="Say who may come in over a network: let somebody in, list them, let somebody in no more.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Directory = Annotated[
    str | None,
    typer.Option("--keys", metavar="DIR", help="The keyring (default: understudy/keys in ~/.config)."),
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as it is listed; ``since`` is the time of day when it was made or revoked, ``problem`` why it is none."""

    name: str
    role: str | None
    since: float | None
    revoked: bool
    problem: str | None = None


COLUMNS: tuple[Column[Entry], ...] = (
    Column("name", lambda one: one.name, 9, style=lambda _: "bold"),
    Column("role", lambda one: one.role or "-", 8),
    Column("since", lambda one: _moment(one.since), 6),
    Column("state", lambda one: "revoked" if one.revoked else "may come", 7),
)


@keys.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who is to come in.", show_default=False)],
    role: Annotated[
        str,
        typer.Option(
            metavar="ROLE",
            help="observer, which looks, or controller, which also acts.",
            show_default=False,
            autocompletion=lambda incomplete: [role for role in Role if role.startswith(incomplete)],
        ),
    ],
    keyring: Directory = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the key there, over nothing else, and leave none in the keyring."),
    ] = None,
    json: Json = False,
) -> None:
    """Let somebody in from now on, and write the file by which they come."""
    ring = Keyring(keyring)
    try:
        made = ring.new(name, role, out=out)
    except FileExistsError as error:
        raise Failure(REFUSED, f"{error.filename} is there already; it is not overwritten") from None
    file = str(ring.key_path(name)) if out is None else out
    if json:
        as_json({"name": made.name, "role": str(made.role), "file": file})
        return
    print(f"{made.name} may come in as {made.role}, where a system opens a gate with the keyring {ring.directory}.")
    print(f"Hand over this file, by a way on which nobody else can read it, and keep no copy: {file}")
    print(f"There: understudy --connect tcp://HOST:{_PORT} --key {shlex.quote(file.rpartition('/')[2])} top")


@keys.command("list")
def list_(keyring: Directory = None, json: Json = False) -> None:
    """List who may come in, and who may not any more."""
    ring = Keyring(keyring)
    found = [_entry(each, revoked=False) for each in ring.members().values()]
    found.sort(key=lambda one: one.name)
    found += [_entry(each, revoked=True) for each in ring.revoked()]
    if json:
        broken = [Entry(file, None, None, file.startswith("revoked/"), why) for file, why in ring.unread.items()]
        as_json([asdict(one) for one in (*found, *broken)])
        return
    if found:
        Voice().table(COLUMNS, found)
    else:
        print("(no keys)" if ring.directory.is_dir() else f"(no keyring at {ring.directory})")
    for file, why in ring.unread.items():
        note("keys", f"nobody comes in by {file}: {why}" if file.startswith("clients/") else f"{file}: {why}")


@keys.command()
def revoke(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose key it is.", autocompletion=members, show_default=False)
    ],
    keyring: Directory = None,
    json: Json = False,
) -> None:
    """Let somebody in no more, from now on; a running system heeds it within a second."""
    taken = Keyring(keyring).revoke(name)
    if json:
        as_json({"name": taken.name, "role": str(taken.role)})
    else:
        print(f"{taken.name} comes in no more.")


def _entry(member: Member, *, revoked: bool) -> Entry:
    return Entry(member.name, str(member.role), member.since, revoked)


def _moment(since: float | None) -> str:
    return "-" if since is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(since))
