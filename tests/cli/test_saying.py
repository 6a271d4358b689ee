"""`logs` and `dump`: what actors say, and where they stand."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess

import pytest

from tests.cli.screens import COMMAND, environment, screen
from tests.stage import hold, note, noted, running, until
from understudy import Process
from understudy.logs import LogEntry

ENTRY = {"name", "uid", "incarnation", "stream", "time", "text", "level"}


class Speaker(Process):
    """Says what it is given, whenever a gate opens."""

    def __init__(self, words, gate=None):
        self.words, self.gate = words, gate
        self.config.output = "file"
        self.config.timeouts.loop = None

    def __loop__(self):
        for word in self.words:
            print(word, flush=True)
        self.log.warning("that was all\nof it")
        if self.gate:
            hold(self.gate)
            print("\x1b[32mand\x1b[0m one \x1b[2Jmore", flush=True)
        self.sleep(600)


class Mute(Process):
    """Says nothing that is kept."""

    def __loop__(self):
        self.log.info("just so")
        self.sleep(600)


class Held(Process):
    """Holds its interpreter, so that no handler runs."""

    def __init__(self, told):
        self.told = told
        self.config.timeouts.loop = None

    def __loop__(self):
        note(self.told, "held from now on")
        sum(range(10**15))


@pytest.fixture
def cast(theatre, say, tmp_path):
    theatre.spawn(Speaker, ["one", "two", "three"], tmp_path / "gate", name="ada")
    theatre.spawn(Speaker, ["uno"], name="bartholomew")
    until(lambda: say("logs").out.count("that was all") == 2, 20, "both having said all")


def test_logs_interleave_what_actors_wrote_and_logged_under_their_names(cast, say):
    lines = say("logs").out.splitlines()
    assert {line for line in lines if line.startswith("ada ")} == {
        "ada          one",
        "ada          two",
        "ada          three",
        "ada          WARNING understudy.actor.ada: that was all",
        "ada          of it",
    }
    assert "bartholomew  uno" in lines
    assert [line.split()[1] for line in say("logs", "ada", "-n", "1").out.splitlines()] == ["three", "WARNING", "of"]
    assert "ada" not in say("logs", "b*").out


def test_logs_as_json_are_an_object_for_each_line_and_record(cast, say):
    entries = [json.loads(line) for line in say("logs", "ada", "--json").out.splitlines()]
    assert all(set(entry) == ENTRY == set(LogEntry.__dataclass_fields__) for entry in entries)
    assert [entry["text"] for entry in entries if entry["stream"] == "stdout"] == ["one", "two", "three"]
    record = next(entry for entry in entries if entry["stream"] == "log")
    assert (record["level"], record["incarnation"]) == (30, 1)
    assert record["text"].endswith("that was all\nof it")


def test_logs_that_follow_tell_what_comes_and_end_with_the_system(theatre, cast, tmp_path):
    with subprocess.Popen(
        [COMMAND, "logs", "-f", "-n", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as follower:
        assert follower.stdout is not None
        assert follower.stderr is not None
        number = 0

        def said() -> list[str]:
            nonlocal number
            number += 1
            theatre.spawn(Speaker, [f"hello {number}"], name=f"caller-{number}").wait_ready(20)
            return select_lines(follower)

        first = until(said, 20, "a word of a caller")
        assert not [line for line in first if re.match("ada|bartholomew", line)], "what was said before is left out"
        (tmp_path / "gate").touch()
        assert until(lambda: [line for line in select_lines(follower) if "more" in line], 20)[0].startswith("ada ")
        theatre.shutdown(force=True)
        assert follower.stderr.read() == ""
        assert follower.wait(20) == 0


def select_lines(process: subprocess.Popen[str]) -> list[str]:
    """The lines that it has said meanwhile, without waiting for more than a moment."""
    assert process.stdout is not None
    fd, said = process.stdout.fileno(), b""
    while select.select([fd], [], [], 0.3)[0] and (data := os.read(fd, 65536)):
        said += data
    return said.decode().splitlines()


def test_on_a_terminal_each_has_its_colour_and_escapes_of_theirs_do_nothing_else(cast, tmp_path, say):
    (tmp_path / "gate").touch()
    until(lambda: "more" in say("logs").out, 20, "one more")
    with screen(COMMAND, "logs", cwd=tmp_path) as shown:
        assert shown.end() == 0
    heads = dict(re.findall(r"(\x1b\[[\d;]+m)(ada|bartholomew)", shown.text.replace("\r", "")))
    assert sorted(heads.values()) == ["ada", "bartholomew"]
    assert "\x1b[32mand" in shown.text
    assert "\x1b[2J" not in shown.text


def test_where_nothing_is_to_be_shown_logs_say_what_is_kept(theatre, say):
    running(theatre.spawn(Mute, name="mute"))
    for words in ((), ("mute",)):
        done = say("logs", *words)
        assert (done.code, done.out, done.err.count("\n")) == (0, "", 1)
        assert 'output = "file"' in done.err
    assert say("logs", "-n", "0").err == ""


def test_logs_of_the_unknown_fail_and_of_globs_that_match_nobody_do_not(cast, say):
    done = say("logs", "adda")
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert "did you mean ada" in done.err
    done = say("logs", "x*")
    told = "understudy logs: no living actor matches 'x*'; who has ended is meant by name alone\n"
    assert (done.code, done.out, done.err) == (0, "", told)
    assert say("logs", "-n", "10001").code == say("logs", "-n", "-1").code == 2


def test_dump_shows_all_threads_also_of_one_that_holds_its_interpreter(theatre, say, tmp_path):
    theatre.spawn(Held, tmp_path / "told", name="held")
    theatre.spawn(Speaker, [], name="speaker").wait_ready(20)
    noted(tmp_path / "told")
    stacks = {row["name"]: row["stacks"] for row in say("dump", "--json").json}
    assert set(stacks) == {"held", "speaker"}
    assert re.search(r"test_saying.py\", line \d+ in __loop__", stacks["held"])
    shown = say("dump", "held").out
    assert shown.startswith("held\nThread ")
    assert "in __loop__" in shown
    assert say("dump", "hold").code == 4
    assert say("dump", "x*", "--json").json == []
