"""`ps`, `info` and `systems`, and which system they are about."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from tests.cli.screens import COMMAND, command, environment, screen
from tests.stage import parent, running, said, until
from understudy import ActorInfo, ActorSystem, Process, Status
from understudy.cli.portrait import portrait
from understudy.cli.rows import COLUMNS
from understudy.cli.sheet import lay, plain

choosing = importlib.import_module("understudy.cli.choosing")
systems = importlib.import_module("understudy.cli.systems")
FIELDS = {each.name for each in fields(ActorInfo)}


class Patient(Process):
    def __init__(self):
        self.config.lives = 3

    def __loop__(self):
        self.progress(40, note="so \x1b[31mfar\nand no further")
        self.sleep(600)


class Gone(Process):
    def __loop__(self):
        raise ConnectionError("the line is dead")


@pytest.fixture
def cast(theatre):
    refs = {name: theatre.spawn(Patient, name=name) for name in ("lead", "chorus/1", "chorus/2")}
    running(*refs.values())
    refs["gone"] = theatre.spawn(Gone, name="gone")
    refs["gone"].wait(20)
    return refs


@pytest.mark.requirement("H1")
def test_ps_in_a_pipe_is_a_plain_table_of_the_living(cast, tmp_path):
    done = command("ps", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split()[:4] == ["name", "pid", "status", "health"]
    assert [row.split()[0] for row in rows] == ["chorus/1", "chorus/2", "lead"]
    assert rows[2].split()[1:6] == [str(cast["lead"].info().pid), "RUNNING", "healthy", "1", "2"]
    assert "\x1b" not in done.stdout


@pytest.mark.requirement("H1")
def test_ps_as_json_has_every_field_of_the_infos(cast, say):
    rows = say("ps", "--json").json
    assert [set(row) for row in rows] == [FIELDS] * 3
    lead = ActorInfo.from_dict(rows[-1])
    assert (lead.name, lead.status, lead.pid) == ("lead", Status.RUNNING, cast["lead"].info().pid)
    assert lead.memory_mb is not None, "the figures are measured for the asking"


def test_ps_is_about_those_that_are_named(cast, say):
    def names(*words):
        return [row["name"] for row in say("ps", "--json", *words).json]

    assert names("chorus/*") == ["chorus/1", "chorus/2"]
    assert names("lead", "*/2") == ["chorus/2", "lead"]
    assert names("--all") == ["chorus/1", "chorus/2", "gone", "lead"]
    assert names("gone") == ["gone"], "who asks for it by name means it"
    assert names("g*") == []
    assert names("g*", "-a") == ["gone"]


def test_ps_of_an_unknown_name_tells_the_nearest(cast, say):
    done = say("ps", "leed")
    assert (done.code, done.out, done.err) == (4, "", "understudy ps: no actor is named 'leed'; did you mean lead?\n")
    done = say("ps", "x*")
    told = "understudy ps: no living actor matches 'x*'; --all lists the ended, too\n"
    assert (done.code, done.out, done.err) == (0, "(no actors)\n", told)
    assert say("ps", "x*", "--all").err == "understudy ps: no actor matches 'x*'\n"


def test_ps_on_a_terminal_is_as_wide_as_that_and_in_colour(cast, tmp_path):
    for columns in (40, 200):
        with screen("/bin/sh", "-c", f"stty cols {columns}; exec {COMMAND} ps", cwd=tmp_path) as shown:
            assert shown.end() == 0
        lines = shown.text.replace("\r", "").splitlines()
        assert "\x1b[" in shown.text
        assert all(len(strip(line)) <= columns for line in lines)
        assert ("runtime" in lines[0]) == (columns == 200)


def strip(line):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_info_tells_everything_and_the_story(cast, say):
    told = say("info", "lead").out
    for words in (
        "lead  RUNNING  healthy",
        "life          1, 2 left",
        "progress      40 %  so \\x1b[31mfar\n                and no further",
        "memory",
        "story",
    ):
        assert words in told
    assert "\x1b" not in told
    found = say("info", "lead", "--json").json
    assert set(found) == FIELDS | {"story"}
    assert any("RUNNING" in step for step in found["story"])


def test_info_tells_the_age_of_the_spawn_apart_from_the_length_of_a_life():
    info = ActorInfo("lead", 1, status=Status.RUNNING, started_at=1_000.0, runtime=5.0)
    living = [plain(line) for line in portrait(info, (), 1_245.0)]
    assert [line for line in living if line.startswith("  spawned") and line.endswith(", 4:05 ago")]
    assert "  this life     for 5.0 s" in living
    ended = [plain(line) for line in portrait(replace(info, status=Status.FINISHED), (), 1_245.0)]
    assert "  last life     5.0 s long" in ended


@pytest.mark.requirement("L5")
@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("queued", "more restarts are due than a second may have"),
        ("quarantine", "is tried now and then"),
        ("group", "each member in its turn"),
    ],
)
def test_a_restart_that_is_held_back_is_told_with_the_reason(reason, told):
    info = ActorInfo("lead", 1, status=Status.RESTARTING, next_restart=2.0, restart_held=reason)
    lines = [plain(line) for line in portrait(info, (), 1_245.0)]
    assert "  next life     in 2.0 s" in lines
    assert [line for line in lines if line.startswith("  held back") and line.endswith(told)]
    assert f"  RESTARTING ({reason})  " in plain(lay(COLUMNS, [info], None).line(info))


def test_info_of_the_ended_tells_why_and_of_the_unknown_who_is_near(cast, say):
    told = say("info", "gone").out
    assert "gone  CRASHED  failed" in told
    assert "ConnectionError: the line is dead" in told
    done = say("info", "gonne")
    assert (done.code, done.err) == (4, "understudy info: no actor is named 'gonne'; did you mean gone?\n")
    assert say("info", "chorus/*").code == 2


def test_systems_lists_all_that_live_with_what_they_run(theatre, cast, say, tmp_path):
    with ActorSystem("opera") as opera:
        rows = say("systems", "--json").json
        assert [set(row) for row in rows] == [{"name", "pid", "age", "actors", "endpoint"}] * 2
        assert [(row["name"], row["actors"], row["endpoint"]) for row in rows] == [
            ("opera", 0, opera.endpoint),
            ("theatre", 3, theatre.endpoint),
        ]
        assert all(row["pid"] == os.getpid() and 0 <= row["age"] < 100 for row in rows)
        table = command("systems", cwd=tmp_path).stdout.splitlines()
        assert [line.split()[0] for line in table] == ["name", "opera", "theatre"]


HOLDS = """
import time
from understudy import ActorSystem
with ActorSystem("opera"):
    print("up", flush=True)
    time.sleep(600)
