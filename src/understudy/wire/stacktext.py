"""Stacks as text, in the words of Python's fault handler: a block for each thread, in a useful order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import CodeType

DEEPEST = 100
"""Frames of a thread that are told, as the fault handler does."""
_HEAD = re.compile(r"^(?:Current thread|Thread) 0x0*([0-9a-f]+)[^\n]*$", re.MULTILINE)
_LAST = "  ..."
Steps = list[tuple[CodeType, int | None]]
"""Where a thread stands, the innermost call first: code, and the line in it."""


def written(stacks: Mapping[int, Steps], order: Iterable[int], names: Mapping[int, str]) -> str:
    """The blocks of these threads, told by their idents, in that order; with their names where they have one."""
    return "\n\n".join(
        "\n".join([_title(ident, names.get(ident)), *map(_line, stacks[ident]), *_more(stacks[ident])])
        for ident in order
    )


def ordered(text: str) -> str:
    """What the fault handler wrote, the thread that wrote it first: that is the main one, as a rule."""
    heads = list(_HEAD.finditer(text))
    if not heads:
        return text.strip()
    ends = [head.start() for head in heads[1:]] + [len(text)]
    blocks = [
        (not head[0].startswith("Current"), f"{_title(int(head[1], 16))}{text[head.end() : end].rstrip()}")
        for head, end in zip(heads, ends, strict=True)
    ]
    before = text[: heads[0].start()].strip()
    return "\n\n".join(filter(None, [before, *(block for _, block in sorted(blocks, key=lambda one: one[0]))]))


def cut(text: bytes, limit: int) -> bytes:
    """At most so many bytes of it, with a last line that says how many are missing."""
    if len(text) <= limit:
        return text
    note = b"\n... %d bytes more\n" % (len(text) - limit)
    return text[: limit - len(note)] + note


def _title(ident: int, name: str | None = None) -> str:
    shown = "" if name is None else f' "{name}"'
    return f"Thread 0x{ident:016x}{shown} (most recent call first):"


def _line(step: tuple[CodeType, int | None]) -> str:
    code, line = step
    return f'  File "{code.co_filename}", line {"???" if line is None else line} in {code.co_name}'


def _more(steps: Steps) -> list[str]:
    return [_LAST] if len(steps) >= DEEPEST else []
