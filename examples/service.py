"""A service that polls a flaky server, crashes for it now and then, and in the end has missed nothing.

    python examples/service.py

The server, a thread of this script, hangs up on every ninth question, and once goes away for a while. The poller does
not try to cope with that: it crashes, and a fresh process takes over, at once after a life that went well, else after
pauses that double. Since each life begins with the state that was spawned, what has to outlive it is kept outside:
here in a file of readings.
"""

import contextlib
import logging
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from understudy import ActorSystem, Life, Process

READINGS = 40
HANGS_UP_EACH = 9  # questions
GOES_AWAY_AFTER = 20  # questions
AWAY_FOR = 0.6  # seconds


class FlakyServer:
    """Answers each line, which is the number of a reading, with the reading; well, mostly."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()
        self.questions = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            client, _ = self.listener.accept()
            with client, client.makefile("rw", encoding="ascii", newline="\n") as lines:
                self.answer(lines)
            if self.questions == GOES_AWAY_AFTER:
                self.questions += 1
                self.go_away()

    def answer(self, lines) -> None:
        for line in lines:
            self.questions += 1
            if self.questions % HANGS_UP_EACH == 0 or self.questions == GOES_AWAY_AFTER:
                return
            lines.write(f"{reading(int(line))}\n")
            lines.flush()

    def go_away(self) -> None:
        """Nobody listens for a while: connections are refused."""
        self.listener.close()
        time.sleep(AWAY_FOR)
        self.listener = socket.create_server(self.address)


def reading(number: int) -> int:
    return number * number % 97


class Poller(Process):
    """Fetches the readings one by one and writes them down."""

    def __init__(self, address: tuple[str, int], file: Path):
        self.address = address
        self.file = file
        self.connection: socket.socket | None = None
        self.config.lives = 25
        self.config.restart.backoff.base = 0.05
        self.config.restart.backoff.cap = 0.4
        self.config.restart.backoff.reset = 0.15  # a life of that length went well: the pauses begin anew
        self.config.timeouts.loop = 5.0

    def __preloop__(self):
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=2.0)
            self.lines = self.connection.makefile("rw", encoding="ascii", newline="\n")
            self.log.info("life %d goes on after reading %d", self.incarnation, len(self.written()))

    def __loop__(self):
        number = len(self.written()) + 1
        self.lines.write(f"{number}\n")
        self.lines.flush()
        answer = self.lines.readline()
        if not answer:
            raise ConnectionError(f"the server hung up instead of giving reading {number}")
        with self.file.open("a") as out:
            out.write(answer)
        self.progress(number, READINGS)
        if number == READINGS:
            self.stop()
        self.sleep(0.03)  # not time.sleep: this one ends early when a stop comes

    def __onfinish__(self):
        if self.connection is not None:
            self.connection.close()

    def __result__(self):
        return [int(line) for line in self.written()]

    def written(self) -> list[str]:
        return self.file.read_text().splitlines()


def show(lives: list[Life]) -> None:
    print("life  ran for    then waited  because")
    for life, following in zip(lives, [*lives[1:], None], strict=True):
        ran = (life.ended_at or time.time()) - life.started_at
        waited = "" if following is None or life.ended_at is None else f"{following.started_at - life.ended_at:.3f} s"
        print(f"{life.incarnation:4}  {ran:5.3f} s    {waited:>11}  {life.cause}")


def main() -> int:
    # Records that an actor logs arrive at the handlers of its parent.
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout)
    server = FlakyServer()
    with tempfile.TemporaryDirectory() as folder, ActorSystem() as system:
        file = Path(folder, "readings")
        file.touch()
        ref = system.spawn(Poller, server.address, file, name="poller")
        readings = ref.result(timeout=60)
    show(ref.history())
    complete = readings == [reading(number) for number in range(1, READINGS + 1)]
    print(f"{len(readings)} readings in {len(ref.history())} lives; complete and in order: {complete}")
    return 0 if complete else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
