"""IPython: a real one, fed line by line."""

from __future__ import annotations

import pytest

from tests.stage import python

pytestmark = pytest.mark.requirement("P10")

SESSION = """
from understudy import ActorSystem, Process
system = ActorSystem()
%cpaste -q
class Part(Process):
    def __init__(self, value):
        self.value = value

    def __loop__(self):
        self.stop()

    def __result__(self):
        return "first", self.value
--
first = system.spawn(Part, 1)
print("answer", first.result(30))
%cpaste -q
class Part(Part):
    def __result__(self):
        return "second", super().__result__()
--
print("answer", system.spawn(Part, 2, host="spawn").result(30))
print("answer", await system.spawn(Part, 3).aio)
%cpaste -q
def fails():
    raise ValueError("no")  # this very line
--
print(system.spawn(fails).exception(30).report.stacks)
system.shutdown()
print("the end")
exit
"""


def test_classes_of_a_prompt_of_ipython(tmp_path):
    options = [
        "--simple-prompt",
        "--no-banner",
        "--colors=NoColor",
        "--HistoryManager.enabled=False",
        "--no-confirm-exit",
    ]
    home = {"HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
    done = python("-m", "IPython", *options, stdin=SESSION.lstrip(), cwd=tmp_path, env=home, seconds=55)
    shown = [line.rpartition("]: ")[2] for line in done.stdout.splitlines()]
    answers = [line for line in shown if line.startswith("answer")]
    assert answers == [
        "answer ('first', 1)",
        "answer ('second', ('first', 2))",
        "answer ('second', ('first', 3))",
    ], done.stdout + done.stderr
    assert "# this very line" in done.stdout
    assert "the end" in shown
    assert done.returncode == 0
