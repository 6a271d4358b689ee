"""`top` in a real terminal, that of tmux: keys are typed, and the screen is read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.screens import COMMAND, command, environment
from tests.stage import noted, notes, parent, running, said, until
from understudy import Process, Status

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")

SHELL = """
trap : INT  # Ctrl-C is for the command alone
stty -g > {folder}/before
echo "the shell's own words"
{words}
echo "code $?" > {folder}/told
stty -g > {folder}/after
sleep 600
"""


class Pane:
    """A window of tmux with one command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = folder / "tmux"

    def tmux(self, *words: object) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, "-f", "/dev/null", *map(str, words)],
            capture_output=True, text=True, env=environment(), timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *words: object, columns: int = 120, lines: int = 30) -> None:
        script = self.folder / "script"
        script.write_text(SHELL.format(folder=self.folder, words=" ".join(map(str, words))))
        self.tmux("new-session", "-d", "-x", columns, "-y", lines, "sh", script)

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, *words: str) -> list[str]:
        """The lines, once all these words stand in them."""
        until(lambda: all(word in self.screen() for word in words), 20, f"{words} in\n{self.screen()}")
        return self.screen().splitlines()

    def rows(self) -> list[str]:
        """The names in the table, from above."""
        lines = self.screen().splitlines()
        start = next((n for n, line in enumerate(lines) if line.startswith("name ")), len(lines))
        return [line.split()[0] for line in lines[start + 1 :] if line.strip()]

    def ended(self) -> str:
        """What it ended with; the terminal is as it was."""
        code = noted(self.folder / "told")[0]
        noted(self.folder / "after")
        assert notes(self.folder / "before") == notes(self.folder / "after")
        assert "the shell's own words" in self.screen()
        assert self.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").split() == ["1", "0"]
        return code


@pytest.fixture
def pane(tmp_path, apart):
    made = Pane(apart)  # its path is short enough for a socket
    yield made
    if (apart / "tmux").exists():
        subprocess.run(["tmux", "-S", apart / "tmux", "kill-server"], check=False, capture_output=True)


class Patient(Process):
    def __loop__(self):
        self.sleep(600)


class Idle(Patient):
    def __init__(self, laps):
        self.laps = laps

    def __loop__(self):
        self.sleep(0.001 if self.current_lap < self.laps else 600)


@pytest.fixture
def cast(theatre):
    refs = {name: theatre.spawn(Idle, laps, name=name) for name, laps in (("ada", 40), ("bob", 60), ("eve", 1))}
    running(*refs.values())
    return refs


def test_a_live_table_sorts_inspects_stops_restarts_and_kills(cast, pane):
    pane.run(COMMAND, "top")
    pane.shows("theatre  3 living", "ada", "bob", "eve", "RUNNING", "MiB")
    assert pane.rows() == ["ada", "bob", "eve"]
    pane.type("r")
    until(lambda: pane.rows() == ["eve", "bob", "ada"], 20)
    pane.type("l")
    until(lambda: pane.rows() == ["bob", "ada", "eve"], 20, "the order of laps")
    pane.type("n", "Home", "i")
    shown = pane.shows("over all lives", "pid", "story")
    assert shown[0].startswith("ada")
    pane.type("Escape")
    pane.shows("3 living")
    pane.type("Down", "S")
    pane.shows("stop bob: asked", "2 living")
    assert cast["bob"].wait(20) is Status.FINISHED
    until(lambda: pane.rows()[:2] == ["ada", "eve"], 20)
    pane.type("Home", "R")
    until(lambda: cast["ada"].info().incarnation == 2, 20, "the restart")
    pane.shows("restart ada: asked")
    pane.type("End", "K")
    pane.shows("kill eve and all that it started? y/n")
    pane.type("n")
    pane.shows("nothing was killed")
    assert cast["eve"].info().status is Status.RUNNING
    pane.type("K", "y")
    assert cast["eve"].wait(20) is Status.KILLED
    pane.shows("1 living")
    pane.type("a")
    pane.shows("KILLED", "FINISHED")
    pane.type("q")
    assert pane.ended() == "code 0"


