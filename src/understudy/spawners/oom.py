"""Whether the kernel killed for lack of memory where a process lived: its cgroup's count, else the whole system's."""

from __future__ import annotations

import contextlib
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_FIELD = b"oom_kill"


class Witness:
    """Remembers the count from the birth of a process. Where nothing counts, nothing was seen."""

    def __init__(self, pid: int) -> None:
        self._file, self._before = _counter(pid)

    def saw(self) -> bool:
        """Whether there was an OOM kill since; of which process, the kernel does not say."""
        if self._file is None:
            return False
        now = _count(self._file)
        return now is not None and now > self._before


def _counter(pid: int) -> tuple[Path | None, int]:
    for file in (*_of_cgroup(pid), PROC / "vmstat"):
        count = _count(file)
        if count is not None:
            return file, count
    return None, 0


def _of_cgroup(pid: int) -> list[Path]:
    """Where its cgroup counts: v2, then v1."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            inside = path.lstrip("/")
            if not controllers:
                found.insert(0, CGROUPS / inside / "memory.events")
            elif "memory" in controllers.split(","):
                found.append(CGROUPS / "memory" / inside / "memory.oom_control")
    return found


def _count(file: Path) -> int | None:
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return None
    words = next((words for line in lines if (words := line.split())[:1] == [_FIELD]), [])
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
