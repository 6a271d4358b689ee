"""Where the actors' own files are, and the last lines of one that has ended."""

from __future__ import annotations

import contextlib
import os

from understudy.errors import ConfigError
from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands, Outcome
from understudy.router.records import Record
from understudy.router.tailing import Share, last
from understudy.router.world import World
from understudy.settings import shown

STREAMS = ("stdout", "stderr")
"""The names of the files."""
_LAST_LINES, _LAST_BYTES = 100, 1 << 16


def made_directory(path: object) -> str:
    """A directory for the files of actors, made if it is missing; raises ConfigError."""
    if not isinstance(path, str | os.PathLike):
        raise ConfigError(f"output_dir={shown(path)}: give the path of a directory")
    try:
        made = os.path.abspath(os.fsdecode(path))
        os.makedirs(made, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"output_dir={shown(path)}: {error}") from None
    return made


def directory_of(world: World, actor: Actor) -> str | None:
    """Where the actor's own files are; None where it writes to those of the parent."""
    if actor.spec.config.output != "file":
        return None
    if world.output_dir is None:
        return os.path.join(world.directory, "actors", str(actor.uid))
    first, *others = actor.name.split("/")
    # Beside the files of `a`, be they renamed, `a/stdout` needs another name: one that no actor has.
    return os.path.join(world.output_dir, first, *(f"_{one}" if one.startswith(STREAMS) else one for one in others))


def read_last_lines(world: World, actor: Actor, record: Record, files: Errands) -> None:
    """Have the last lines of its stderr file read, for the report of a death that was just told."""
    directory, page = directory_of(world, actor), record.page
    if directory is None or page is None or page.stderr_from < 0:
        return
    share = Share(_LAST_LINES, _LAST_BYTES)
    start = page.stderr_from

    def keep(_: Outcome) -> None:
        if record.page is page:  # else it came too late
            record.last_lines, record.reading = tuple(share.taken), False

    # Without a thread to be had, what went through Python has to do.
    with contextlib.suppress(RuntimeError):
        record.reading = files.run(lambda: last(os.path.join(directory, "stderr"), share, start=start), keep)
