"""The parent ends by a signal, by an exception, by returning or at once: how its actors end, and how it does itself."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack

import pytest

from tests.stage import descendants, gone, noted, notes, parent, said, tell
from understudy import ActorSystem

SCRIPT = """
import os, signal, sys, time
from tests.stage import note, noted
from understudy import ActorSystem, Process

told, opening, ending = sys.argv[1:]

class Careful(Process):
    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(told, f"onfinish {self.name}")

class Stubborn(Process):
    def __loop__(self):
        note(told, "stubborn")
        while True:
            try:
                time.sleep(600)
            except BaseException:
                pass

def mine(number, frame):
    note(told, f"mine {number}")
    if "exit" in opening:
        sys.exit(7)

for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    if "handled" in opening:
        signal.signal(each, mine)
    if "ignored" in opening:
        signal.signal(each, signal.SIG_IGN)

def act(system):
    refs = [system.spawn(Careful, name=name) for name in ("a", "b")]
    if "stubborn" in opening:
        refs.append(system.spawn(Stubborn))
        noted(told)
    for ref in refs:
        ref.wait_ready()
    print("up", flush=True)
    match ending:
        case "returns":
            return
        case "raises":
            raise RuntimeError("enough")
        case "exits":
            sys.exit(3)
        case "_exits":
            os._exit(5)
        case "waits":
            while not refs[0].done():
                time.sleep(0.02)  # in short bits: a signal in the instant before a sleep does not end it
        case "serves":
            for line in sys.stdin:
                print(*[ref.info().alive for ref in refs], flush=True)
        case "leaves":
            system.shutdown()
            print("closed", flush=True)
            time.sleep(60)

system = ActorSystem(signals="deaf" not in opening)
if "with" in opening:
    with system:
        act(system)
else:
    act(system)
"""


def onfinish(told):
    return sorted(line for line in notes(told) if line.startswith("onfinish"))


BOTH = ["onfinish a", "onfinish b"]


@pytest.mark.fault("F29")
@pytest.mark.requirement("K5")
@pytest.mark.parametrize("opening", ["plain", "with"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_actors_in_good_order_before_the_parent_ends_by_it(tmp_path, opening, number):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, opening, "waits", stderr=subprocess.DEVNULL) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        process.send_signal(number)
        assert process.wait(30) == -number
        gone(*family)
    assert onfinish(told) == BOTH


@pytest.mark.fault("F29")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_while_nothing_is_open_any_more_just_ends_the_parent(tmp_path, number):
    with parent(SCRIPT, tmp_path, tmp_path / "told", "plain", "leaves") as process:
        assert said(process) == "up"
        assert said(process) == "closed"
        process.send_signal(number)
        assert process.wait(30) == -number


@pytest.mark.fault("F29")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("opening", ["handled", "ignored"])
def test_where_the_user_handles_or_ignores_a_signal_it_reaches_nobody_else(tmp_path, number, opening):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, opening, "serves", stdin=subprocess.PIPE) as process:
        assert said(process) == "up"
        process.send_signal(number)
        if opening == "handled":
            assert noted(told) == [f"mine {int(number)}"]
        tell(process, "and now?")
        assert said(process) == "True True"
        process.communicate()
        assert process.returncode == 0
    assert onfinish(told) == BOTH


@pytest.mark.fault("F29")
def test_a_handler_of_the_users_that_exits_leaves_by_the_with_block(tmp_path):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, "handled exit with", "waits") as process:
        assert said(process) == "up"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7
    assert onfinish(told) == BOTH


@pytest.mark.fault("F29")
@pytest.mark.requirement("P6")
@pytest.mark.parametrize("opening", ["plain", "with"])
@pytest.mark.parametrize(("ending", "code"), [("returns", 0), ("raises", 1), ("exits", 3)])
def test_a_script_that_ends_by_itself_stops_its_actors_and_keeps_its_exit_code(tmp_path, opening, ending, code):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, opening, ending, stderr=subprocess.DEVNULL) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        assert process.wait(30) == code
        gone(*family)
    assert onfinish(told) == BOTH


@pytest.mark.fault("F29")
@pytest.mark.parametrize(
    ("opening", "ending", "number", "code"),
    [("plain", "_exits", None, 5), ("with", "_exits", None, 5), ("deaf", "waits", signal.SIGTERM, -signal.SIGTERM)],
)
def test_a_parent_that_is_gone_at_once_leaves_nobody_behind(tmp_path, opening, ending, number, code):
    with parent(SCRIPT, tmp_path, tmp_path / "told", opening, ending) as process:
        assert said(process) == "up"
        family = [] if number is None else descendants(process.pid)
        if number is not None:
            process.send_signal(number)
        assert process.wait(30) == code
        gone(*family)


@pytest.mark.fault("F29")
@pytest.mark.requirement("P6")
def test_an_actor_that_stops_for_nobody_is_killed_at_the_end_of_the_short_ladder(tmp_path):
    """Of a program that comes to its end and of one that is ended, side by side."""
    codes = {"returns": 0, "waits": -signal.SIGTERM}
    with ExitStack() as stack:
        processes = {}
        for ending in codes:
            (tmp_path / ending).mkdir()
            arguments = tmp_path / ending / "told", "plain stubborn", ending
            processes[ending] = stack.enter_context(parent(SCRIPT, tmp_path / ending, *arguments))
        families = []
        for process in processes.values():
            assert said(process) == "up"
            families += descendants(process.pid)
        processes["waits"].send_signal(signal.SIGTERM)
        assert {ending: process.wait(40) for ending, process in processes.items()} == codes
        gone(*families)
    assert [onfinish(tmp_path / ending / "told") for ending in codes] == [BOTH] * 2


@pytest.mark.fault("F29")
def test_the_signals_are_as_they_were_when_the_last_system_has_closed():
    ActorSystem().shutdown()  # gives back what one that was closed in another thread could not
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    assert before[:2] == [signal.SIG_DFL, signal.SIG_DFL]
    with ActorSystem() as first:
        taken = [signal.getsignal(number) for number in numbers]
        assert signal.SIG_DFL not in taken
        assert taken[2] == before[2]
        second = ActorSystem()
        first.shutdown()
        assert [signal.getsignal(number) for number in numbers] == taken
        second.shutdown()
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.fault("F29")
def test_a_handler_that_the_user_sets_later_stays_when_the_system_closes():
    def mine(number, frame):
        """Theirs."""

    try:
        with ActorSystem():
            signal.signal(signal.SIGTERM, mine)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.fault("F29")
def test_the_default_system_leaves_the_signals_alone():
    ActorSystem.default()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.getpid() == ActorSystem.default()._pid
