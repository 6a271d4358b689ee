"""Reading the pages under docs/: their headings, tables and blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*?) -->\n)?^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block, and what the comment in the line above it says."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    page = path.relative_to(ROOT).as_posix()
    return [
        Block(
            page, text.count("\n", 0, found.start("fence")) + 1, found["language"], found["mark"] or "", found["text"]
        )
        for found in _FENCE.finditer(text)
    ]


def sections(text: str, level: int) -> dict[str, str]:
    """What stands under each heading of a level, backticks left out of the titles."""
    parts = re.split(rf"^#{{{level}}} (.+)\n", text, flags=re.MULTILINE)
    bodies = (re.split(rf"^#{{1,{level}}} ", body, maxsplit=1, flags=re.MULTILINE)[0] for body in parts[2::2])
    return dict(zip((title.strip("`") for title in parts[1::2]), bodies, strict=True))


def tables(text: str) -> list[list[list[str]]]:
    """Every table: its rows without the head, each a list of cells."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    return [[_cells(line) for line in table.splitlines()[2:]] for table in found]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
