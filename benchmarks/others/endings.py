"""Proof that processes have ended, children or not: their pidfds."""

import os
import select
import time
from collections.abc import Iterable


class Endings:
    """Watches processes from `watch` on until `wait` has seen all of them end."""

    def __init__(self) -> None:
        self._pidfds: dict[int, int] = {}

    def watch(self, pids: Iterable[int]) -> None:
        """Those that are gone already have ended."""
        for pid in pids:
            if pid not in self._pidfds:
                try:
                    self._pidfds[pid] = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue

    def wait(self, timeout: float) -> None:
        """Return when all have ended and forget them. TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        poll = select.poll()
        living = {pidfd: pid for pid, pidfd in self._pidfds.items()}
        for pidfd in living:
            poll.register(pidfd, select.POLLIN)
        while living:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not ended within {timeout:g} s: {sorted(living.values())}")
            for pidfd, _ in poll.poll(left * 1000):
                poll.unregister(pidfd)
                del living[pidfd]
        self.forget()

    def forget(self) -> None:
        """Watch nobody any more."""
        for pidfd in self._pidfds.values():
            os.close(pidfd)
        self._pidfds.clear()
