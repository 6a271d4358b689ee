"""When a pool gets one more worker."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import pytest

from tests.stage import hold, until
from understudy import Pool
from understudy.pool.schedule import Schedule


@dataclass
class Job:
    number: int
    priority: int = 0
    pace: Hashable = "any"

    def begin(self) -> bool:
        return True


def schedule(workers: int, tasks: int) -> Schedule[Job]:
    made: Schedule[Job] = Schedule(4)
    for worker in range(workers):
        made.join(worker, 0.0)
    for number in range(tasks):
        made.backlog.append(Job(number))
    made.give(0.0)
    return made


@pytest.mark.parametrize(
    ("workers", "tasks", "waiting"),
    [(0, 0, 0), (0, 3, 3), (1, 0, -1), (1, 1, 0), (1, 2, 1), (1, 5, 4), (2, 1, -1), (2, 3, 1)],
)
def test_a_task_waits_also_where_it_stands_behind_one_that_has_begun(workers, tasks, waiting):
    assert schedule(workers, tasks).waiting() == waiting


@pytest.mark.requirement("B1")
def test_a_task_that_comes_while_the_only_worker_is_busy_gets_a_worker_of_its_own(tmp_path):
    """The first one ends when the second has: were there one worker, neither would."""
    gate = tmp_path / "gate"
    with Pool(2) as pool:
        first = pool.submit(hold, gate)
        until(first.running, 20, "the first task")
        pool.submit(gate.touch).result(20)
        first.result(20)
        assert pool.stats().workers == 2