def test_it_fits_the_terminal_also_when_that_changes(cast, pane):
    pane.run(COMMAND, "top", "'a*'", "eve", columns=150)
    assert "note" in pane.shows("only a* eve", "ada")[2]
    assert pane.rows() == ["ada", "eve"]
    pane.tmux("resize-window", "-x", 40, "-y", 8)
    until(lambda: "progress" not in pane.screen() and "eve" in pane.screen(), 20)
    assert all(len(line) <= 40 for line in pane.screen().splitlines())
    pane.type("q")
    assert pane.ended() == "code 0"


def test_who_ended_before_it_began_is_listed_when_asked_for(theatre, cast, pane):
    cast["eve"].kill()
    cast["eve"].wait(20)
    pane.run(COMMAND, "top")
    pane.shows("theatre  2 living", "ada")
    assert pane.rows() == ["ada", "bob"]
    pane.type("a")
    row = next(line for line in pane.shows("KILLED") if line.startswith("eve"))
    assert "MiB" not in row, "the dead have no figures"
    pane.type("q")
    assert pane.ended() == "code 0"


def test_a_name_that_nobody_bears_is_a_failure(cast, pane):
    pane.run(COMMAND, "top", "adda")
    assert pane.ended() == "code 4"
    pane.shows("understudy top: no actor is named 'adda'; did you mean ada?")


PAUSED = """
import sys
from understudy import ActorSystem
with ActorSystem("opera"):
    print("up", flush=True)
    sys.stdin.read()
"""


def test_a_system_that_does_not_answer_is_told(apart, pane, tmp_path):
    with parent(PAUSED, tmp_path, stdin=-1) as program:
        assert said(program) == "up"
        pane.run(COMMAND, "top")
        pane.shows("(no actors)")
        program.send_signal(signal.SIGSTOP)
        pane.shows("no answer for")
        program.send_signal(signal.SIGCONT)
        until(lambda: "no answer" not in pane.screen(), 30, "its answer")
        pane.type("q")
        assert pane.ended() == "code 0"


CRASHES = """
import sys
from understudy.cli.board import Board
from understudy.cli.app import main

lines, left = Board.lines, [3]

def failing(*arguments):
    left[0] -= 1
    if not left[0]:
        raise ZeroDivisionError("nobody thought of that")
    return lines(*arguments)

Board.lines = failing
main(["top"])
"""


@pytest.mark.fault("F34")
def test_ctrl_c_gives_the_terminal_back(cast, pane):
    pane.run(COMMAND, "top")
    pane.shows("3 living")
    pane.type("C-c")
    assert pane.ended() == "code 130"


def test_a_signal_gives_the_terminal_back(cast, pane):
    pane.run("sh -c", f"'echo $$ > {pane.folder}/pid; exec {COMMAND} top'")
    pane.shows("3 living")
    os.kill(int(noted(pane.folder / "pid")[0]), signal.SIGTERM)
    assert pane.ended() == f"code {128 + signal.SIGTERM}"


def test_the_end_of_the_system_gives_the_terminal_back_and_is_told(theatre, cast, pane):
    pane.run(COMMAND, "top")
    pane.shows("3 living")
    theatre.shutdown()
    assert pane.ended() == "code 0"
    pane.shows("understudy top: theatre has closed")


def test_a_defect_of_its_own_gives_the_terminal_back_and_is_told(cast, pane):
    (pane.folder / "crashes.py").write_text(CRASHES)
    pane.run(sys.executable, pane.folder / "crashes.py")
    assert pane.ended() == "code 1"
    pane.shows("ZeroDivisionError: nobody thought of that")


def test_without_a_terminal_it_says_what_to_do_in_place_of_it(cast, tmp_path):
    done = command("top", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "understudy top: a terminal is needed; elsewhere there are ps and watch\n"
