"""`watch`: every change of a running system as a line, until something has come about."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import pytest

from tests.cli.screens import COMMAND, environment
from tests.stage import hold, parent, running, said, state_of, until
from understudy import ActorSystem, Event, Process, Status
from understudy.cli.following import Reach
from understudy.cli.telling import told
from understudy.observe.interest import KINDS


class Patient(Process):
    def __loop__(self):
        self.sleep(600)


class Fragile(Process):
    """Waits for the gate, fails, and goes on in its second life."""

    def __init__(self, gate):
        self.gate = gate
        self.config.lives = 2
        self.config.timeouts.loop = None

    def __loop__(self):
        hold(self.gate)
        if self.incarnation == 1:
            raise ConnectionError("the line is dead")
        self.progress(50, note="half")
        self.sleep(600)


class Watcher:
    """A `watch` in another process, and the lines that it said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.out, self.error = process, process.stdout, process.stderr
        self.lines: list[str] = []

    def says(self, *words: str) -> str:
        """The next line that has all these words; those before are kept, too."""
        while True:
            line = self.out.readline()
            assert line, f"it ended; {words} is in none of {self.lines}"
            self.lines.append(line.rstrip("\n"))
            if all(word in line for word in words):
                return line

    def end(self) -> tuple[int, str]:
        self.lines += self.out.read().splitlines()
        error = self.error.read()
        return self.process.wait(30), error


