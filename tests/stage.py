"""What the tests on real processes share.

Actors import it in their own processes, so nothing here may need pytest.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from understudy import ActorError, ActorRef, DeathReport, Status

T = TypeVar("T")
ROOT = Path(__file__).parents[1]


def until(condition: Callable[[], T], seconds: float = 10, what: str = "it") -> T:
    """What the condition gives as soon as it is true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s; last seen: {value!r}")
        time.sleep(0.005)
    return value


def note(path: str | Path, word: object) -> None:
    """Add a line to a file, in one write: many processes may do so at once."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(fd, f"{word}\n".encode())
    finally:
        os.close(fd)


def notes(path: str | Path) -> list[str]:
    """The lines that were noted so far."""
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


class Keeps(logging.Handler):
    """A log handler that keeps each record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def alive(pid: int) -> bool:
    """Whether that process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def python(
    *arguments: str,
    stdin: str | None = None,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 40,
    executable: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with these arguments to its end; a hang fails."""
    return subprocess.run(
        [executable, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=seconds,
        check=False,
    )


def noted(path: str | Path, count: int = 1, seconds: float = 20) -> list[str]:
    """The lines, once there are so many."""
    return until(lambda: found if len(found := notes(path)) >= count else [], seconds, f"{count} notes in {path}")


def hold(gate: str | Path) -> None:
    """Wait, in an actor, until the test opens the gate by making that file."""
    while not os.path.exists(gate):
        time.sleep(0.005)


def state_of(pid: int) -> str | None:
    """R, S, D, T, Z and so on, as the kernel has it; None where there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return status.rpartition(")")[2].split()[0]


def gone(*pids: int, seconds: float = 20) -> None:
    """Wait until none of these runs."""
    until(lambda: not any(alive(pid) for pid in pids), seconds, f"the end of {pids}")


@contextmanager
def parent(script: str, cwd: Path, *arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program of its own that runs the script, its standard output a pipe; killed in the end if it still runs.

    It can import this module; ``options`` are further ones of `subprocess.Popen`.
    """
    path = cwd / "parent.py"
    path.write_text(script)
    options = {"stdout": subprocess.PIPE, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, **options}
    with subprocess.Popen([sys.executable, str(path), *map(str, arguments)], text=True, cwd=cwd, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def vanished(endpoint: str, seconds: float = 20) -> None:
    """Wait until the run directory of a system is gone: the zygote of one whose parent was killed removes it."""
    until(lambda: not os.path.exists(endpoint.removeprefix("ipc://")), seconds, f"the end of {endpoint}")


def said(process: subprocess.Popen[str]) -> str:
    """The next line that it printed; "" at its end."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: subprocess.Popen[str], line: str) -> None:
    """A line for its standard input, which has to be a pipe."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def descendants(pid: int) -> list[int]:
    """All that descends from that process now, without itself."""
    import psutil  # actors import this module, and do without

    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


def report_of(error: ActorError) -> DeathReport:
    """Its death report, which has to be there."""
    assert error.report is not None, f"{error!r} has no report"
    return error.report


def running(*refs: ActorRef[Any]) -> None:
    """Wait until the parent, too, knows that each of these is up: what one does is seen before its READY is read."""
    for ref in refs:
        until(lambda ref=ref: ref.info().status is Status.RUNNING, 20, f"{ref.name} being RUNNING")  # type: ignore[misc]
