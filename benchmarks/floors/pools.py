"""A pool of bare sockets: a ROUTER with a window of credit for each DEALER; tasks and results are packed by msgpack."""

import multiprocessing
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import msgpack
import numpy as np
import zmq

from benchmarks.floors.messages import LONG
from benchmarks.stamps import stamp
from benchmarks.tasks import PATIENCE, WORKERS, length, nothing, rest, stay

WINDOW = 64
"""Tasks that a worker may have."""
CHUNK = 1_000
"""Calls that are one task, where nobody says."""
FUNCTIONS: tuple[Callable[[Any], Any], ...] = (nothing, rest, length, stay, stamp)
SHORT = {nothing, length}
"""Those of which a worker may hold several: none waits behind a long one."""


class Raw:
    """Forked workers; who submits gives out the tasks, and hears of what they came to."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="floor-")
        self._address = f"ipc://{self._folder.name}/tasks"
        self._last = 0
        self._workers: dict[bytes, BaseProcess] = {}
        for _ in range(WORKERS):
            self._fork()
        self._context: zmq.Context[Any] = zmq.Context()
        self._router: Any = self._context.socket(zmq.ROUTER)
        self._router.linger = 0
        self._router.hwm = 0
        self._router.bind(self._address)
        self._held: dict[bytes, int] = {}
        """Of those that have come up, how many tasks each has."""
        self._queue: deque[tuple[int, int, Any]] = deque()

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """A message each."""
        return self._done(function, arguments, WINDOW if function in SHORT else 1)

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """A message for a chunk."""
        if chunk == 1:
            return self.each(function, arguments)
        size = chunk or CHUNK
        chunks = [[*arguments[at : at + size]] for at in range(0, len(arguments), size)]
        return [value for values in self._done(function, chunks, WINDOW) for value in values]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Given to who has nothing to do, or kept for who is to come."""
        while len(self._held) < len(self._workers):
            self._hear()
        self._queue.append((0, FUNCTIONS.index(function), argument))
        self._give(1)

    def recover(self) -> None:
        """Fork another when one has ended."""
        ended = wait([worker.sentinel for worker in self._workers.values()], PATIENCE)
        for name in [name for name, worker in self._workers.items() if worker.sentinel in ended]:
            self._workers.pop(name).join()
            del self._held[name]
            self._fork()
        while len(self._held) < len(self._workers):
            self._hear()
        self._give(1)

    def close(self) -> None:
        """Kill them."""
        for worker in self._workers.values():
            worker.kill()
        for worker in self._workers.values():
            worker.join()
        self._context.destroy(linger=0)
        self._folder.cleanup()

    def _fork(self) -> None:
        self._last += 1
        name = b"%d" % self._last  # nobody's before: the ROUTER may still know the dead one
        worker = multiprocessing.get_context("fork").Process(target=work, args=(name, self._address), daemon=True)
        worker.start()
        self._workers[name] = worker

    def _done(self, function: Callable[[Any], Any], arguments: Sequence[Any], window: int) -> list[Any]:
        """All results: who has told of a task gets the next one."""
        kind = FUNCTIONS.index(function)
        results: list[Any] = [None] * len(arguments)
        self._queue.extend((number, kind, argument) for number, argument in enumerate(arguments))
        missing = len(arguments)
        self._give(window)
        while missing:
            for number, value in self._hear():
                results[number] = value
                missing -= 1
            self._give(window)
        return results

    def _hear(self) -> list[tuple[int, Any]]:
        """The results that have come, waiting for a word."""
        router, held, unpack = self._router, self._held, msgpack.unpackb
        found: list[tuple[int, Any]] = []
        if not router.poll(PATIENCE * 1000):
            raise TimeoutError("no worker says anything")
        try:
            while True:
                who = router.recv(zmq.NOBLOCK)
                answer = router.recv()
                if answer:
                    held[who] -= 1
                    found.append(unpack(answer))
                else:
                    held[who] = 0
        except zmq.Again:
            return found

    def _give(self, window: int) -> None:
        router, queue, pack = self._router, self._queue, msgpack.packb
        for who, count in self._held.items():
            given = min(window - count, len(queue))
            for _ in range(given):
                number, kind, argument = queue.popleft()
                router.send(who, zmq.SNDMORE)
                if type(argument) is np.ndarray:
                    router.send(pack((number, kind, None)), zmq.SNDMORE)
                    router.send(argument, copy=len(argument) < LONG)
                else:
                    router.send(pack((number, kind, argument)))
            if given > 0:
                self._held[who] = count + given


def work(name: bytes, address: str) -> None:
    """In a worker, for ever."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.hwm = 0
        dealer.routing_id = name
        dealer.connect(address)
        dealer.send(b"")
        pack, unpack, recv, send = msgpack.packb, msgpack.unpackb, dealer.recv, dealer.send
        while True:
            number, kind, argument = unpack(recv())
            if dealer.rcvmore:
                argument = np.frombuffer(recv(copy=False).buffer, np.uint8)
            function = FUNCTIONS[kind]
            if type(argument) is list:
                send(pack((number, [function(one) for one in argument])))
            else:
                send(pack((number, function(argument))))
