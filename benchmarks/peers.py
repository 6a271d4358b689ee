"""The same jobs by `multiprocessing`, its forkserver preloaded with this module. Its children open no sockets."""

import multiprocessing
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event

from benchmarks.stamps import stamp

PATIENCE = 60.0  # seconds


def idle(board: str, event: Event) -> None:
    """Stamp, then wait for the event that means stop."""
    stamp(board)
    event.wait(PATIENCE)


class _Troupe:
    def __init__(self, context: ForkServerContext | SpawnContext) -> None:
        self._context = context
        self._event = context.Event()
        self._processes: list[BaseProcess] = []

    def spawn_brief(self, board: str) -> None:
        self._start(self._context.Process(target=stamp, args=(board,), daemon=True))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        for _ in range(count):
            self._start(self._context.Process(target=idle, args=(board, self._event), daemon=True))

    def settle(self) -> None:
        """Nothing: an event that is set before one waits for it is seen all the same."""

    def replace(self, board: str) -> None:
        for process in self._processes:
            process.join(PATIENCE)
        self._processes.clear()
        self._event = self._context.Event()  # a waiter that was killed would hang the old one's set()
        self.spawn_idle(board)

    def wait(self) -> None:
        for process in self._processes:
            process.join(PATIENCE)
            if process.exitcode != 0:
                raise RuntimeError(f"{process.name} ended with exit code {process.exitcode}")
        self._processes.clear()

    def stop(self) -> None:
        self._event.set()
        self.wait()
        self._event = self._context.Event()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.join(PATIENCE)

    def _start(self, process: BaseProcess) -> None:
        process.start()
        self._processes.append(process)


class Forkserver(_Troupe):
    """Forked from a server that has this module loaded."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.peers"])
        super().__init__(context)


class Spawn(_Troupe):
    """A fresh interpreter each."""

    def __init__(self) -> None:
        super().__init__(multiprocessing.get_context("spawn"))
