"""suitkaise: a process class with hooks, its stop signal, and a message to wake the one that waits."""

from suitkaise.processing import Skprocess

from benchmarks.stamps import stamp

PATIENCE = 60.0  # seconds


class Brief(Skprocess):
    """Its only run is the stamp."""

    def __init__(self, board: str) -> None:
        self.board = board
        self.process_config.runs = 1

    def __run__(self) -> None:
        stamp(self.board)


class Idle(Skprocess):
    """Stamps and listens; the stop signal is looked at between runs, so a message ends the run."""

    def __init__(self, board: str) -> None:
        self.board = board

    def __run__(self) -> None:
        stamp(self.board)
        self.listen(timeout=PATIENCE)


class Suitkaise:
    """Its processes, started from this one by the start method that it takes by itself."""

    def __init__(self) -> None:
        self._processes: list[Brief | Idle] = []

    def spawn_brief(self, board: str) -> None:
        """A process of one run."""
        self._start(Brief(board))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """Processes that listen."""
        for _ in range(count):
            self._start(Idle(board))

    def settle(self) -> None:
        """Nothing: signal and message stay until they are looked at."""

    def replace(self, board: str) -> None:
        """Not by its own means: there is no figure of it."""
        raise NotImplementedError

    def wait(self) -> None:
        """The result of each; it raises what went wrong."""
        for process in self._processes:
            process.result()
            if process.is_alive:
                raise TimeoutError(f"{process} gave its result and did not end")
        self._processes.clear()

    def stop(self) -> None:
        """All signals and messages first, then all results."""
        for process in self._processes:
            process.stop()
            process.tell(None)
        self.wait()

    def close(self) -> None:
        """Kill who is left."""
        for process in self._processes:
            process.kill()

    def _start(self, process: Brief | Idle) -> None:
        process.start()
        self._processes.append(process)
