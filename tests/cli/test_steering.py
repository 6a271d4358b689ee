"""`stop`, `kill` and `restart` from another shell, by name: on a living system, for people and for programs."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.cli.screens import command
from tests.stage import gone, hold, note, noted, parent, running, said, tell, until
from understudy import ActorInfo, ActorTable, Event, Process, Status
from understudy.cli.exits import NO_ACTOR, REFUSED
from understudy.cli.following import Begins, Ends, Goal

TWO_TERMINALS = """
import sys
from understudy import ActorSystem, Process

class Patient(Process):
    def __init__(self):
        self.config.stop.command = 300
    def __loop__(self):
        self.sleep(600)
    def __result__(self):
        return "in order"

with ActorSystem("theatre") as system:
    refs = {name: system.spawn(Patient, name=name) for name in ("lead", "chorus/1", "chorus/2", "prompter")}
    for ref in refs.values():
        ref.wait_ready(30)
    print("up", refs["lead"].info().pid, refs["prompter"].info().pid, flush=True)
    for line in sys.stdin:
        print({name: str(ref.info().status) for name, ref in refs.items()}, end=" ")
        print(refs["prompter"].info().incarnation, flush=True)
"""


@pytest.mark.requirement("K1")
def test_actors_of_another_program_are_stopped_killed_and_restarted_by_name(apart, tmp_path):
    with parent(TWO_TERMINALS, tmp_path, stdin=-1, stderr=-3, env={**os.environ}) as program:
        _, lead, prompter = said(program).split()
        stopped = command("stop", "chorus/*", "--wait", cwd=tmp_path)
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert [line.split() for line in stopped.stdout.splitlines()] == [
            ["name", "outcome", "status"],
            ["chorus/1", "asked", "FINISHED"],
            ["chorus/2", "asked", "FINISHED"],
        ]
        killed = command("kill", "lead", cwd=tmp_path)
        assert (killed.returncode, killed.stdout.split()) == (0, ["name", "outcome", "lead", "asked"])
        gone(int(lead))
        restarted = command("restart", "prompter", "--json", cwd=tmp_path)
        assert restarted.stdout == '[{"name": "prompter", "outcome": "asked", "status": null}]\n'
        gone(int(prompter))

        def standing() -> str:
            tell(program, "how are you?")
            return said(program)

        last = "{'lead': 'KILLED', 'chorus/1': 'FINISHED', 'chorus/2': 'FINISHED', 'prompter': 'RUNNING'} 2"
        until(lambda: standing() == last, 20, last)


class Patient(Process):
    """Runs until it is told; ends when the gate opens, if there is one."""

    def __init__(self, gate=None):
        self.gate = gate
        self.config.stop.command = 300

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        if self.gate:
            hold(self.gate)

    def __result__(self):
        return "in order"


class Sour(Patient):
    def __onfinish__(self):
        raise LookupError("no such folder")


class Deaf(Patient):
    """Holds its interpreter, so that no handler runs."""

    def __init__(self, told):
        super().__init__()
        self.told = told

    def __loop__(self):
        note(self.told, "deaf from now on")
        sum(range(10**15))  # within one call of C


class Once(Patient):
    """Does not get up a second time."""

    def __init__(self, been):
        super().__init__()
        self.been = been

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.been.exists():
            raise LookupError("never again")
        self.been.touch()


@pytest.fixture
def cast(theatre):
    refs = {name: theatre.spawn(Patient, name=name) for name in ("lead", "chorus/1", "chorus/2")}
    running(*refs.values())
    return refs


@pytest.mark.requirement("K1")
def test_stop_asks_each_that_is_named_and_answers_by_actor(cast, say):
    assert say("stop", "chorus/*", "lead", "--json").json == [
        {"name": name, "outcome": "asked", "status": None} for name in ("chorus/1", "chorus/2", "lead")
    ]
    for ref in cast.values():
        assert ref.wait(20) is Status.FINISHED
    assert say("stop", "lead").out.split() == ["name", "outcome", "lead", "ended"]


@pytest.mark.requirement("A8")
def test_pause_and_resume_ask_each_that_is_named_and_ps_and_info_show_it(cast, say):
    assert say("pause", "chorus/*", "--json").json == [
        {"name": name, "outcome": "asked", "status": None} for name in ("chorus/1", "chorus/2")
    ]
    until(lambda: "_stand_still" in cast["chorus/1"].stacks(), 20)
    assert say("pause", "chorus/1").out.split() == ["name", "outcome", "chorus/1", "already"]
    rows = {row["name"]: row["paused"] for row in say("ps", "--json").json}
    assert rows == {"lead": False, "chorus/1": True, "chorus/2": True}
    assert say("ps").out.count("RUNNING (paused)") == 2
    assert "by request: it stands still" in say("info", "chorus/2").out
    words = {row["name"]: row["outcome"] for row in say("resume", "*", "--json").json}
    assert words == {"lead": "already", "chorus/1": "asked", "chorus/2": "asked"}
    assert not cast["chorus/2"].info().paused
    assert say("resume", "nobody").code == NO_ACTOR
    assert cast["chorus/1"].stop() == "asked"
    assert cast["chorus/1"].wait(20) is Status.FINISHED


@pytest.mark.requirement("A8")
def test_configure_sets_options_and_info_shows_what_differs_from_the_defaults(cast, say):
    said = say("configure", "chorus/*", "timeouts.loop=5", "join_in=none", "num_loops=7", "--json")
    assert {row["name"]: row["outcome"] for row in said.json} == {"chorus/1": "asked", "chorus/2": "asked"}
    assert say("configure", "chorus/1", "timeouts.loop=5").out.split() == ["name", "outcome", "chorus/1", "already"]
    shown = say("info", "chorus/2").out
    assert "num_loops=7, timeouts.loop=5.0" in shown
    assert say("info", "chorus/1", "--json").json["config"]["timeouts"]["loop"] == 5.0
    for wrong, why in (
        ("lives=3", "lives is set at the spawn"),
        ("timeouts.lop=3", "did you mean 'timeouts.loop'"),
        ("timeouts.loop=soon", "timeouts.loop must be"),
        ("timeouts.loop", "write configure NAME=VALUE"),
    ):
        refused = say("configure", "lead", wrong)
        assert (refused.code, refused.out) == (REFUSED, "")
        assert why in refused.err


def test_stop_that_drains_asks_for_what_has_arrived_to_be_handled_first(theatre, cast, say):
    say("stop", "lead", "--drain")
    assert any("a stop is asked (stop, after what has arrived)" in line for line in theatre.story("lead"))


def test_stop_with_grace_kills_when_it_is_over(theatre, say, tmp_path):
    theatre.spawn(Deaf, tmp_path / "told", name="lead")
    noted(tmp_path / "told")
    done = say("stop", "lead", "--grace", "0.4", "--wait", "--timeout", "20")
    assert (done.code, done.err) == (1, "understudy stop: lead did not finish\n")
    assert done.out.split()[-3:] == ["lead", "asked", "KILLED"]


def test_stop_that_waits_tells_how_each_ended_and_fails_if_one_did_not_finish(theatre, cast, say):
    running(theatre.spawn(Sour, name="sour"))
    done = say("stop", "*", "--wait", "--json")
    assert {row["name"]: row["status"] for row in done.json} == {
        "lead": "FINISHED",
        "chorus/1": "FINISHED",
        "chorus/2": "FINISHED",
        "sour": "CRASHED",
    }
    assert (done.code, done.err) == (1, "understudy stop: sour did not finish\n")
    again = say("stop", "lead", "sour", "--wait", "--json")
    assert [row["status"] for row in again.json] == ["FINISHED", "CRASHED"]
    assert [row["outcome"] for row in again.json] == ["ended", "ended"]
    assert again.code == 1


def test_stop_waits_no_longer_than_it_is_told_and_the_stop_stands(theatre, say, tmp_path):
    gate = tmp_path / "gate"
    ref = theatre.spawn(Patient, gate, name="lead")
    running(ref)
    done = say("stop", "lead", "--wait", "--timeout", "0.3")
    assert (done.code, done.err) == (124, "understudy stop: lead did not end within 0.3 s\n")
    assert say("stop", "lead").out.split()[-1] == "already"
    gate.touch()
    assert ref.wait(20) is Status.FINISHED


def test_kill_ends_at_once_and_a_second_one_has_nothing_to_do(cast, say):
    pid = cast["lead"].info().pid
    assert say("kill", "lead", "chorus/1", "--json").json == [
        {"name": "lead", "outcome": "asked", "status": None},
        {"name": "chorus/1", "outcome": "asked", "status": None},
    ]
    assert cast["lead"].wait(20) is cast["chorus/1"].wait(20) is Status.KILLED
    gone(pid)
    assert say("kill", "lead").out.split()[-1] == "ended"
    assert cast["chorus/2"].info().status is Status.RUNNING


def test_restart_begins_anew_also_what_has_ended(theatre, cast, say):
    assert say("restart", "lead").out.split()[-2:] == ["lead", "asked"]
    until(lambda: cast["lead"].info().incarnation == 2 and cast["lead"].info().status is Status.RUNNING, 20)
    cast["lead"].kill()
    cast["lead"].wait(20)
    assert say("restart", "lead", "--grace", "5", "--json").json[0]["outcome"] == "ended"
    until(lambda: theatre.info("lead").status is Status.RUNNING, 20, "the new lead")
    assert theatre.info("lead").uid != cast["lead"].uid


def test_restart_tells_people_that_an_ended_one_was_spawned_anew(theatre, cast, say):
    cast["lead"].kill()
    cast["lead"].wait(20)
    done = say("restart", "lead", "--wait")
    assert done.code == 0
    assert [line.split("  ") for line in done.out.splitlines()][1] == ["lead", "had ended, spawned anew", "RUNNING"]
    assert theatre.info("lead").uid != cast["lead"].uid


def test_restart_that_waits_ends_when_all_run_again_and_fails_if_one_does_not(theatre, cast, say, tmp_path):
    done = say("restart", "*", "--wait", "--json")
    assert (done.code, [row["status"] for row in done.json]) == (0, ["RUNNING"] * 3)
    assert all(ref.info().incarnation == 2 for ref in cast.values())
    ref = theatre.spawn(Once, tmp_path / "been", name="once")
    running(ref)
    done = say("restart", "once", "--wait", "--json")
    assert (done.code, done.json[0]["status"]) == (1, "CRASHED")
    assert done.err == "understudy restart: once did not run again\n"


def test_restart_waits_no_longer_than_it_is_told(theatre, say, tmp_path):
    ref = theatre.spawn(Patient, tmp_path / "gate", name="lead")
    running(ref)
    done = say("restart", "lead", "--wait", "--timeout", "0.3")
    assert (done.code, done.err) == (124, "understudy restart: lead did not run again within 0.3 s\n")
    (tmp_path / "gate").touch()
    until(lambda: ref.info().incarnation == 2, 20, "the next life")


def test_kill_that_waits_tells_how_each_ended(cast, say):
    pid = cast["lead"].info().pid
    done = say("kill", "lead", "chorus/*", "--wait", "--json")
    assert done.code == 0
    assert {row["status"] for row in done.json} == {"KILLED"}
    gone(pid)


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["in order", "by force"])
def test_shutdown_closes_a_system_and_waits_for_it_if_asked(cast, theatre, say, force):
    done = say("shutdown", *force, "--wait", "--json")
    assert (done.code, done.err) == (0, "")
    assert {(row["name"], row["outcome"]) for row in done.json} == {(name, "asked") for name in cast}
    assert {row["status"] for row in done.json} == {"KILLED" if force else "FINISHED"}
    until(lambda: not theatre.is_open, 20, "the end")
    assert say("ps").code == 3


def test_shutdown_asks_and_returns_and_can_be_waited_for_no_longer_than_told(theatre, say, tmp_path):
    running(theatre.spawn(Patient, tmp_path / "gate", name="lead"))
    assert say("shutdown").out.split() == ["name", "outcome", "lead", "asked"]
    done = say("shutdown", "--wait", "--timeout", "0.3")
    assert (done.code, done.err) == (124, "understudy shutdown: theatre did not close within 0.3 s\n")
    assert done.out.split()[-3:] == ["lead", "already", "-"]
    (tmp_path / "gate").touch()
    until(lambda: say("ps").code == 3, 20, "the end")


class Script:
    """An observer and a remote at once, of no system but of these rows."""

    def __init__(self, *rows: ActorInfo) -> None:
        self.rows = rows

    def snapshot(self) -> None:
        """Nothing follows."""

    def ps(self, *, all: bool) -> ActorTable:
        return ActorTable(self.rows)

    def aim(self, goal: type[Goal]) -> Goal:
        whole: Any = self
        return goal(whole, whole)


def test_one_that_was_forgotten_meanwhile_is_told_without_a_status():
    goals: tuple[type[Goal], ...] = (Ends, Begins)
    for goal in goals:
        aim = Script().aim(goal)
        aim.expect({"lead": "ended"})
        assert (aim.is_reached(), aim.finals) == (True, {"lead": None})


def test_of_a_name_that_another_bears_by_now_the_one_that_was_asked_is_waited_for():
    script = Script(ActorInfo("lead", 1, status=Status.RUNNING, incarnation=1))
    aim = script.aim(Ends)
    aim.expect({"lead": "asked"})
    assert aim.missing() == ["lead"]
    script.rows = (
        ActorInfo("lead", 1, status=Status.KILLED, incarnation=1),
        ActorInfo("lead", 2, status=Status.RUNNING, incarnation=1),
    )
    aim.note(Event(9, 0, "snapshot", "", 0, 0))
    assert aim.finals == {"lead": Status.KILLED}


def test_an_unknown_name_is_told_with_the_nearest_and_nobody_is_touched(cast, say):
    for verb in ("stop", "kill", "restart"):
        done = say(verb, "lead", "chorus/11")
        assert (done.code, done.out) == (4, "")
        assert done.err.startswith(f"understudy {verb}: no actor is named 'chorus/11'; did you mean chorus/1")
        assert done.err.count("\n") == 1
    assert all(ref.info().incarnation == 1 and ref.info().status is Status.RUNNING for ref in cast.values())


def test_a_glob_without_a_match_is_no_failure_but_a_note(theatre, say):
    for verb in ("stop", "kill", "restart"):
        done = say(verb, "extra/*")
        assert (done.code, done.out, done.err) == (
            0,
            "",
            f"understudy {verb}: no living actor matches 'extra/*'; who has ended is meant by name alone\n",
        )
        assert say(verb, "extra/*", "--json").json == []


def test_what_is_asked_wrongly_is_refused_in_one_line_and_not_done(cast, say):
    for words, told in (
        (["stop"], "Missing argument 'NAMES'."),
        (["stop", "lead", "--grace", "soon"], "Invalid value for '--grace'"),
        (["stop", "lead", "--grace", "-1"], "grace"),
        (["stop", "lead", "--timeout", "3"], "--timeout is for --wait"),
        (["stop", "lead", "--wait", "--timeout", "-3"], "--timeout -3: it is a number of seconds from 0 on"),
        (["kill", "lead", "--grace", "1"], "No such option: --grace"),
    ):
        done = say(*words)
        assert (done.code, done.out) == (2, ""), done
        assert done.err.startswith(f"understudy {words[0]}: ")
        assert told in done.err
        assert done.err.count("\n") == 1
    assert cast["lead"].info().status is Status.RUNNING
