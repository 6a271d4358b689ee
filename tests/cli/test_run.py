"""`understudy run` without a terminal: results, exit codes, JSON, and what is refused."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.cli.screens import COMMAND, command, environment
from tests.docs.pages import tables
from tests.stage import ROOT, gone, noted, notes, python
from understudy import Remote, Status, UnknownActor
from understudy.cli import exits, presses
from understudy.cli.app import main
from understudy.cli.ending import Ending, as_json
from understudy.config import options


def test_the_result_is_printed_and_nothing_but_plain_text(actors):
    done = command("run", "actors:Counter", "--arg", "upto=2", "--arg", "word=plain text", cwd=actors)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "at work\nat work\n{'kind': 'str', 'laps': 2, 'word': 'plain text'}\n"


def test_a_function_takes_arguments_as_literals_where_they_are(actors):
    assert command("run", "actors:add", "--arg", "a=[1]", "--arg", "b=[2.5]", cwd=actors).stdout == "[1, 2.5]\n"


def test_a_file_is_run_by_its_path_and_its_only_class_need_not_be_named(tmp_path):
    folder = tmp_path / "some where"
    folder.mkdir()
    (folder / "beside.py").write_text("WORD = 'from beside'\n")
    lone = "import beside\nfrom understudy import Process\nclass Lone(Process):\n    def __loop__(self): self.stop()\n"
    (folder / "json.py").write_text(lone + "    def __result__(self): return beside.WORD\n")
    done = command("run", "some where/json.py", cwd=tmp_path)  # a name that the library has: it travels by value
    assert (done.returncode, done.stdout) == (0, "from beside\n"), done.stderr


def test_python_m_understudy_is_the_same_command(actors):
    done = python("-m", "understudy", "run", "actors.py:add", "--arg", "a=1", cwd=actors, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


@pytest.mark.requirement("L1")
def test_a_crash_with_lives_left_is_told_in_a_line_and_the_next_life_follows(actors):
    done = command("run", "actors:Fragile", cwd=actors)
    assert (done.returncode, done.stdout) == (0, "done in life 2\n")
    assert done.stderr.splitlines() == [
        "ConnectionError: the line is dead (__loop__ of fragile, lap 1, incarnation 1); its understudy takes over"
    ]


@pytest.mark.requirement("H6")
def test_a_death_is_reported_with_the_childs_traceback_and_none_of_ours(actors):
    done = command("run", "actors:Fragile", "--config", "lives=1", cwd=actors)
    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.splitlines()
    assert first == ("MainLoopError: ConnectionError: the line is dead (__loop__ of fragile, lap 1, incarnation 1)")
    assert done.stderr.count("Traceback (most recent call last)") == 1
    assert f'File "{actors}/actors.py"' in done.stderr
    assert "/understudy/" not in done.stderr
    assert any("ended by exit code 1" in one for one in rest)


def test_json_is_one_object_and_what_the_actor_prints_goes_to_standard_error(actors):
    done = command("run", "actors:Counter", "--json", "--system", "theatre", "--config", "num_loops=2", cwd=actors)
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "at work\n" * 2, 1)
    assert told.pop("runtime") > 0
    assert told == {
        "name": "counter",
        "system": "theatre",
        "status": "FINISHED",
        "result": {"word": "laps", "laps": 2, "kind": "str"},
        "result_is_repr": False,
        "incarnations": 1,
        "laps": 2,
        "asked": None,
        "error": None,
    }


def test_the_page_names_every_field_of_the_json_and_every_exit_code():
    page = (ROOT / "docs" / "guides" / "command-line.md").read_text(encoding="utf-8")
    ending = Ending("a", "a-1", Status.CRASHED, None, ValueError("x"), None, 1, 0, 0.5, None)
    fields = json.loads(as_json(ending))
    rows = {name for table in tables(page) for row in table for name in re.findall(r"`([a-z_.]+)`", row[0])}
    assert set(fields) <= rows
    assert [field for field in fields["error"] if f"`{field}`" not in page] == []
    codes = {row[0] for table in tables(page) for row in table}
    assert codes >= {
        str(code) for code in (exits.DONE, exits.FAILED, exits.REFUSED, exits.LATE, exits.PRESSED, exits.UNREAD)
    }


def test_json_of_a_crash_has_the_error_and_its_report(actors):
    done = command("run", "actors:Hopeless", "--json", cwd=actors)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["result"]) == (1, "CRASHED", None)
    error = told["error"]
    assert error["type"] == "MainLoopError"
    assert error["text"].startswith("ConnectionError: the line is dead (__loop__ of hopeless")
    assert "in __loop__\n" in error["traceback"]
    assert (error["report"]["section"], error["report"]["lap"], error["report"]["exit_code"]) == ("loop", 1, 1)


def test_a_result_that_json_cannot_carry_is_told_by_its_repr(actors):
    told = json.loads(command("run", "actors:Opaque", "--json", cwd=actors).stdout)
    assert (told["result"], told["result_is_repr"]) == ("{1, 2}", True)


def test_a_timeout_of_the_run_is_a_stop_in_order_and_exit_code_124(actors):
    told = actors / "told"
    done = command("run", "actors:Patient", "--arg", f"told={told}", "--timeout", "1.5", cwd=actors)
    assert (done.returncode, done.stdout) == (124, "in order\n")
    assert done.stderr == "patient did not end within 1.5 s and is stopped\n"
    assert notes(told)[-1] == "onfinish"


@pytest.mark.fault("F29")
def test_sigterm_stops_the_actor_and_then_ends_the_command_by_the_same_signal(actors):
    told = actors / "told"
    with subprocess.Popen(
        [COMMAND, "run", "actors:Patient", "--arg", f"told={told}"],
        stdout=subprocess.PIPE,
        cwd=actors,
        env=environment(),
    ) as process:
        pid = int(noted(told)[0].split()[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
        gone(pid)
        assert process.stdout is not None
        assert process.stdout.read() == b"in order\n"
    assert notes(told)[1:] == ["onfinish"]


@pytest.mark.parametrize("what", ["flood", "Counter"])
def test_a_reader_that_goes_away_is_no_crash(actors, what):
    """`flood` meets the closed pipe in the actor, `Counter` (of no laps to print) in the command itself."""
    read, write = os.pipe()
    words = ["--config", "timeouts.loop=30"] if what == "flood" else ["--arg", "upto=1"]
    with subprocess.Popen(
        [COMMAND, "run", f"actors:{what}", *words], stdout=write, stderr=subprocess.PIPE, cwd=actors, env=environment()
    ) as process:
        os.close(write)
        if what == "flood":
            assert os.read(read, 1) == b"0"
        os.close(read)
        assert process.stderr is not None
        shown = process.stderr.read()
        assert process.wait(30) == 141
    assert shown == b""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["actorz:Counter"], "no module named 'actorz' is found from"),
        (["actors:Countr"], "actors has no 'Countr'; did you mean 'Counter'?"),
        (["no/such.py"], "there is no file no/such.py"),
        (["actors"], "actors defines 7 Process classes, name one: Counter, Debugged, Fragile,"),
        (["actors:Counter", "--arg", "upt=3"], "unexpected keyword argument 'upt'; did you mean 'upto'?"),
        (["actors:add"], "actors:add: missing a required argument: 'a'"),
        (["actors:Counter", "--arg", "upto"], "--arg upto: write --arg NAME=VALUE"),
        (["actors:Counter", "--config", "livs=3"], "config has no field 'livs'; did you mean 'lives'?"),
        (["actors:Counter", "--config", "lives=many"], "lives must be a whole number, at least 1; got 'many'"),
        (["actors:Counter", "--timeout", "0"], "--timeout 0: it is a number of seconds above 0"),
        (["actors:Counter", "--system", "a b"], "--system: 'a b' is no name for a system"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(actors, capsys, monkeypatch, words, told):
    assert refused(words, actors, monkeypatch) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("understudy run: ")
    assert told in printed.err
    assert printed.err.count("\n") == 1


def refused(words, folder, monkeypatch):
    """The exit code of a command that runs nothing, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "actors", raising=False)
    monkeypatch.setattr(presses, "listen", lambda: None)  # the handlers are this process's
    with pytest.raises(SystemExit) as ended:
        main(["run", *words])
    sys.modules.pop("actors", None)
    return ended.value.code


