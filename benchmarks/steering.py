"""What it takes to ask from outside: all rows over the socket, and a list at the prompt of a shell."""

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.moments import Board
from benchmarks.troupe import Troupe

MS = 1e3  # s
PERIOD = 600.0  # seconds for which figures are good


class Listed(Troupe, Protocol):
    """A troupe of which a command can tell who runs."""

    def status_command(self) -> list[str]:
        """Program and arguments."""


def rows(count: int, samples: int) -> float:
    """Median of `samples` lists of `count` idle actors, in ms, over the control socket; figures from the cache."""
    from benchmarks.actors import Idle
    from benchmarks.ours import PRELOAD
    from understudy import ActorSystem, Remote

    with Board() as board, ActorSystem(preload=PRELOAD) as system, Remote(system.endpoint) as remote:
        for _ in range(count):
            system.spawn(Idle, board.path, config={"sampling.interval": PERIOD})
        board.take(count)
        system.ps()  # measures
        taken = []
        for _ in range(samples):
            began = time.perf_counter()
            table = remote.ps()
            taken.append(time.perf_counter() - began)
            if len(table) != count:
                raise RuntimeError(f"{len(table)} rows, not {count}")
        system.stop("*")
    return statistics.median(taken) * MS


def cold(make: Callable[[], Listed], count: int, samples: int) -> float:
    """Median of `samples` runs, in ms, of the command that lists what runs, from its start to its end."""
    with Board() as board, closing(make()) as troupe:
        troupe.spawn_idle(board.path, count)
        board.take(count)
        command = troupe.status_command()
        taken = []
        for _ in range(samples):
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            taken.append(time.perf_counter() - began)
            if done.returncode or not done.stdout:
                raise RuntimeError(f"{command} gave {done.returncode}: {done.stderr}")
        troupe.settle()  # some learn only now whom they have to end
        troupe.stop()
    return statistics.median(taken) * MS


_ROWS: Options = {"count": 200, "samples": 50}
_COLD: Options = {"count": 10, "samples": 15}

FIGURES = (
    Figure(
        name="ps-200",
        title="ps of 200 actors over the socket",
        unit="ms",
        ours=Job("understudy", "benchmarks.steering:rows", options=_ROWS, quick={"samples": 20}),
        floors=(Job("raw ROUTER/DEALER", "benchmarks.floors.steering:rows", options=_ROWS, quick={"samples": 20}),),
        targets=(Target("at most", 50.0),),
    ),
    Figure(
        name="ps-cold",
        title="`understudy ps`, from the start of the command to its end",
        unit="ms",
        ours=Job(
            "understudy", "benchmarks.steering:cold", "benchmarks.ours:Understudy", options=_COLD, quick={"samples": 5}
        ),
        floors=(
            Job(
                "python, its imports of zmq and msgpack",
                "benchmarks.floors.steering:start",
                options={"samples": 15},
                quick={"samples": 5},
            ),
        ),
        targets=(Target("at most", 300.0),),
    ),
)
