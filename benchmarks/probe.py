"""What the kernel says of a family of processes (Linux, /proc)."""

import os
import time
from pathlib import Path

MARK = "UNDERSTUDY_BENCHMARK"
"""Environment variable, of one value a run, by which all processes of that run are found."""


def pids() -> list[int]:
    """All processes of the machine."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def marked(value: str) -> list[int]:
    """Processes that bear this mark since their exec, or whose forebear did."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for pid in pids():
        try:
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def descendants(root: int) -> list[int]:
    """All below `root` by parentage, without itself."""
    children: dict[int, list[int]] = {}
    for pid in pids():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def family() -> set[int]:
    """This process and all that came from it, also those that were orphaned or have overwritten their mark."""
    mark = os.environ.get(MARK)
    return {os.getpid(), *descendants(os.getpid()), *(marked(mark) if mark else [])}


def cpu_seconds(members: set[int]) -> dict[int, float]:
    """CPU time of each member that lives, all its threads, in seconds; by its clock: ticks of 10 ms are too coarse."""
    spent = {}
    for pid in members:
        clock = (~pid << 3) | 2  # Linux' name for the CPU clock of a process, as clock_getcpuclockid makes it
        try:
            spent[pid] = time.clock_gettime(clock)
        except OSError:  # gone meanwhile
            continue
    return spent


def pss_mib(members: set[int]) -> float:
    """Proportional set size of all members together, in MiB. The dead count nothing."""
    total = 0
    for pid in members:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024
