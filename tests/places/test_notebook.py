"""A notebook: cells run by a real Jupyter kernel, over its own protocol."""

from __future__ import annotations

import asyncio
import os
import re
import textwrap
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from tests.stage import ROOT, gone, noted, until

pytestmark = pytest.mark.requirement("P10")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class Shown:
    """What a notebook shows under a cell."""

    stdout: str = ""
    stderr: str = ""
    value: str = ""
    error: str = ""
    traceback: str = ""

    def take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "stream":
                setattr(self, content["name"], getattr(self, content["name"]) + content["text"])
            case "execute_result":
                self.value = content["data"]["text/plain"]
            case "error":
                self.error = content["ename"]
                self.traceback = _COLOURS.sub("", "\n".join(content["traceback"]))


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@dataclass
class Notebook:
    """A kernel, and the loop in which we talk to it: the blocking client of Jupyter leaves one of its own open."""

    manager: AsyncKernelManager
    client: AsyncKernelClient
    runner: asyncio.Runner

    def await_(self, awaitable: Awaitable[Any]) -> Any:
        return self.runner.run(_awaited(awaitable))

    def run(self, cell: str) -> Shown:
        shown = Shown()
        execute = self.client.execute_interactive
        self.await_(execute(textwrap.dedent(cell), timeout=40, allow_stdin=False, output_hook=shown.take))
        assert shown.error in {"", "KeyboardInterrupt", "MainLoopError"}, shown.traceback
        return shown

    @property
    def processes(self) -> list[int]:
        """The kernel, and all that it started."""
        assert self.manager.provisioner is not None
        kernel = psutil.Process(self.manager.provisioner.pid)  # type: ignore[attr-defined]
        return [kernel.pid, *(child.pid for child in kernel.children(recursive=True))]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    folders = ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    for variable in folders:
        monkeypatch.setenv(variable, str(tmp_path / variable))
    # Told by this variable, a kernel would not show what its children print.
    kept = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    options = {"env": {**kept, "PYTHONPATH": str(ROOT)}, "cwd": str(tmp_path)}
    manager = AsyncKernelManager(transport="ipc", ip=str(tmp_path / "socket"))
    with asyncio.Runner() as runner:
        runner.run(_awaited(manager.start_kernel(extra_arguments=["--HistoryManager.enabled=False"], **options)))
        client = manager.client()
        client.start_channels()
        running = Notebook(manager, client, runner)
        try:
            runner.run(_awaited(client.wait_for_ready(timeout=40)))
            yield running
        finally:
            left = running.processes
            client.stop_channels()
            runner.run(_awaited(manager.shutdown_kernel(now=True)))
            gone(*left)


COUNTER = """
    from understudy import ActorSystem, Process

    FACTOR = 2

    class Counter(Process):
        def __init__(self):
            self.config.num_loops = 2
        def __loop__(self):
            print("lap", self.current_lap, flush=True)
            self.log.warning("logged in lap %d", self.current_lap)
        def __result__(self):
            return FACTOR * self.completed_laps
"""


def test_classes_of_cells_are_spawned_redefined_and_shown_with_their_lines(notebook):
    assert notebook.run(COUNTER) == Shown()
    shown = notebook.run("system = ActorSystem(); first = system.spawn(Counter); first.result(30)")
    assert shown.value == "4"
    assert shown.stderr == "logged in lap 1\nlogged in lap 2\n"
    # The kernel reads what its children print in its own time, and shows it under the cell of that moment.
    printed = shown.stdout

    def all_of_it():
        nonlocal printed
        printed += notebook.run("pass").stdout
        return printed.count("\n") == 2

    until(all_of_it, 20, "what the actor printed")
    assert printed == "lap 1\nlap 2\n"

    notebook.run("FACTOR = 10")
    assert notebook.run("system.spawn(Counter, host='spawn').result(30)").value == "20"
    redefined = """
        class Counter(Process):
            def __loop__(self):
                self.stop()
            def __result__(self):
                return "redefined"
    """
    notebook.run(redefined)
    assert notebook.run("system.spawn(Counter).result(30)").value == "'redefined'"
    assert notebook.run("await system.spawn(Counter).aio").value == "'redefined'"
    # What was spawned before begins anew from what it was then.
    assert notebook.run("first.restart(), system.ref('counter-1').result(30)").value == "('ended', 4)"

    failing = """
        class Counter(Process):
            def __loop__(self):
                raise ValueError("no")  # this very line
    """
    notebook.run(failing)
    for host in ("process", "spawn"):
        shown = notebook.run(f"system.spawn(Counter, host={host!r}).result(30)")
        assert shown.error == "MainLoopError"
        for told in (shown.traceback, shown.stderr):
            assert "ValueError: no" in told
            assert 'raise ValueError("no")  # this very line' in told
    assert notebook.run("system.shutdown()") == Shown()


SLEEPER = """
    import os
    from tests.stage import note
    from understudy import ActorSystem, Process

    class Sleeper(Process):
        def __loop__(self):
            note("pids", os.getpid())
            self.sleep(600)
        def __result__(self):
            return "went in order"

    system = ActorSystem()
    ref = system.spawn(Sleeper)
    ref.wait_ready(30)
"""


def test_a_wait_is_interrupted_and_the_actor_lives_on(notebook, tmp_path):
    notebook.run(SLEEPER)
    (pid,) = noted(tmp_path / "pids")

    async def interrupt():
        await asyncio.to_thread(noted, tmp_path / "waits")
        await notebook.manager.interrupt_kernel()

    async def both():
        shown = Shown()
        cell = "note('waits', 1); ref.wait()"
        async with asyncio.TaskGroup() as group:
            group.create_task(interrupt())
            await notebook.client.execute_interactive(cell, timeout=40, allow_stdin=False, output_hook=shown.take)
        return shown

    assert notebook.await_(both()).error == "KeyboardInterrupt"
    assert notebook.run("ref.info().status.name, ref.info().pid").value == f"('RUNNING', {pid})"
    assert notebook.run("ref.stop(), ref.result(30)").value == "('asked', 'went in order')"


@pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
def test_a_restart_of_the_kernel_leaves_nothing(notebook, tmp_path, now):
    notebook.run(SLEEPER)
    before = notebook.processes
    (pid,) = noted(tmp_path / "pids")
    assert int(pid) in before
    assert len(before) >= 3
    endpoint = notebook.run("system.endpoint").value.strip("'").removeprefix("ipc://")
    notebook.await_(notebook.manager.restart_kernel(now=now))
    notebook.await_(notebook.client.wait_for_ready(timeout=40))
    gone(*before)
    until(lambda: not (tmp_path / endpoint).exists(), 20, "the end of its directory")
    assert notebook.run(SLEEPER) == Shown()
