"""Who submits while the pool's thread is at it leaves the task with that."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from tests.stage import until
from understudy import Pool


@pytest.mark.requirement("B1")
def test_a_task_that_comes_while_the_pools_thread_is_about_to_wait_is_not_left_lying(monkeypatch):
    with Pool(1) as pool:
        core = pool._core
        whole, left = core._balance, list[Future[Any]]()

        def balance() -> float | None:
            due = whole()
            if not left:
                submitting = threading.Thread(target=lambda: left.append(pool.submit(abs, -1)))
                submitting.start()
                submitting.join()
            return due

        monkeypatch.setattr(core, "_balance", balance)
        core.ask(lambda: None)
        until(lambda: left, 20, "the submit")
        try:
            assert left[0].result(20) == 1
        finally:
            core.ask(lambda: None)
