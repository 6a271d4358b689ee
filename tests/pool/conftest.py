"""A pool that the tests of a file share, if they harm nobody in it, and no test in which the router is at fault."""

from __future__ import annotations

import psutil
import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from tests.pool.tasks import pid
from tests.stage import until
from understudy import ActorSystem, Pool


@pytest.fixture(scope="module")
def shared():
    """Two workers that have come up, and their callbacks' thread."""
    # What zygotes learn takes a further one, at any time: in a test it would be left behind.
    known = ("understudy.pool.worker", "tests.pool.tasks")
    with ActorSystem(learn=False, preload=known) as system, Pool(2, name="shared", system=system) as pool:
        pool.submit(pid).add_done_callback(lambda _: None)
        until(lambda: len({*pool.map(pid, range(8), chunksize=1)}) == 2, 60, "a second worker")
        # The zygote, both workers, and the process that stands by for the next one.
        until(lambda: len(psutil.Process().children(recursive=True)) == 4, 60, "the last process")
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
