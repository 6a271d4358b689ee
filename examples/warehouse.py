"""A service of thirty actors, to be watched and steered from another terminal.

    python examples/warehouse.py

docs/guides/operations.md says what to try there: `understudy ps`, `top`, `watch`, `logs -f`, `stop "packer/*"` and the
rest. Docks lose their connection now and then and begin anew, sorters use more and less of the processor, packers more
and less memory, the clerk has something to say. It ends with Ctrl-C, or when the last actor has been stopped.
"""

import logging
import math
import sys
import time

from understudy import ActorSystem, Process

DOCKS, SORTERS, PACKERS = 4, 12, 12
BEAT = 0.2  # seconds between two laps


class Dock(Process):
    """Takes deliveries in; its line breaks after a while, and a fresh process opens it again."""

    def __init__(self, number: int) -> None:
        self.patience = 20 * number  # laps
        self.config.lives = 1000
        self.config.restart.backoff.base = 0.2
        self.config.restart.backoff.cap = 1.0

    def __loop__(self):
        self.progress(self.current_lap, self.patience, note=f"delivery {self.current_lap}")
        if self.current_lap == self.patience:
            self.log.warning("the line is dead")
            raise ConnectionError(f"no word from truck {self.current_lap}")
        self.sleep(BEAT)


class Sorter(Process):
    """Busy for a share of each lap; the share rises and falls like a tide, for each at another time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sorted = 0

    def __loop__(self):
        share = 0.05 * (1 + math.sin(time.time() / 5 + self.number))
        until = time.monotonic() + share * BEAT
        while time.monotonic() < until:
            self.sorted += 1
        self.sleep(BEAT * (1 - share))

    def __result__(self):
        return self.sorted


class Packer(Process):
    """Fills a pallet, megabyte by megabyte, sends it off and begins the next."""

    def __init__(self, number: int) -> None:
        self.size = 4 + number
        self.pallet: list[bytes] = []

    def __loop__(self):
        self.pallet.append(b"x" * (1 << 20))
        self.progress(len(self.pallet), self.size)
        if len(self.pallet) == self.size:
            self.pallet.clear()
        self.sleep(2 * BEAT)

    def __onfinish__(self):
        self.log.info("a pallet of %d boxes is left", len(self.pallet))


class Clerk(Process):
    """Counts the stock, aloud; warns when it is low."""

    def __init__(self) -> None:
        self.config.output = "file"  # for `understudy logs`

    def __loop__(self):
        stock = 50 + int(50 * math.cos(time.time() / 3))
        print(f"stock {stock}", flush=True)
        if stock < 20:
            self.log.warning("the stock is low: %d", stock)
        self.sleep(4 * BEAT)


class Watchman(Process):
    """Does nothing, for as long as it takes."""

    def __loop__(self):
        self.sleep(3600)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout)
    with ActorSystem("warehouse") as system:
        for kind, count in ((Dock, DOCKS), (Sorter, SORTERS), (Packer, PACKERS)):
            for number in range(1, count + 1):
                system.spawn(kind, number, name=f"{kind.__name__.lower()}/{number}")
        system.spawn(Clerk, name="clerk")
        system.spawn(Watchman, name="watchman")
        print(f"{len(system.ps())} actors are at work; in another terminal: understudy --help", flush=True)
        try:
            ends = system.wait_all()
        except KeyboardInterrupt:
            print("closing time", flush=True)
            return 130
    print(f"all {len(ends)} have ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