def test_what_a_users_code_raises_before_anything_runs_is_shown_without_our_frames(actors, capsys, monkeypatch):
    assert refused(["actors:Sour"], actors, monkeypatch) == 2
    shown = capsys.readouterr().err
    assert shown.endswith("understudy run: Sour cannot be made: LookupError: no such folder\n")
    assert "actors.py" in shown
    assert "/understudy/" not in shown


def test_help_names_every_verb_and_setting(actors, capsys):
    for words, wanted in ((["--help"], ["run", "--version"]), (["run", "-h"], [one.path for one in options()])):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert [word for word in wanted if word not in shown] == []


def test_the_version_is_the_installed_one(actors):
    assert command("--version", cwd=actors).stdout == f"understudy {importlib.metadata.version('understudy')}\n"


def test_the_system_is_found_by_the_name_of_the_target_and_the_pid(actors):
    told = actors / "told"
    with subprocess.Popen(
        [COMMAND, "run", "actors:Patient", "--arg", f"told={told}"],
        stdout=subprocess.PIPE,
        cwd=actors,
        env=environment(),
    ) as process:
        noted(told)
        with Remote(f"patient-{process.pid}") as remote:
            assert remote.stop("patient") == {"patient": "asked"}
        assert process.wait(30) == 0
    with pytest.raises(UnknownActor):
        Remote(f"patient-{process.pid}")
