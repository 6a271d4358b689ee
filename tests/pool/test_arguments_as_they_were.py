"""What is changed after `submit` makes no difference to the task."""

from __future__ import annotations

import pytest

from tests.stage import hold, until
from understudy import Pool

np = pytest.importorskip("numpy")


def total(array):
    array += 0  # it may be written to there
    return int(array.sum())


@pytest.mark.requirement("B1")
def test_an_array_that_is_changed_after_submit_reaches_the_worker_as_it_was(tmp_path):
    """The only worker is busy until the arrays were changed; the sizes are those of a short and of a long frame."""
    gate = tmp_path / "gate"
    with Pool(1) as pool:
        first = pool.submit(hold, gate)
        until(first.running, 20, "the first task")
        sizes = (100, 1_000_000)
        arrays = [np.ones(size, np.uint8) for size in sizes]
        mapped = pool.map(total, arrays)
        submitted = [pool.submit(total, array) for array in arrays]
        whole = pool.submit(lambda: total(arrays[1].copy()))
        for array in arrays:
            array[:] = 0
        gate.touch()
        assert [future.result(20) for future in submitted] == [*sizes]
        assert [*mapped] == [*sizes]
        assert whole.result(20) == sizes[1]
