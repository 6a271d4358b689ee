"""Messages as every contestant carries them. The measuring code is the same for all and knows only this."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from benchmarks.stamps import stamp

PATIENCE = 120.0  # seconds

Shape = Literal["star", "chain", "ring"]
"""Whom the program tells, and whether a receiver passes on what it gets: all, and no; the first, and yes, but the last;
all, and yes, in a circle."""


class Handling:
    """What a receiver does with a message: the user's code, the same for all contestants."""

    pass_on: Callable[[Any], object] | None = None
    """Tells the next one."""
    kept: Any = None
    board = ""

    def handle(self, message: Any) -> Any:
        """By its type.

        A dict is passed on, or is its own answer. A number is a token with so many hops to go. Text is a board to
        stamp, behind all that was told before. A list asks for an array of so many bytes. An array is answered by its
        length. A float is the core to run on, and its own answer.
        """
        kind = type(message)
        if kind is dict:
            if self.pass_on is None:
                return message
            self.pass_on(message)
        elif kind is int:
            if message and self.pass_on is not None:
                self.pass_on(message - 1)
            else:
                stamp(self.board)
        elif kind is str:
            if self.pass_on is None:
                stamp(message)
            else:
                self.pass_on(message)
        elif kind is list:
            return self.array(message[0])
        elif kind is float:
            sit(int(message))
            return message
        else:
            return len(message)
        return None

    def array(self, size: int) -> Any:
        """Of so many bytes, made once."""
        if self.kept is None or len(self.kept) != size:
            import numpy as np

            self.kept = np.ones(size, np.uint8)
        return self.kept


def sit(core: int) -> None:
    """Run on that core from now on, with all threads of this process."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def apart(say: Callable[[float], object]) -> None:
    """This process takes the first core, the receiver is told the last one.

    Where the scheduler puts both decides over more than half of a round trip, and it does so anew each time.
    """
    cores = sorted(os.sched_getaffinity(0))
    say(float(cores[-1]))
    sit(cores[0])


class Correspondence(Protocol):
    """A way to send messages to receivers in other processes."""

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Start so many receivers, and return when each can be told and asked."""

    def tell(self, message: Any, times: int) -> None:
        """Tell each of whom the program tells the message so many times; the last is on its way at the return."""

    def ask(self, message: Any, times: int) -> list[float]:
        """Ask the first receiver so many times, one after the other; the seconds that each took."""

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """So many askers at once, each so many times; seconds until all have their answers."""

    def close(self) -> None:
        """Give everything back."""


Make = Callable[[], Correspondence]


def timed(ask: Callable[[Any], Any], message: Any, times: int) -> list[float]:
    """The seconds of each call; what it gives is let go before the next."""
    clock, taken = time.perf_counter, []
    for _ in range(times):
        began = clock()
        ask(message)
        taken.append(clock() - began)
    return taken


def at_once(make: Callable[[], Callable[[Any], Any]], message: Any, askers: int, times: int) -> float:
    """The calls of so many threads, each with what is made for it; seconds from the first to the last."""
    ready = threading.Barrier(askers + 1)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            ask = make()
            ask(message)
            ready.wait(PATIENCE)
            for _ in range(times):
                ask(message)
        except BaseException as error:
            errors.append(error)
            ready.abort()
            raise

    threads = [threading.Thread(target=run) for _ in range(askers)]
    for thread in threads:
        thread.start()
    ready.wait(PATIENCE)
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.perf_counter() - began
