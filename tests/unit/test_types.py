"""What a type checker knows of refs: whose they are, and what their calls take and give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stage import python

ROOT = Path(__file__).parents[2]

PROGRAM = """\
from understudy import ActorRef, ActorSystem, Process, callable_remotely


class Counter(Process):
    def __init__(self, start: int = 0) -> None:
        self.count = start

    @callable_remotely
    def add(self, by: int) -> int:
        self.count += by
        return self.count


class Other(Process):
    def __receive__(self, message: str) -> str:
        return message


def twice(number: int) -> int:
    return 2 * number


def use(system: ActorSystem, known: ActorRef[Counter]) -> None:
    spawned = system.spawn(Counter, 3, name="counter", config={"lives": 3})
    reveal_type(spawned)  # ActorRef[program.Counter]
    reveal_type(system.spawn(Counter(3)))  # ActorRef[program.Counter]
    reveal_type(Counter().start())  # ActorRef[program.Counter]
    reveal_type(system.spawn(twice, 3))  # ActorRef[Any]
    reveal_type(system.spawn("package.module:Class"))  # ActorRef[Any]
    group = system.spawn(Counter, 3, replicas=4, name="counters")
    reveal_type(group)  # GroupRef[program.Counter]
    reveal_type(group.refs[0])  # ActorRef[program.Counter]
    reveal_type(group.call.add(2))  # int
    reveal_type(system.spawn(twice, 3, replicas=4))  # GroupRef[Any]
    reveal_type(known.call.add(2))  # int
    reveal_type(known.call(timeout=2).add(by=2))  # int
    known = spawned
    known.call.add("2")  # error: arg-type
    known.call.sub(2)  # error: attr-defined
    known.call(time=2).add(2)  # error: call-arg
    other = system.spawn(Other)
    known = other  # error: assignment
    known = system.spawn(twice, 3)
"""


@pytest.mark.requirement("A7")
def test_a_ref_knows_the_class_of_its_actor_and_what_its_calls_take_and_give(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = python("-m", "mypy", "--no-error-summary", "--config-file", "pyproject.toml", str(program), cwd=ROOT)
    ours = re.findall(r"program\.py:(\d+): (?:error|note): (.*)", done.stdout)
    told = {int(line): text for line, text in ours if "defined in" not in text}
    wanted = {
        number: comment
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        for comment in re.findall(r"  # (.*)", line)
    }
    assert told.keys() == wanted.keys(), done.stdout + done.stderr
    for line, comment in wanted.items():
        kind, _, code = comment.partition("error: ")
        shown = f"[{code}]" if code else f'"{kind}"'
        assert (
            told[line]
            .replace("understudy.ref.", "")
            .replace("understudy.group.", "")
            .replace("builtins.", "")
            .endswith(shown)
        ), told[line]
