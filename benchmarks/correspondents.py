"""The same by the standard library: a Queue, or a Pipe, for each process of `multiprocessing`; and a pool of one."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from benchmarks.correspondence import Handling, Shape, at_once, timed

CONTEXT = multiprocessing.get_context("forkserver")


def _queued(queue: Any, onward: Any, answers: Any, board: str) -> None:
    """In the child, for ever; what was asked comes in a tuple."""
    handling = Handling()
    handling.board = board
    if onward is not None:
        handling.pass_on = onward.put
    get, handle = queue.get, handling.handle
    while True:
        message = get()
        if type(message) is tuple:
            answers.put(handle(message[0]))
        else:
            handle(message)


def _piped(pipe: Any, board: str) -> None:
    """The same."""
    handling = Handling()
    handling.board = board
    while True:
        message = pipe.recv()
        if type(message) is tuple:
            pipe.send(handling.handle(message[0]))
        else:
            handling.handle(message)


class _Processes:
    """A forkserver's."""

    def __init__(self) -> None:
        CONTEXT.set_forkserver_preload(["benchmarks.correspondents"])
        self._children: list[BaseProcess] = []

    def _start(self, body: Callable[..., None], *args: Any) -> None:
        child = CONTEXT.Process(target=body, args=args, daemon=True)
        child.start()
        self._children.append(child)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Nothing says whose an answer is."""
        raise NotImplementedError

    def close(self) -> None:
        """Kill them."""
        for child in self._children:
            child.kill()
        for child in self._children:
            child.join()


class Queues(_Processes):
    """A Queue for each, and one for the answers."""

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Started."""
        self._queues = [CONTEXT.Queue() for _ in range(count)]
        self._answers = CONTEXT.Queue()
        for number, queue in enumerate(self._queues):
            following = (number + 1) % count
            onward = self._queues[following] if shape == "ring" or (shape == "chain" and following) else None
            self._start(_queued, queue, onward, self._answers, board)
        self._heads = self._queues[:1] if shape == "chain" else self._queues

    def tell(self, message: Any, times: int) -> None:
        """Put."""
        puts = [queue.put for queue in self._heads]
        for _ in range(times):
            for put in puts:
                put(message)

    def ask(self, message: Any, times: int) -> list[float]:
        """Put and get."""
        put, get = self._queues[0].put, self._answers.get

        def ask(message: Any) -> Any:
            put((message,))
            return get()

        return timed(ask, message, times)


class Pipes(_Processes):
    """A Pipe to one process."""

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Started."""
        assert count == 1, shape
        self._pipe, other = CONTEXT.Pipe()
        self._start(_piped, other, board)
        other.close()

    def tell(self, message: Any, times: int) -> None:
        """Sent."""
        send = self._pipe.send
        for _ in range(times):
            send(message)

    def ask(self, message: Any, times: int) -> list[float]:
        """Sent and received."""
        send, receive = self._pipe.send, self._pipe.recv

        def ask(message: Any) -> Any:
            send((message,))
            return receive()

        return timed(ask, message, times)


_worker = Handling()


def _work(message: Any) -> Any:
    return _worker.handle(message)


class Pool:
    """A pool of one worker: a message is a task."""

    def __init__(self) -> None:
        CONTEXT.set_forkserver_preload(["benchmarks.correspondents"])

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Started."""
        assert count == 1, shape
        self._pool = ProcessPoolExecutor(1, mp_context=CONTEXT)
        self._pool.submit(_work, {}).result()

    def tell(self, message: Any, times: int) -> None:
        """Tasks; what they give is left alone."""
        submit = self._pool.submit
        for _ in range(times):
            submit(_work, message)

    def ask(self, message: Any, times: int) -> list[float]:
        """A task and its result."""
        return timed(self._call, message, times)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Of many threads."""
        return at_once(lambda: self._call, message, askers, times)

    def close(self) -> None:
        """Shut down."""
        self._pool.shutdown()

    def _call(self, message: Any) -> Any:
        return self._pool.submit(_work, message).result()
