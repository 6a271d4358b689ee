"""Tables, as lines of styled pieces: which columns fit a width, and how they stand below each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")
Line = list[tuple[str, str]]
"""Pieces of text, each with its style."""
GAP = "  "
_ELLIPSIS = "…"


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its title, what stands in it, and how dear it is: where room is short the least dear goes first."""

    title: str
    cell: Callable[[Row], str]
    dear: int = 0
    right: bool = False
    style: Callable[[Row], str] = lambda _: ""
    least: int = 0
    """Never narrower than this: what changes from moment to moment should not make the others jump."""


@dataclass(frozen=True)
class Laid(Generic[Row]):
    """The columns that fit, each with its width."""

    columns: tuple[tuple[Column[Row], int], ...]

    def head(self, style: Callable[[Column[Row]], str] = lambda _: "bold") -> Line:
        """The line of titles."""
        return _joined([(_set(one.title, width, right=one.right), style(one)) for one, width in self.columns])

    def line(self, row: Row) -> Line:
        """One row."""
        return _joined([(_set(one.cell(row), width, right=one.right), one.style(row)) for one, width in self.columns])


def lay(columns: Sequence[Column[Row]], rows: Sequence[Row], width: int | None) -> Laid[Row]:
    """As many columns as a width has room for (None: all); if even the dearest is too wide, it is cut."""
    widths = {one: max(len(one.title), one.least, *(len(one.cell(row)) for row in rows), 0) for one in columns}
    kept = list(columns)
    while width is not None and len(kept) > 1 and _total([widths[one] for one in kept]) > width:
        kept.remove(min(kept, key=lambda one: one.dear))
    if width is not None and len(kept) == 1:
        widths[kept[0]] = min(widths[kept[0]], max(1, width))
    return Laid(tuple((one, widths[one]) for one in kept))


def _total(widths: list[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _set(text: str, width: int, *, right: bool) -> str:
    if len(text) > width:
        text = text[: width - 1] + _ELLIPSIS
    return text.rjust(width) if right else text.ljust(width)


def _joined(cells: Line) -> Line:
    pieces: Line = []
    for cell in cells:
        if pieces:
            pieces.append((GAP, ""))
        pieces.append(cell)
    return pieces


def plain(line: Line) -> str:
    """Its text alone, nothing behind the last word."""
    return "".join(text for text, _ in line).rstrip()
