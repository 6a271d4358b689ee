"""circus: a circusd of its own, asked by its client; its programs are fresh interpreters."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from circus.client import CircusClient

from benchmarks.others.endings import Endings
from benchmarks.others.parts import BRIEF, IDLE, program

PATIENCE = 60.0  # seconds

CONFIG = """\
[circus]
check_delay = {delay}
endpoint = ipc://{folder}/ask
pubsub_endpoint = ipc://{folder}/events
multicast_endpoint =
"""


class Circus:
    """Looks after its processes every second, which is its default."""

    delay = 1.0

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="circus-")
        config = Path(self._folder.name) / "circus.ini"
        config.write_text(CONFIG.format(delay=self.delay, folder=self._folder.name))
        self._daemon = subprocess.Popen([sys.executable, "-m", "circus.circusd", "--log-level", "WARNING", config])
        self._client = CircusClient(endpoint=f"ipc://{self._folder.name}/ask", timeout=PATIENCE)
        self._briefs: list[str] = []
        self._born = 0
        self._idle = False
        self._endings = Endings()
        self._ask("numwatchers")

    def spawn_brief(self, board: str) -> None:
        """A watcher of one process that is not started again."""
        self._born += 1
        name = f"brief-{self._born}"
        self._add(name, program(BRIEF, board), respawn=False)
        self._briefs.append(name)

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """One watcher for all; more of them are an increment."""
        if self._idle:
            self._ask("incr", name="idle", nb=count)
        else:
            self._add("idle", program(IDLE, board), numprocesses=count)
            self._idle = True

    def settle(self) -> None:
        """Learn which processes there are."""
        self._endings.watch(self._ask("list", name="idle")["pids"])

    def replace(self, board: str) -> None:
        """Nothing: circusd does it."""

    def wait(self) -> None:
        """The watchers go when their processes have gone."""
        for name in self._briefs:
            self._endings.watch(self._ask("list", name=name)["pids"])
            self._endings.wait(PATIENCE)
            self._ask("rm", name=name, waiting=True)
        self._briefs.clear()

    def status_command(self) -> list[str]:
        """What a person types."""
        return [sys.executable, "-m", "circus.circusctl", "--endpoint", f"ipc://{self._folder.name}/ask", "status"]

    def stop(self) -> None:
        """Remove the watcher, which stops its processes first."""
        self._ask("rm", name="idle", waiting=True)
        self._idle = False
        self._endings.wait(PATIENCE)

    def close(self) -> None:
        """Ask circusd to quit, with what is left."""
        self._endings.forget()
        self._ask("quit", waiting=True)
        self._client.stop()
        self._daemon.wait(PATIENCE)
        self._folder.cleanup()

    def _add(self, name: str, command: list[str], **options: object) -> None:
        # Every watcher copies the environment: its programs import the benchmarks.
        self._ask("add", name=name, cmd=command[0], args=command[1:], start=True, options={"copy_env": True, **options})

    def _ask(self, command: str, **properties: object) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.send_message(command, **properties)
        if answer.get("status") == "error":
            raise RuntimeError(f"{command}: {answer.get('reason')}")
        return answer


class Watchful(Circus):
    """Looks after its processes twenty times a second: it's by looking that it finds the dead."""

    delay = 0.05
