"""The screen of a terminal that a verb has to itself: another one than the shell's, which comes back as it was."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from understudy.cli.sheet import Line

_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = b"\x1b[?25h\x1b[?1049l"


class Glass:
    """From the making to `close`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._write(_ENTER)

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with contextlib.suppress(OSError):
            columns, lines = os.get_terminal_size(self._fd)
            if columns and lines:
                return columns, lines
        return 80, 24

    def draw(self, lines: Sequence[Line], columns: int) -> None:
        """These lines and nothing else; what is too long is cut."""
        # Made anew each time: the width is that of this moment.
        console = Console(file=io.StringIO(), force_terminal=True, width=columns, highlight=False, soft_wrap=True)
        shown = [_drawn(console, line) for line in lines]
        self._write(("\x1b[H" + "\x1b[K\r\n".join(shown) + "\x1b[K\x1b[J").encode(errors="replace"))

    def close(self) -> None:
        """Give the shell's screen back."""
        self._write(_LEAVE)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:  # it hung up; a signal says so
                return


def _drawn(console: Console, line: Line) -> str:
    text = Text.assemble(*line, no_wrap=True)
    text.truncate(console.width, overflow="ellipsis")
    with console.capture() as drawn:
        console.print(text, end="")
    return drawn.get()
