"""A pool that the tests of a file share, if they harm nobody in it, and no test in which the router is at fault."""

from __future__ import annotations

import contextlib
import os

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from tests.pool.tasks import pid
from tests.stage import until
from understudy import ActorSystem, Pool


def sockets() -> int:
    """How many this process has open."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


@pytest.fixture(scope="module")
def shared():
    """Two workers that have come up, and their callbacks' thread."""
    before = sockets()
    # What zygotes learn takes a further one, at any time: in a test it would be left behind.
    known = ("understudy.pool.worker", "tests.pool.tasks")
    with ActorSystem(learn=False, preload=known) as system, Pool(2, name="shared", system=system) as pool:
        pool.submit(pid).add_done_callback(lambda _: None)
        until(lambda: len({*pool.map(pid, range(8), chunksize=1)}) == 2, 60, "a second worker")
        # Who stands by for the next actor connects when he likes: he is the last of the thirteen that all need.
        until(lambda: sockets() - before >= 13, 60, "the last connection")
        yield pool


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture
def gate(tmp_path):
    """The path for which `tasks.hold` waits; it is there at the end of the test at the latest."""
    path = tmp_path / "gate"
    yield path
    path.touch()