"""


def test_a_paused_system_is_listed_though_it_does_not_answer_and_a_killed_one_is_not(apart, say, tmp_path, monkeypatch):
    for module in (choosing, systems):
        monkeypatch.setattr(module, "PATIENCE", 0.3)
    with parent(HOLDS, tmp_path) as program:
        said(program)
        program.send_signal(signal.SIGSTOP)
        row = until(lambda: next((one for one in say("systems", "--json").json if one["actors"] is None), None))
        assert row is not None, "its threads stop one by one"
        assert (row["name"], row["pid"]) == ("opera", program.pid)
        assert say("systems").out.splitlines()[1].split()[0] == "opera"
        done = say("ps")
        assert (done.code, done.out, done.err.count("\n")) == (124, "", 1)
        assert "within 0.3 s" in done.err
        program.kill()
        program.wait()
        assert say("systems", "--json").json == []
        assert say("systems").out == "(no systems)\n"
        assert say("ps").code == 3


@pytest.mark.parametrize("others", [(), ("opera", "theatre")], ids=["none", "two"])
def test_without_a_system_or_with_several_a_verb_says_which_there_are(apart, say, others):
    with contextlib.ExitStack() as stack:
        for name in others:
            stack.enter_context(ActorSystem(name))
        for words in (
            "ps",
            "watch",
            "info a",
            "stop a",
            "stop a --wait",
            "kill a",
            "restart a",
            "shutdown",
            "logs",
            "dump",
        ):
            verb, *rest = words.split()
            done, other = say(verb, *rest), say(verb, *rest, "--system", "cinema")
            assert (done.code, done.out) == (other.code, other.out) == (3, "")
            assert done.err == f"understudy {verb}: " + (
                "2 systems run here; choose one by --system: opera, theatre\n"
                if others
                else "no system of this user runs here\n"
            )
            assert other.err.startswith(f"understudy {verb}: no system named 'cinema' runs here")
            assert other.err.count("\n") == 1


def test_a_system_is_chosen_by_its_name_or_its_endpoint(theatre, cast, say):
    with ActorSystem("opera") as opera:
        assert say("ps", "--system", "opera").out == "(no actors)\n"
        assert len(say("ps", "--system", "theatre", "--json").json) == 3
        assert say("ps", "--system", opera.endpoint, "--json").json == []
    gone = say("ps", "--system", opera.endpoint)
    assert gone.code == 3


def test_a_system_is_chosen_before_the_verb_too_and_the_one_behind_it_holds(theatre, cast, say):
    with ActorSystem("opera"):
        assert say("--system", "opera", "ps").out == "(no actors)\n"
        assert say("--system=opera", "ps", "--json").json == []
        assert len(say("--system", "opera", "ps", "--system", "theatre", "--json").json) == 3
    unknown = say("--system", "cinema", "ps")
    assert unknown.code == 3
    assert unknown.err.startswith("understudy ps: no system named 'cinema' runs here")
    useless = say("--system", "theatre", "systems")
    assert (useless.code, useless.err) == (
        2,
        "understudy systems: --system is for verbs on a running system; systems is about none\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pss"], "understudy: 'pss' is no verb; there is ps\n"),
        (["ps", "--jsn"], "understudy ps: No such option: --jsn (Possible options: --json)\n"),
        (["systems", "one"], "understudy systems: Got unexpected extra argument(s) (one)\n"),
    ],
)
def test_a_wrong_word_is_told_in_one_line(say, words, told):
    done = say(*words)
    assert (done.code, done.out, done.err) == (2, "", told)


def test_a_reader_that_goes_away_is_no_crash(cast, tmp_path):
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [COMMAND, "ps"], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, env=environment()
    ) as process:
        os.close(write)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


def test_help_alone_names_every_verb_in_a_line(say):
    shown = say("--help")
    assert shown.code == 0
    assert say().out == shown.out
    for verb in ("run", "ps", "top", "watch", "info", "stop", "kill", "restart", "shutdown", "logs", "dump", "systems"):
        assert f" {verb} " in shown.out


LEAN = """
import json, sys
sys.argv = ["understudy", *sys.argv[1:]]
from understudy.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
LATE = {"asyncio", "cloudpickle", "psutil", "multiprocessing", "numpy", "prometheus_client", "pydantic"}


