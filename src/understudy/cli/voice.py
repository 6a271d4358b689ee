"""Standard output: in colour on a terminal, plain text elsewhere, or JSON."""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from understudy.cli.sheet import Column, Line, Row, lay, plain

if TYPE_CHECKING:
    from rich.console import Console


class Voice:
    """How a verb says something to people; rich is imported for a terminal only."""

    def __init__(self) -> None:
        self.console: Console | None = None
        if sys.stdout.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}:
            from rich.console import Console

            self.console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines may be as long as they like."""
        return None if self.console is None else shutil.get_terminal_size().columns

    def line(self, line: Line) -> None:
        """One line, shown at once."""
        if self.console is None:
            print(plain(line), flush=True)
        else:
            self.console.print(_text(line))

    def raw(self, head: tuple[str, str], text: str, style: str) -> None:
        """A head, and somebody else's text behind it: of its escapes a terminal gets the colours alone."""
        if self.console is None:
            print(f"{head[0]}{text}", flush=True)
            return
        from rich.text import Text

        body = Text.from_ansi(text, style=style)
        self.console.print(Text.assemble(head, body))

    def table(self, columns: Sequence[Column[Row]], rows: Sequence[Row]) -> None:
        """Titles and rows; on a terminal the columns that fit."""
        laid = lay(columns, rows, self.width)
        for line in (laid.head(), *map(laid.line, rows)):
            self.line(line)


def _text(line: Line) -> Any:
    from rich.text import Text

    return Text.assemble(*line)


def check_reader() -> None:
    """Raise BrokenPipeError if standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)  # for what is told unasked: the other end of a pipe is closed
    except (OSError, ValueError):
        return  # it is closed, or no file
    if any(told & select.POLLERR for _, told in poll.poll(0)):
        raise BrokenPipeError


def as_json(value: Any) -> None:
    """One value in one line, shown at once."""
    print(json.dumps(value), flush=True)


def note(verb: str, text: str) -> None:
    """Something by the way, on standard error."""
    print(f"understudy {verb}: {text}", file=sys.stderr, flush=True)
