"""`understudy run` on a terminal: the live line, Ctrl-C, and a debugger's prompt."""

from __future__ import annotations

import re
import signal
import sys
import time

import pytest

from tests.cli.screens import COMMAND, command, screen
from tests.stage import gone, noted, notes, until

PROMPT = "(Pdb) "


def test_the_line_shows_how_the_actor_stands_and_is_gone_before_the_result(actors):
    gate = actors / "gate"
    with screen(COMMAND, "run", "actors:Counter", "--arg", f"gate={gate}", cwd=actors) as shown:
        shown.shows("life 1, 0 left")
        gate.touch()
        assert shown.end() == 0
    assert re.search(r"counter\S* \S*(STARTING|RUNNING|STOPPING)\S*  lap \d+.*life 1, 0 left", shown.text)
    assert shown.text.count("at work") == 3
    last = re.split(r"\r\x1b\[2K", shown.text)[-1]
    assert last.split("at work\r\n")[-1] == "{'kind': 'str', 'laps': 3, 'word': 'laps'}\r\n"


@pytest.mark.fault("F34")
def test_one_press_of_ctrl_c_is_a_clean_stop_and_exit_code_130(actors):
    told = actors / "told"
    with screen(COMMAND, "run", "actors:Patient", "--arg", f"told={told}", cwd=actors) as shown:
        pid = int(noted(told)[0].split()[1])
        shown.type("\x03")
        assert shown.end() == 130
        gone(pid)
    assert notes(told)[1:] == ["onfinish"]
    assert "patient is stopped; Ctrl-C again kills it" in shown.text
    assert shown.text.endswith("in order\r\n")
    assert "Traceback" not in shown.text


@pytest.mark.fault("F34")
def test_a_second_press_kills(actors):
    told, gate = actors / "told", actors / "gate"
    with screen(
        COMMAND, "run", "actors:Patient", "--arg", f"told={told}", "--arg", f"gate={gate}", cwd=actors
    ) as shown:
        pid = int(noted(told)[0].split()[1])
        shown.type("\x03")
        noted(told, 2)
        shown.type("\x03")
        assert shown.end() == 130  # by the ladder it is minutes to the first rung alone
        gone(pid)
    assert "ActorKilled: patient was killed" in shown.text
    assert "Traceback" not in shown.text


@pytest.mark.fault("F29")
def test_a_terminal_that_hangs_up_stops_the_actor_and_ends_the_command_by_sighup(actors):
    told = actors / "told"
    with screen(COMMAND, "run", "actors:Patient", "--arg", f"told={told}", cwd=actors) as shown:
        pid = int(noted(told)[0].split()[1])
        shown.hang_up()
        until(lambda: shown.process.poll() is not None, 30, "the end of the command")
        assert shown.process.returncode == -signal.SIGHUP
        gone(pid)
    assert notes(told)[1:] == ["onfinish"]


def test_a_prompt_may_stay_open_for_longer_than_any_deadline(actors):
    with screen(COMMAND, "run", "actors:Debugged", "--timeout", "20", cwd=actors) as shown:
        shown.shows(PROMPT)
        time.sleep(1.5)  # three times the timeout of the section
        shown.type("p self.current_lap\n")
        shown.shows(PROMPT, times=2)
        shown.type("p __import__('ctypes').PyDLL(None).sleep(2)\n")  # the interpreter is held: no beat either
        shown.shows(PROMPT, times=3)
        shown.type("continue\n")
        assert shown.end() == 0
    asked = shown.text[shown.text.index(PROMPT) :]
    assert re.match(r"\(Pdb\) p self.current_lap\r\n2\r\n\(Pdb\) p .*\r\n0\r\n\(Pdb\) continue\r\n", asked), (
        "and no line drawn"
    )
    assert shown.text.endswith("x is 42\r\n")


def test_whoever_steps_out_of_the_last_hook_steps_into_the_next_and_not_into_ours(actors):
    with screen(COMMAND, "run", "actors:Debugged", cwd=actors) as shown:
        for times in range(1, 5):
            shown.shows(PROMPT, times=times)
            shown.type("next\n")
        shown.shows("__result__()")
        shown.type("continue\n")
        assert shown.end() == 0
    stops = re.findall(r"^> (\S+)\(\d+\)(\w+)\(", shown.text, re.MULTILINE)
    assert {path for path, _ in stops} == {str(actors / "actors.py")}
    assert [name for _, name in stops][-1] == "__result__"


@pytest.mark.parametrize(("typed", "code"), [("quit\n", 0), ("\x04", 0), ("\x03", 130)])
def test_to_quit_the_debugger_is_to_stop_the_actor_in_order(actors, typed, code):
    with screen(COMMAND, "run", "actors:Debugged", cwd=actors) as shown:
        shown.shows(PROMPT)
        time.sleep(0.3)  # the screen looks every tenth of a second whether somebody debugs
        shown.type(typed)
        assert shown.end() == code
    assert shown.text.endswith("x is 41\r\n")


TWO = """
from actors import Debugged
from understudy import ActorSystem

with ActorSystem() as system:
    refs = [system.spawn(Debugged, name=name) for name in ("a", "b")]
    print([ref.result(60) for ref in refs])
"""


def test_without_the_command_line_actors_take_turns_at_the_terminal_of_the_program(actors):
    (actors / "two.py").write_text(TWO)
    with screen(sys.executable, "two.py", cwd=actors) as shown:
        for times in (1, 2):
            shown.shows(PROMPT, times=times)
            time.sleep(0.7)  # beyond the timeout of both, of which one still waits for its turn
            assert shown.read().count(PROMPT) == times
            shown.type("continue\n")
        assert shown.end() == 0
    assert shown.text.endswith("['x is 42', 'x is 42']\r\n")


def test_without_a_terminal_a_breakpoint_is_passed_over_with_a_warning(actors):
    done = command("run", "actors:Debugged", cwd=actors)
    assert (done.returncode, done.stdout) == (0, "x is 42\n")
    assert re.fullmatch(
        r"breakpoint\(\) at \S+/actors.py:\d+ is passed over: the program has no terminal to read from\n",
        done.stderr,
    )