@pytest.mark.parametrize(
    "words", [["ps", "--json"], ["ps"], ["systems"], ["stop", "lead"], ["watch", "lead", "--until", "RUNNING"]]
)
def test_what_a_verb_does_not_need_is_not_imported(cast, tmp_path, words):
    """A cold `ps` is to be quick: what it imports is what it takes."""
    script = tmp_path / "lean.py"
    script.write_text(LEAN)
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, env=environment(), timeout=40, check=False
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert LATE & loaded == set()
    assert {name for name in loaded if name.partition(".")[0] == "rich"} == set(), "there is no terminal"
    ours = {name for name in loaded if name.startswith("understudy.")}
    assert not {name for name in ours if name.split(".")[1] in {"router", "engine", "spawners", "system", "process"}}


def test_a_shell_is_offered_names_and_a_failure_offers_nothing(cast, apart, tmp_path):
    def offered(line, **more):
        words = line.split(" ")
        done = subprocess.run(
            [COMMAND],
            capture_output=True,
            text=True,
            env={
                **environment(),
                "_UNDERSTUDY_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(words) - 1),
                **more,
            },
            timeout=40,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert offered("understudy stop ch") == ["chorus/1", "chorus/2"]
    assert offered("understudy ps --system ") == ["theatre"]
    assert offered("understudy info --system theatre l") == ["lead"]
    assert offered("understudy sto") == ["stop"]
    assert offered("understudy stop ", XDG_RUNTIME_DIR="/proc/nowhere") == []


def test_completion_can_be_shown_for_a_shell(tmp_path):
    # The nearest shell above the command is meant: this one, not that of whoever runs the tests, if any.
    script = f"{shlex.quote(str(COMMAND))} --show-completion; exit $?"
    shown = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=40, check=True
    )
    assert "understudy" in shown.stdout
    assert "complete " in shown.stdout


def test_ctrl_c_while_its_parts_are_imported_ends_it_without_a_word(tmp_path):
    (tmp_path / "typer.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(600)\n", encoding="utf-8"
    )
    for words in ([COMMAND], [sys.executable, "-m", "understudy"]):
        done = subprocess.run(
            [*words, "ps"],
            env={**environment(), "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            timeout=40,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
