"""Proportional set size: of one more idle actor, and of the base that all stand on."""

import os
import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.moments import Board
from benchmarks.probe import family, pss_mib
from benchmarks.troupe import Make, Troupe

SETTLE = 1.0  # seconds after which nobody allocates any more


def marginal(make: Make, few: int, many: int) -> float:
    """MiB that each one beyond `few` adds to the whole family: parent, zygote and all children."""
    with Board() as board, closing(make()) as troupe:
        _idle(troupe, board, few)
        before = pss_mib(family())
        _idle(troupe, board, many - few)
        after = pss_mib(family())
        troupe.stop()
    return (after - before) / (many - few)


def _idle(troupe: Troupe, board: Board, count: int) -> None:
    troupe.spawn_idle(board.path, count)
    board.take(count)
    troupe.settle()
    time.sleep(SETTLE)


def base(make: Make) -> float:
    """MiB that the family has over the parent without it: imports, router and zygote, when one has come and gone."""
    before = pss_mib({os.getpid()})
    with Board() as board, closing(make()) as troupe:
        troupe.spawn_brief(board.path)
        board.next()
        troupe.wait()
        time.sleep(SETTLE)
        after = pss_mib(family())
    return after - before


_FIFTH: Options = {"few": 20, "many": 60}

FIGURES = (
    Figure(
        name="memory",
        title="memory per idle actor, marginal PSS",
        unit="MiB",
        ours=Job("understudy", "benchmarks.memory:marginal", "benchmarks.ours:Understudy", _FIFTH),
        floors=(Job("raw zygote", "benchmarks.memory:marginal", "benchmarks.floors.zygote:RawZygote", _FIFTH),),
        peers=(Job("forkserver", "benchmarks.memory:marginal", "benchmarks.peers:Forkserver", _FIFTH),),
        targets=(Target("at most", 4.4),),
    ),
    Figure(
        name="base",
        title="fixed base: zygote and the parent's growth, PSS",
        unit="MiB",
        ours=Job("understudy", "benchmarks.memory:base", "benchmarks.ours:Understudy"),
        floors=(Job("raw zygote", "benchmarks.memory:base", "benchmarks.floors.zygote:RawZygote"),),
        peers=(Job("forkserver", "benchmarks.memory:base", "benchmarks.peers:Forkserver"),),
        targets=(Target("at most", 35.0),),
    ),
)
