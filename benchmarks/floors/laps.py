"""A loop of three empty methods, bare and with what armed deadlines cannot do without."""

import mmap
import time


class Empty:
    """Three sections that do nothing."""

    def preloop(self) -> None:
        """Nothing."""

    def loop(self) -> None:
        """Nothing."""

    def postloop(self) -> None:
        """Nothing."""


def bare(laps: int) -> float:
    """Laps a second of the three calls alone."""
    actor = Empty()
    preloop, loop, postloop = actor.preloop, actor.loop, actor.postloop
    began = time.perf_counter()
    for _ in range(laps):
        preloop()
        loop()
        postloop()
    return laps / (time.perf_counter() - began)


def stores(laps: int) -> float:
    """Laps a second where each section reads the clock and stores its number and its deadline in a shared page."""
    actor = Empty()
    preloop, loop, postloop = actor.preloop, actor.loop, actor.postloop
    page = mmap.mmap(-1, mmap.PAGESIZE)
    number, deadline = memoryview(page)[:8].cast("q"), memoryview(page)[8:16].cast("d")
    clock = time.monotonic
    began = time.perf_counter()
    for _ in range(laps):
        deadline[0] = clock() + 30.0
        number[0] = 1
        preloop()
        deadline[0] = clock() + 300.0
        number[0] = 2
        loop()
        deadline[0] = clock() + 60.0
        number[0] = 3
        postloop()
    return laps / (time.perf_counter() - began)
