"""A program as users write them, without a main guard, and what it says wherever it is run."""

from __future__ import annotations

from subprocess import CompletedProcess

CLASSES = """\
import os, sys
from understudy import ActorSystem, Process

sys.stdout.write(f"ran as {__name__}\\n")  # several processes may say so: each in one write
sys.stdout.flush()
FACTOR = 2

def twice(number):
    return FACTOR * number

class Base(Process):
    def __loop__(self):
        self.value = self.change(twice(self.value))
        self.stop()

class Worker(Base):
    def __init__(self, value):
        self.value, self.parent = value, os.getpid()
        self.change = lambda number: number + 1

    def __result__(self):
        assert os.getpid() != self.parent
        return self.value

class Fails(Process):
    def __loop__(self):
        raise ValueError("no")  # this very line
"""

USE = """\
with ActorSystem() as system:
    refs = [system.spawn(Worker, 20, host=host) for host in ("process", "spawn")]
    failed = system.spawn(Fails)
    for ref in refs:
        print("answer", ref.result(30), flush=True)
    print(failed.exception(30).report.stacks, flush=True)
"""

PROGRAM = CLASSES + USE


def check(done: CompletedProcess[str], *, name: str = "__main__", line: bool = True) -> None:
    """It ran once, in the parent alone; both actors answered; the traceback of the third shows its line, if any can."""
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert said[:3] == [f"ran as {name}", "answer 41", "answer 41"], done.stdout + done.stderr
    assert "ran as" not in "".join(said[1:])
    assert "in __loop__" in done.stdout
    assert ('raise ValueError("no")  # this very line' in done.stdout) is line, done.stdout
    assert "ValueError: no" in said


def check_imported(done: CompletedProcess[str], name: str) -> None:
    """The same for classes that actors import by name, each for itself or once in the zygote."""
    assert done.returncode == 0, done.stderr
    ran = [line for line in done.stdout.splitlines() if line.startswith("ran as")]
    assert ran[0] == f"ran as {name}"
    assert set(ran) == {f"ran as {name}"}, done.stdout
    assert len(ran) > 1
    assert done.stdout.splitlines().count("answer 41") == 2, done.stdout + done.stderr
    assert 'raise ValueError("no")  # this very line' in done.stdout
