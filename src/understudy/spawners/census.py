"""Which processes an actor's family is made of while it lives: itself and all that it started.

Its descendants are found from above, by the lists of children that the kernel keeps. What lost its parent lands where
the actor's own parent is, at the zygote, and is told there by the actor's session or signature. Where this doesn't hold
(an actor that the zygote did not fork, a kernel without these lists) the whole process table is read, once a census.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from understudy.spawners import family
from understudy.spawners.family import Row


@dataclass(frozen=True, slots=True)
class Head:
    """The process of a living actor; ``adopts``: where its parent is, there its orphans go."""

    pid: int
    system: str
    uid: int
    incarnation: int
    adopts: bool


class Census:
    """One look at the families of some actors; what is known of the process table is looked up once."""

    def __init__(self, others: Iterable[int] = ()) -> None:
        self._others = frozenset(others)
        self._table: dict[int, Row] | None = None
        self._orphans: dict[int, list[Row]] = {}

    def household(self, head: Head) -> list[int]:
        """The numbers of its processes, its own first; none where it is gone."""
        root = family.row(head.pid)
        if root is None:
            return []
        if root.session != head.pid:  # just forked: it has started nothing, and what its session has is not its own
            return [head.pid]
        orphans = self._landed(root.parent) if head.adopts else None
        if orphans is None:
            return self._by_table(head)
        found: dict[int, None] = {}
        queue = [head.pid, *(one.pid for one in orphans if _is_of(one, head))]
        while queue:
            pid = queue.pop(0)
            if pid not in found:
                found[pid] = None
                queue.extend(_children(pid) or ())
        return list(found)

    def _landed(self, parent: int) -> list[Row] | None:
        """What is a child of that process and nobody that we know; None where the kernel doesn't tell."""
        if parent not in self._orphans:
            children = _children(parent)
            if children is None:
                return None
            rows = (family.row(pid) for pid in children if pid not in self._others)
            self._orphans[parent] = [one for one in rows if one is not None]
        return self._orphans[parent]

    def _by_table(self, head: Head) -> list[int]:
        if self._table is None:
            self._table = family.table()
        heirs = [one.pid for one in self._table.values() if one.pid != head.pid and _is_of(one, head)]
        below = family.descendants(self._table, [head.pid, *heirs])
        return list(dict.fromkeys([head.pid, *heirs, *(one.pid for one in below)]))


def _is_of(one: Row, head: Head) -> bool:
    return one.session == head.pid or family.signed(one.pid) == family.signature(
        head.system, head.uid, head.incarnation
    )


def _children(pid: int) -> list[int] | None:
    """The children of a process, of all its threads; none where it is gone, None where the kernel doesn't list them."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.extend(map(int, file.read().split()))
        except FileNotFoundError:
            if os.path.exists(f"/proc/{pid}/task/{thread}"):
                return None
        except OSError:  # the thread ended, or its list may not be read
            continue
    return found
