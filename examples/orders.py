"""A pipeline of three stages that loses nothing, though a stage is killed every now and then.

    python examples/orders.py

    shop ──► pricing ──► packing ──► book

The shop is this program. Each order is told reliably, and so is what a stage makes of it: an order is done for the shop
when it stands in the book. Whatever dies with it in hand, it comes again, so the book may be given an order twice: it
writes by the order's number, where the second time changes nothing.
"""

import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from understudy import ActorDied, ActorRef, ActorSystem, Process

ORDERS, KILLS = 1000, 5
PRICES = {"tea": 4.5, "cup": 9.0, "pot": 31.0}
PATIENCE = 60.0  # seconds, for all orders


class Stage(Process):
    """What the stages have in common: as many lives as it takes."""

    def __init__(self) -> None:
        self.config.lives = 1 + KILLS
        self.config.restart.backoff.base = 0


class Pricing(Stage):
    """What it costs."""

    def __init__(self, then: ActorRef[Stage]) -> None:
        super().__init__()
        self.then = then

    def __receive__(self, order):
        self.then.tell({**order, "price": PRICES[order["what"]] * order["count"]}, reliable=True)


class Packing(Pricing):
    """How many boxes it takes."""

    def __receive__(self, order):
        self.then.tell({**order, "boxes": -(-order["count"] // 4)}, reliable=True)


class Book(Stage):
    """Where an order has arrived for good: a database, which outlives any process."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def __preloop__(self):
        self.database = sqlite3.connect(self.path, isolation_level=None)
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, price REAL, boxes INTEGER)"
        )
        self.database.execute("CREATE TABLE IF NOT EXISTS repeats (number INTEGER)")

    def __receive__(self, order):
        if order == "how many?":
            return [self.count("orders"), self.count("repeats")]
        row = order["number"], order["price"], order["boxes"]
        if not self.database.execute("INSERT OR IGNORE INTO orders VALUES (?, ?, ?)", row).rowcount:
            self.database.execute("INSERT INTO repeats VALUES (?)", row[:1])
        return None

    def count(self, table: str) -> int:
        found: int = self.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - two names
        return found


def kill(stage: ActorRef[Any], killed: set[int | None]) -> None:
    """The life that it has now, or will have in a moment."""
    while (pid := stage.info().pid) is None or pid in killed:
        time.sleep(0.001)
    killed.add(pid)
    os.kill(pid, signal.SIGKILL)


def counted(book: ActorRef[Book]) -> list[int]:
    while True:
        try:
            found: list[int] = book.ask("how many?", PATIENCE)
            return found
        except ActorDied:  # with the question in hand: the next life knows
            if book.info().status.ended:
                raise


def main() -> int:
    chance = random.Random(7)  # noqa: S311 - the same orders each time
    with tempfile.TemporaryDirectory() as folder, ActorSystem("orders") as system:
        book = system.spawn(Book, Path(folder) / "book", name="book")
        packing = system.spawn(Packing, book, name="packing")
        pricing = system.spawn(Pricing, packing, name="pricing")
        killed: set[int | None] = set()
        victims: list[ActorRef[Any]] = [pricing, packing, book, packing, pricing]
        for number in range(ORDERS):
            pricing.tell(
                {"number": number, "what": chance.choice(list(PRICES)), "count": chance.randint(1, 9)}, reliable=True
            )
            if number % (ORDERS // KILLS) == ORDERS // KILLS // 2:
                kill(victims.pop(), killed)
        ends = time.monotonic() + PATIENCE
        while (found := counted(book))[0] < ORDERS and time.monotonic() < ends:
            time.sleep(0.01)
        restarts = sum(ref.info().incarnation - 1 for ref in (pricing, packing, book))
        print(f"{ORDERS} orders, {restarts} times a stage was killed: {found[0]} are in the book")
        print(f"{found[1]} came there more than once, {system.dead_letters.total} were lost")
    return 0 if found[0] == ORDERS else 1


if __name__ == "__main__":
    sys.exit(main())
