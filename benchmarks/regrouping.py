"""From the death of one of ten, which begin anew with each other, to the user code of all ten again."""

import os
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks.actors import Idle
from benchmarks.births import MS, PAUSE
from benchmarks.floors.zygote import RawZygote
from benchmarks.harness import Figure, Job, Options
from benchmarks.moments import Board
from benchmarks.ours import PATIENCE, PRELOAD
from benchmarks.stamps import now
from understudy import ActorSystem


def regrouped(count: int, samples: int) -> float:
    """Median for a group, in ms: whoever lives ends, from the last to the first, and all begin in their order."""
    taken = []
    with Board() as board, ActorSystem(preload=PRELOAD) as system:
        group = system.group("group", strategy="one_for_all", restarts=samples + 1, window=3600)
        options = {"restart.backoff.base": 0}
        refs = [group.spawn(Idle, board.path, config=options) for _ in range(count)]
        for ref in refs:
            ref.wait_ready(PATIENCE)
        pids = {moment.pid for moment in board.take(count)}
        for _ in range(samples + 1):
            time.sleep(PAUSE)
            victim = refs[count // 2].info().pid
            if victim not in pids:
                raise RuntimeError(f"the process {victim} has not stamped")
            killed = now()
            os.kill(victim, signal.SIGKILL)
            moments = board.take(count)
            if pids & {moment.pid for moment in moments}:
                raise RuntimeError("somebody went on")
            pids = {moment.pid for moment in moments}
            taken.append(max(moment.at for moment in moments) - killed)
    return statistics.median(taken[1:]) / MS


def _forked(samples: int, begin: Callable[[RawZygote, Board], int], count: int) -> float:
    """Median from SIGKILL of one to the last stamp of what `begin` forks, in ms; the others are ended afterwards."""
    taken = []
    with Board() as board, closing(RawZygote()) as zygote:
        for _ in range(samples + 1):
            zygote.spawn_idle(board.path, count)
            first = board.take(count)[count // 2]
            zygote.settle()
            time.sleep(PAUSE)
            killed = now()
            os.kill(first.pid, signal.SIGKILL)
            taken.append(begin(zygote, board) - killed)
            zygote.settle()
            zygote.stop()
    return statistics.median(taken[1:]) / MS


def at_once(count: int, samples: int) -> float:
    """So many forks, side by side."""

    def begin(zygote: RawZygote, board: Board) -> int:
        zygote.spawn_idle(board.path, count)
        return max(moment.at for moment in board.take(count))

    return _forked(samples, begin, count)


def in_order(count: int, samples: int) -> float:
    """So many forks, each when the one before it has stamped."""

    def begin(zygote: RawZygote, board: Board) -> int:
        last = 0
        for _ in range(count):
            zygote.spawn_idle(board.path)
            last = board.next().at
        return last

    return _forked(samples, begin, count)


_OPTIONS: Options = {"count": 10, "samples": 10}
_QUICK: Options = {"samples": 4}

FIGURES = (
    Figure(
        name="regroup",
        title="SIGKILL of one of ten, one for all, to all in user code",
        unit="ms",
        ours=Job("understudy", "benchmarks.regrouping:regrouped", options=_OPTIONS, quick=_QUICK),
        floors=(
            Job("raw zygote, ten at once", "benchmarks.regrouping:at_once", options=_OPTIONS, quick=_QUICK),
            Job("raw zygote, in order", "benchmarks.regrouping:in_order", options=_OPTIONS, quick=_QUICK),
        ),
        targets=(),
    ),
)
