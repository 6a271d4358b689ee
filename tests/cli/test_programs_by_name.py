"""The verbs of the command line on an actor that is a program."""

from __future__ import annotations

import pytest

from tests.cli.screens import command
from tests.stage import running, state_of, until
from understudy import Exec, Status

LINE = "echo to stdout; echo to stderr >&2; exec sleep 600"


@pytest.fixture
def ref(theatre):
    made = theatre.spawn(Exec(["sh", "-c", LINE]), name="redis/1")
    running(made)
    return made


@pytest.mark.requirement("H1", "K1", "A8")
def test_a_program_is_looked_at_paused_restarted_and_stopped_by_name(say, ref):
    (row,) = say("ps", "--json").json
    assert (row["name"], row["status"], row["health"], row["command"]) == (
        "redis/1",
        "RUNNING",
        "healthy",
        f"sh -c '{LINE}'",
    )
    told = say("info", "redis/1").out
    assert "redis/1" in told
    assert "sh -c" in told
    until(lambda: "to stderr" in say("logs", "redis/1").out, 20, "its last line")
    assert "to stdout" in say("logs", "redis/1").out
    assert say("pause", "redis/*").code == 0
    until(lambda: state_of(ref.info().pid) == "T", 20, "its pause")
    assert "paused" in say("ps").out
    assert say("resume", "redis/*").code == 0
    until(lambda: state_of(ref.info().pid) == "S", 20, "its going on")
    assert "it is a program" in say("dump", "redis/1").out
    refused = say("configure", "redis/1", "num_loops=3")
    assert refused.code != 0
    assert "redis/1 is a program: it hears no orders" in refused.err
    assert say("restart", "redis/1", "--wait").code == 0
    assert ref.info().incarnation == 2
    assert say("stop", "redis/1", "--wait").code == 0
    assert (ref.wait(20), ref.result()) == (Status.FINISHED, -15)


def test_a_program_is_killed_from_another_shell(ref, tmp_path):
    killed = command("kill", "redis/1", "--wait", cwd=tmp_path)
    assert killed.returncode == 0, killed
    assert ref.wait(20) is Status.KILLED
