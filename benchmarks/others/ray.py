"""ray: a cluster of this machine alone, without its dashboard; actors that take no share of a core."""

import os
import secrets
import tempfile
from typing import Any

# Read when the cluster starts, and here first: its workers have what the first one set. With a key of its own the
# cluster leaves none in the user's home.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray

from benchmarks.others.endings import Endings
from benchmarks.stamps import stamp

PATIENCE = 120.0  # seconds


class Player:
    """Stamps when it is made, also when it is made anew, and exists."""

    def __init__(self, board: str) -> None:
        stamp(board)

    def pid(self) -> int:
        """Its process."""
        return os.getpid()


PLAYER: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Player)


class Ray:
    """A cluster of its own, in a folder of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        ray.init(
            address="local",
            num_cpus=os.cpu_count(),
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=self._folder.name,
        )
        self._actors: list[Any] = []
        self._endings = Endings()

    def spawn_brief(self, board: str) -> None:
        """An actor; it ends when it's asked to, for none ends by itself without a call."""
        self.spawn_idle(board)

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """Actors."""
        self._actors += [PLAYER.remote(board) for _ in range(count)]

    def settle(self) -> None:
        """Learn where they are."""
        self._endings.watch(ray.get([actor.pid.remote() for actor in self._actors], timeout=PATIENCE))

    def replace(self, board: str) -> None:
        """Nothing: ray does it."""

    def wait(self) -> None:
        """Ask each to end after what it has to do."""
        self.settle()
        self.stop()

    def stop(self) -> None:
        """The same for all, until their processes have ended."""
        for actor in self._actors:
            actor.__ray_terminate__.remote()
        self._actors.clear()
        self._endings.wait(PATIENCE)

    def close(self) -> None:
        """Shut the cluster down."""
        self._endings.forget()
        ray.shutdown()
        self._folder.cleanup()
