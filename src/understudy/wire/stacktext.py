"""What a dump of stacks says, as Python's fault handler writes it: a block for each thread, put into a useful order."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_HEAD = re.compile(r"^(?:Current thread|Thread) 0x0*([0-9a-f]+)[^\n]*$", re.MULTILINE)


def ordered(text: str, first: int | None, names: Mapping[int, str], ours: Collection[int] = ()) -> str:
    """The same blocks, that of the thread ``first`` (None: of the one that wrote) at the top, those of ``ours`` last.

    Threads, told by their idents, that are in ``names`` have their names beside them.
    """
    heads = list(_HEAD.finditer(text))
    if not heads:
        return text.strip()
    ends = [head.start() for head in heads[1:]] + [len(text)]
    blocks: list[tuple[int, str]] = []
    for head, end in zip(heads, ends, strict=True):
        ident = int(head[1], 16)
        rank = 2 if ident in ours else 1
        if ident == first or (first is None and head[0].startswith("Current")):
            rank = 0
        name = f' "{names[ident]}"' if ident in names else ""
        title = f"Thread 0x{ident:016x}{name} (most recent call first):"
        blocks.append((rank, f"{title}{text[head.end() : end].rstrip()}"))
    before = text[: heads[0].start()].strip()
    return "\n\n".join(filter(None, [before, *(block for _, block in sorted(blocks, key=lambda one: one[0]))]))


def cut(text: bytes, limit: int) -> bytes:
    """At most so many bytes of it, with a last line that says how many are missing."""
    if len(text) <= limit:
        return text
    note = b"\n... %d bytes more\n" % (len(text) - limit)
    return text[: limit - len(note)] + note
