"""The actors of the benchmarks: importable, so that they travel by reference."""

import time
from typing import Any

from benchmarks.correspondence import Handling
from benchmarks.stamps import stamp
from understudy import Process


class Brief(Process):
    """Stamps the board and ends."""

    def __init__(self, board: str) -> None:
        self.board = board
        self.config.num_loops = 1

    def __loop__(self) -> None:
        stamp(self.board)


class Idle(Process):
    """Stamps the board and sleeps until it is stopped."""

    def __init__(self, board: str) -> None:
        self.board = board
        self.config.lives = 3

    def __loop__(self) -> None:
        stamp(self.board)
        self.sleep(60)


class Doomed(Process):
    """Crashes at the start of each of its lives."""

    def __init__(self, base: float) -> None:
        self.config.lives = 1_000_000
        self.config.restart.backoff.base = base

    def __preloop__(self) -> None:
        raise ConnectionError("no word from the database")

    def __loop__(self) -> None:
        pass


def _nothing(self: "Laps") -> None:
    pass


class Laps(Process):
    """Runs `laps` laps of three empty sections; the result is how many it did a second."""

    def __init__(self, laps: int) -> None:
        self.laps = laps
        self.began = 0.0
        self.rate = 0.0
        self.config.num_loops = laps

    def __preloop__(self) -> None:
        self.began = time.perf_counter()
        # From the second lap on this hook is as empty as the others, whoever holds a reference to it.
        type(self).__preloop__.__code__ = _nothing.__code__

    def __loop__(self) -> None:
        pass

    def __postloop__(self) -> None:
        pass

    def __onfinish__(self) -> None:
        self.rate = self.laps / (time.perf_counter() - self.began)

    def __result__(self) -> float:
        return self.rate


class Receiver(Handling, Process):
    """Handles messages."""

    def __init__(self, board: str) -> None:
        self.board = board

    def __receive__(self, message: Any) -> Any:
        if type(message) is tuple:
            self.pass_on = message[0].tell
            return None
        return self.handle(message)
