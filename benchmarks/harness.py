"""Figures, and how they are measured: interleaved rounds, each contestant in a fresh process each time."""

import ctypes
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from json import dumps
from pathlib import Path
from typing import IO, Literal

from benchmarks import probe, stage

ROOT = Path(__file__).resolve().parent.parent
AFTERLIFE = 5.0  # seconds that its processes may outlive it
KILLING = 30.0  # seconds for the ends of those that were killed
PR_SET_CHILD_SUBREAPER = 36

Options = Mapping[str, float | int]
Unit = Literal["laps/s", "events/s", "messages/s", "tasks/s", "ms", "MiB", "%", "GB/s"]


@dataclass(frozen=True)
class Job:
    """One contestant: a call, given a troupe where `troupe` names one. `quick` overrides options.

    `venv` is the folder, below the project's root, of the environment to run in; with none it is the harness's own.
    Another environment sees the benchmarks, but not understudy.
    """

    label: str
    call: str
    troupe: str = ""
    options: Options = field(default_factory=dict)
    quick: Options = field(default_factory=dict)
    venv: str = ""
    limit: float = 180.0  # seconds for one round

    @property
    def python(self) -> str:
        """The interpreter to run it with."""
        return str(ROOT / self.venv / "bin" / "python") if self.venv else sys.executable

    @property
    def sources(self) -> tuple[str, ...]:
        """What its interpreter imports from beside its own packages."""
        return (str(ROOT),) if self.venv else (str(ROOT), str(ROOT / "src"))

    def shortened(self) -> "Job":
        """The same with its quick options."""
        return replace(self, options={**self.options, **self.quick})


@dataclass(frozen=True)
class Target:
    """To be reached: a bound on the ratio to the floor of that label or, with none, on the figure itself."""

    sense: Literal["at most", "at least"]
    bound: float
    floor: str = ""

    def holds(self, value: float) -> bool:
        """Whether that value reaches it."""
        return value <= self.bound if self.sense == "at most" else value >= self.bound


@dataclass(frozen=True)
class Figure:
    """One row of the table. `guests` are other packages: one that fails is told, and fails nothing else."""

    name: str
    title: str
    unit: Unit
    ours: Job
    floors: tuple[Job, ...]
    targets: tuple[Target, ...]
    peers: tuple[Job, ...] = ()
    guests: tuple[Job, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All contestants, in the order of a round."""
        return (self.ours, *self.floors, *self.peers, *self.guests)

    def shortened(self) -> "Figure":
        """The same with fewer samples."""
        return replace(
            self,
            ours=self.ours.shortened(),
            floors=tuple(job.shortened() for job in self.floors),
            peers=tuple(job.shortened() for job in self.peers),
            guests=tuple(job.shortened() for job in self.guests),
        )


@dataclass
class Outcome:
    """What the rounds of one contestant gave: a value each, up to the first error."""

    values: list[float] = field(default_factory=list)
    error: str = ""
    trace: str = ""

    @property
    def median(self) -> float | None:
        """None if it failed."""
        return statistics.median(self.values) if self.values and not self.error else None


@dataclass(frozen=True)
class Row:
    """A figure, measured."""

    figure: Figure
    outcomes: dict[str, Outcome]

    @property
    def errors(self) -> dict[str, str]:
        """Who failed, and how."""
        return {label: outcome.error for label, outcome in self.outcomes.items() if outcome.error}

    @property
    def whole(self) -> bool:
        """Whether all but the guests were measured."""
        return self.errors.keys() <= {job.label for job in self.figure.guests}

    def value(self, label: str) -> float | None:
        """The median of that contestant; None if it failed."""
        return self.outcomes[label].median

    def ratio(self, floor: str) -> float | None:
        """Ours over that floor."""
        ours, other = self.value(self.figure.ours.label), self.value(floor)
        return ours / other if ours is not None and other else None


class Failed(Exception):
    """A contestant gave no value. `trace` is the end of its stderr."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


def measure(figure: Figure, rounds: int, tell: Callable[[str], None]) -> Row:
    """All contestants of a figure in turn, `rounds` times. One that failed takes no further part."""
    outcomes = {job.label: Outcome() for job in figure.jobs}
    for number in range(1, rounds + 1):
        for job in figure.jobs:
            outcome = outcomes[job.label]
            if outcome.error:
                continue
            tell(f"{figure.name}: {job.label}, round {number} of {rounds}")
            try:
                outcome.values.append(run(job))
            except Failed as failure:
                outcome.error, outcome.trace = str(failure), failure.trace
    return Row(figure, outcomes)


def run(job: Job) -> float:
    """One job in a process of its own. Failed, also if it leaves processes behind."""
    mark = uuid.uuid4().hex
    path = os.pathsep.join(filter(None, [*job.sources, os.environ.get("PYTHONPATH")]))
    command = [job.python, "-c", stage.LAUNCH, job.call, job.troupe, dumps(dict(job.options))]
    # Files, not pipes: a process left behind would hold a pipe open for ever.
    with _scratch() as folder, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        environment = {**os.environ, probe.MARK: mark, "PYTHONPATH": path, "TMPDIR": folder}
        try:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"not started: {error}") from error
        try:
            process.wait(job.limit)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"not done within {job.limit:g} s", _tail(err)) from late
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
            left = _sweep(mark)
        value = _value(out, err, process.returncode)
        if left:
            raise Failed(f"left processes behind: {', '.join(left)}", _tail(err))
        return value


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Where a run has its temporary files: what was killed in the middle leaves them."""
    return tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)


def _value(out: IO[str], err: IO[str], code: int) -> float:
    out.seek(0)
    for line in reversed(out.read().splitlines()):
        if line.startswith(stage.ERROR):
            raise Failed(line.removeprefix(stage.ERROR), _tail(err))
        if line.startswith(stage.VALUE) and code == 0:
            return float(line.removeprefix(stage.VALUE))
    raise Failed(f"ended with exit code {code}", _tail(err))


def _tail(file: IO[str], lines: int = 30) -> str:
    file.seek(0)
    return "\n".join(file.read().splitlines()[-lines:])


def adopt() -> None:
    """Make this process the parent of what its contestants orphan: daemons that overwrote their mark are found so."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no adopting of orphans")


def _sweep(mark: str) -> list[str]:
    """Give the run's processes time to end, then kill those that did not, and whom they start meanwhile; name them."""
    patience = time.monotonic() + AFTERLIFE
    killed: dict[int, str] = {}
    while (left := _left(mark)) and time.monotonic() < patience + KILLING:
        if time.monotonic() > patience:
            killed |= {pid: _kill(pid, mark) for pid in left - killed.keys()}
        time.sleep(0.02)
    return list(killed.values())


def _left(mark: str) -> set[int]:
    """Whom a run has left: by its mark, and all below this process, which has no children but those of a run."""
    _reap()
    return {*probe.marked(mark), *probe.descendants(os.getpid())}


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue
    except ChildProcessError:
        return


def _kill(pid: int, mark: str) -> str:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return f"{pid} (ended late)"
    try:
        if pid in _left(mark):  # asked again now that the pidfd holds the pid: never a stranger's
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return f"{pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except (ProcessLookupError, FileNotFoundError):
        return f"{pid} (ended late)"
    finally:
        os.close(pidfd)