@contextmanager
def watching(*words: str):
    with subprocess.Popen(
        [COMMAND, "watch", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield Watcher(process)
        finally:
            process.kill()


def follows(system: ActorSystem, watcher: Watcher) -> None:
    """Wait until it follows: what happens from now on it has to tell."""
    number = 0
    while not watcher.lines:
        number += 1
        system.spawn(os.getpid, name=f"first-{number}").wait(20)

        if select.select([watcher.out], [], [], 0.2)[0]:
            watcher.says("first-")


@pytest.mark.requirement("A4")
def test_each_change_is_a_line_from_the_crash_to_the_next_life(theatre, tmp_path):
    gate = tmp_path / "gate"
    ref = theatre.spawn(Fragile, gate, name="fragile")
    running(ref)
    with watching() as watcher:
        follows(theatre, watcher)
        gate.touch()
        watcher.says("fragile  RUNNING -> RESTARTING  life 1", "ConnectionError: the line is dead")
        watcher.says("fragile  RESTARTING -> STARTING  life 2")
        watcher.says("fragile  STARTING -> RUNNING  life 2")
        assert any("life 1 ended by exit code 1" in line for line in watcher.lines)
        ref.kill()
        watcher.says("fragile", "-> KILLED")
        theatre.shutdown()
        assert watcher.end() == (0, ""), "it ends with the system"


def test_events_as_json_have_every_field_and_only_the_kinds_and_names_that_were_asked_for(theatre, tmp_path):
    gate = tmp_path / "gate"
    with watching("frag*", "first-*", "--kind", "progress", "--kind", "state", "--json") as watcher:
        follows(theatre, watcher)
        running(theatre.spawn(Patient, name="patient"))
        running(theatre.spawn(Fragile, gate, name="fragile"))
        gate.touch()
        watcher.says('"progress"', '"half"')
    events = [json.loads(line) for line in watcher.lines]
    assert all(set(event) == {each.name for each in fields(Event)} for event in events)
    assert {event["kind"] for event in events} == {"state", "progress"}
    assert not [event for event in events if event["name"] == "patient"]
    last = events[-1]
    assert (last["name"], last["incarnation"], last["data"]["progress"]) == ("fragile", 2, 50)


def test_it_ends_when_all_have_come_to_a_status(theatre, tmp_path):
    for name in ("a", "b"):
        running(theatre.spawn(Patient, name=name))
    with watching("*", "--until", "finished") as watcher:
        follows_by(theatre, watcher, "a")
        theatre.stop("b")
        assert watcher.end() == (0, "")
    assert "b" in " ".join(watcher.lines)


def follows_by(system, watcher, name):
    """Stop that one when it follows; the extras come and go meanwhile."""
    follows(system, watcher)
    system.stop(name)
    watcher.says(f"{name}  STOPPING -> FINISHED")


@pytest.mark.parametrize(("word", "code"), [("FINISHED", 1), ("KILLED", 0), ("ended", 0)])
def test_until_fails_when_one_ended_in_another_status(theatre, say, word, code):
    ref = theatre.spawn(Patient, name="lead")
    running(ref)
    ref.kill()
    ref.wait(20)
    done = say("watch", "lead", "--until", word)
    assert done.code == code
    assert done.err == ("understudy watch: lead ended as KILLED\n" if code else "")


def test_until_what_is_so_already_ends_at_once_and_what_never_comes_at_the_timeout(theatre, say):
    running(theatre.spawn(Patient, name="lead"))
    assert say("watch", "lead", "--until", "running").code == 0
    late = say("watch", "lead", "--until", "FINISHED", "--timeout", "0.3")
    assert (late.code, late.err) == (124, "understudy watch: not FINISHED within 0.3 s\n")
    nobody = say("watch", "x*", "--until", "FINISHED", "--timeout", "0.2")
    assert nobody.code == 124
    assert "no living actor matches 'x*'" in nobody.err
    assert say("watch", "led", "--until", "FINISHED").code == 4


def test_a_system_that_closes_before_is_a_failure(theatre):
    with watching("first-1", "--until", "KILLED") as watcher:
        assert watcher.end()[0] == 4
    running(theatre.spawn(Patient, name="lead"))
    with watching("lead", "x*", "--until", "RESTARTING", "--kind", "health") as watcher:
        assert "no living actor matches" in watcher.error.readline()
        theatre.shutdown()
        code, error = watcher.end()
        assert code == 1, error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--until", "DONE"], "--until DONE: it is one of CREATED, STARTING,"),
        (["--kind", "stat"], "--kind stat: it is one of state, laps,"),
        (["--timeout", "nan"], "--timeout nan: it is a number of seconds"),
    ],
)
def test_a_wrong_word_is_refused(theatre, say, words, told):
    done = say("watch", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err


def test_ctrl_c_ends_it_with_130_and_no_word(theatre):

    with watching() as watcher:
        follows(theatre, watcher)
        watcher.process.send_signal(signal.SIGINT)
        code, error = watcher.end()
    assert (code, error) == (130, "")


# Without any system.


def event(kind="state", name="a", uid=1, after=None, **data):
    return Event(1, 0, kind, name, uid, 1, None, after, None, 0.0, data)


def test_a_status_counts_though_it_passes():
    waited = Reach({Status.RUNNING})
    waited.note(event(after="STARTING"))
    assert not waited.is_done()
    waited.note(event(after="RUNNING"))
    waited.note(event(after="CRASHED"))
    assert waited.is_done()
    assert not waited.missed


def test_all_are_waited_for_and_who_ends_otherwise_is_told():
    waited = Reach({Status.FINISHED})
    assert not waited.is_done(), "nobody has come yet"
    for name, uid in (("a", 1), ("b", 2)):
        waited.note(event(name=name, uid=uid, after="RUNNING"))
    waited.note(event(name="a", uid=1, after="FINISHED"))
    assert not waited.is_done()
    waited.note(event(name="b", uid=2, after="CRASHED"))
    assert waited.is_done()
    assert waited.missed == {"b": Status.CRASHED}


def test_every_kind_of_event_has_a_line_and_none_can_steer_the_terminal():
    data: dict[str, dict[str, Any]] = {
        "laps": {"completed_laps": 3},
        "progress": {"progress": 12.5, "note": "a\x1b[2Jb\nc"},
        "figures": {"cpu_percent": 3.25, "memory_mb": None},
        "restart": {"pause": 0.5, "lives_left": 2, "incarnation": 2, "asked": False},
        "held": {"next_restart": 2.0, "restart_held": "queued"},
        "report": {"signal": "SIGKILL", "exit_code": None},
        "dead_letter": {"to": 1, "sender": 0, "sender_name": "b", "way": "tell", "text": "'a\x1b[2J'", "count": 3},
        "log": {"level": 30, "level_name": "WARNING", "logger": "x", "message": "low\x1b]0;\nand", "traceback": "T"},
    }
    after = {"state": "RUNNING", "held": "queued\x1b[2J", "group": "restart\x1b[2J"}
    lines = {
        kind: "".join(text for text, _ in told(event(kind, after=after.get(kind), **data.get(kind, {}))))
        for kind in (*KINDS, "snapshot", "of a later version")
    }
    assert not [line for line in lines.values() if "\x1b" in line or "\n" in line]
    assert lines["progress"].endswith("a  12 %  a\\x1b[2Jb")
    assert lines["dead_letter"].endswith("a  3 messages for nobody, of b: 'a\\x1b[2J'")
    assert lines["restart"].endswith("a  life 2 follows in 0.5 s, 2 left")
    assert lines["held"].endswith("a  queued\\x1b[2J, its turn comes within 2.0 s")
    assert lines["group"].endswith("a  group restart\\x1b[2J")
    assert lines["report"].endswith("a  life 1 ended by SIGKILL")
    assert lines["log"].endswith("a  WARNING x: low\\x1b]0;")
    assert lines["figures"].endswith("a  figures  cpu_percent 3.2  memory_mb -")


def test_on_a_quiet_stream_it_ends_when_nobody_reads_any_more(theatre):
    ref = theatre.spawn(Patient, name="lead")
    running(ref)
    for words in (["watch"], ["watch", "--json"], ["logs", "-f"]):
        with subprocess.Popen(
            [COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.wait(30) == 141, words
            assert [line for line in process.stderr if "nothing is there yet" not in line] == []
    ref.kill()


HOLDS = """
import time
from understudy import ActorSystem
with ActorSystem("opera"):
    print("up", flush=True)
    time.sleep(600)
"""


def test_the_timeout_bounds_the_connecting_too(apart, say, tmp_path):
    with parent(HOLDS, tmp_path) as program:
        said(program)
        program.send_signal(signal.SIGSTOP)
        until(lambda: state_of(program.pid) == "T", 20, "the pause")
        for words in (["watch"], ["stop", "*", "--wait"], ["shutdown", "--wait"]):
            done = say(*words, "--timeout", "0.1")
            assert (done.code, done.out) == (124, "")
            assert "did not answer" in done.err
            assert "within 0.5 s" in done.err
        program.kill()
