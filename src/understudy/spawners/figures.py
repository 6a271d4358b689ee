"""What processes use, by psutil: one sum over a family. What cannot be had is None, and never an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a family at one moment: CPU seconds since its beginning, memory in MiB.

    ``os_status`` is that of its head. A sum of which a part cannot be had is None; what ended while it was looked at is
    no part.
    """

    os_status: str | None = None
    cpu_seconds: float | None = None
    memory_mb: float | None = None
    pss_mb: float | None = None
    threads: int | None = None
    open_files: int | None = None


def measure(pids: Sequence[int], *, pss: bool) -> Figures:
    """The figures of the processes of these numbers, the head first; with ``pss`` also the dear one."""
    import psutil  # costs its memory only where figures are asked for

    found = (_told(partial(psutil.Process, pid)) for pid in pids)
    members: list[psutil.Process] = [member for member in found if member is not None]
    if not members or members[0].pid != pids[0]:
        return Figures()
    head = members[0]
    sums: dict[str, Any] = {name: 0 for name in _PARTS if pss or name != "pss_mb"}
    for member in members:
        for name, so_far in sums.items():
            if so_far is not None:
                part = _part(member, name, is_head=member is head)
                sums[name] = None if part is None else so_far + part
    return Figures(os_status=_told(head.status), **sums)


_PARTS: dict[str, Callable[[psutil.Process], float]] = {
    # With what ended children used, once they were waited for: it was the family's too.
    "cpu_seconds": lambda process: sum(process.cpu_times()[:4]),
    "memory_mb": lambda process: process.memory_info().rss / MIB,
    "pss_mb": lambda process: process.memory_full_info().pss / MIB,
    "threads": lambda process: process.num_threads(),
    "open_files": lambda process: process.num_fds(),
}


def _part(member: psutil.Process, name: str, *, is_head: bool) -> float | None:
    import psutil

    try:
        return _PARTS[name](member)
    except psutil.NoSuchProcess:
        return None if is_head else 0
    except Exception:  # noqa: BLE001 - whatever keeps one figure from us, the others stand
        # What a zombie had is gone, though the system may call it forbidden.
        return 0 if not is_head and _told(member.status) == psutil.STATUS_ZOMBIE else None


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - as above
        return None
