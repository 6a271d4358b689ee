"""What pools are given to do in these tests; workers import it, so nothing here may need pytest."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

from tests.stage import note
from understudy import Pool, Process


def double(value: Any) -> Any:
    return 2 * value


def pid(*_: object) -> int:
    return os.getpid()


def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def hold(gate: str, *said: object) -> float:
    """Say that it has begun, and wait for the file; when it began."""
    began = time.time()
    note(f"{gate}.begun", os.getpid())
    while not Path(gate).exists():
        time.sleep(0.01)
    return began


def die(code: int = 3) -> None:
    os._exit(code)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


_said: list[str] = []


def remember(word: str) -> None:
    _said.append(word)


def remembered() -> str:
    return _said[-1]


def die_once(path: str) -> str:
    note(path, os.getpid())
    if len(Path(path).read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "the second time"


def fail(text: str) -> None:
    raise LookupError(text)


def spin() -> None:
    while True:
        pass


def deaf() -> None:
    """Nothing that is raised ends it."""
    while True:
        try:
            time.sleep(60)
        except BaseException as error:
            note(os.devnull, repr(error))


async def awaits(value: Any) -> Any:
    await asyncio.sleep(0.01)
    return value


def nest(depth: int) -> Any:
    """The name of a worker so many pools deep."""
    if not depth:
        from understudy import runtime

        return runtime.inside.name if runtime.inside else None
    with Pool(1) as pool:
        return pool.submit(nest, depth - 1).result(60)


class Raises(Exception):
    """Pickles, and does not open."""

    def __init__(self, one: object, other: object) -> None:
        super().__init__(one)
        self.other = other

    def __reduce__(self) -> Any:
        return Raises, (1,)


def raise_what_does_not_open() -> None:
    raise Raises(1, 2)


class Unwilling:
    """Travels, and opens nowhere but where it was made."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise RuntimeError("not here")


def give_what_does_not_open() -> Unwilling:
    return Unwilling()


class Counter(Process):
    def __init__(self, upto: int) -> None:
        self.seen = 0
        self.config.num_loops = upto

    def __loop__(self) -> None:
        self.seen += 1
        if self.seen == 13:
            raise ValueError("unlucky")

    def __result__(self) -> int:
        return self.seen


class Holder(Process):
    def __init__(self, gate: str) -> None:
        self.gate = gate

    def __loop__(self) -> None:
        if Path(self.gate).exists() or not self.sleep(0.02):
            self.stop()

    def __result__(self) -> str:
        return "held"


def count(*args: object) -> int:
    return len(args)


def hold_up() -> None:
    """So that all workers come in at about the same time."""
    time.sleep(0.2)


def little_memory() -> None:
    """A hundred MiB more than there is already."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
