"""A worker that comes up when its pool is gone already."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.stage import note, noted
from understudy import ActorSystem, Pool, Status


def come_late(begun: Path, gate: Path) -> None:
    note(begun, os.getpid())
    while not gate.exists():
        time.sleep(0.005)


@pytest.mark.requirement("B1")
def test_a_worker_whose_pool_is_gone_when_it_is_ready_ends_without_a_word(tmp_path, caplog):
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    with ActorSystem() as system:
        pool = Pool(1, system=system, initializer=come_late, initargs=(begun, gate), name="late")
        future = pool.submit(abs, -1)
        noted(begun)
        pool.shutdown(wait=False, cancel_futures=True)
        pool._core.thread.join(20)
        (worker,) = system.refs("late/*")
        gate.touch()
        assert future.cancelled()
        assert worker.wait(20) is Status.FINISHED
        assert [info.status for info in system.ps(all=True)] == [Status.FINISHED]
    assert not caplog.records
