"""How a lock is tried."""

from __future__ import annotations

import threading

import pytest

from tests.unit.wire.fire import under_fire
from understudy.wire.locks import if_free

pytestmark = pytest.mark.requirement("E3")


def elsewhere(lock: threading.RLock) -> int:
    """How often another thread has it, that tries it once."""
    had: list[int] = []

    def tries() -> None:
        for _ in if_free(lock):
            lock.release()
            had.append(1)

    thread = threading.Thread(target=tries)
    thread.start()
    thread.join()
    return len(had)


def test_it_is_had_once_where_it_is_free_and_not_at_all_where_another_thread_has_it():
    lock = threading.RLock()
    assert elsewhere(lock) == 1
    with lock:
        assert elsewhere(lock) == 0
        for _ in if_free(lock):  # its own thread may
            lock.release()
    assert elsewhere(lock) == 1


def test_whatever_strikes_who_tries_it_leaves_it_free():
    lock = threading.RLock()

    def act() -> None:
        for _ in range(20):
            for _ in if_free(lock):
                try:
                    pass
                finally:
                    lock.release()

    for _ in range(20):
        under_fire(act, 200)
        assert elsewhere(lock) == 1
