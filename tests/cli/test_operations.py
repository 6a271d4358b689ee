"""Two terminals: a service of thirty actors in one, everything that the page on operations tells in the other."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields

import pytest

from tests.cli.screens import COMMAND, command, environment
from tests.docs.pages import sections, tables
from tests.stage import ROOT, said, until
from understudy import ActorInfo, Event, Stats
from understudy.cli import exits
from understudy.cli.app import VERBS
from understudy.cli.board import DEEDS, SORTS
from understudy.cli.steering import Outcome
from understudy.cli.systems import Found
from understudy.logs import LogEntry
from understudy.observe.interest import KINDS

PAGE = (ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
CHAPTERS = sections(PAGE, 2)


def promised(verb):
    """What stands in backticks in the part of a verb that is about its JSON."""
    return set(re.findall(r"`(\w+)`", CHAPTERS[verb].partition("\nJSON")[2]))


def test_the_page_has_a_chapter_for_every_verb_and_a_line_on_top():
    listed = re.findall(r"^\| \[`understudy (\w+)`\]\(#(\w+)\) \| .+ \|$", PAGE, re.MULTILINE)
    assert {verb for verb, _ in listed} == {anchor for _, anchor in listed} == {*VERBS} - {"run"}
    assert {*VERBS} - {"run"} <= set(CHAPTERS)


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("ps", {each.name for one in (ActorInfo, Stats) for each in fields(one)} | {"mean_lap"}),
        ("info", {"story"}),
        ("systems", {*Found.__slots__}),
        ("stop", {*Outcome._fields}),
        ("watch", {each.name for each in fields(Event)} | {*" ".join(KINDS).split()} - {"state", "laps"}),
        ("logs", {each.name for each in fields(LogEntry)}),
        ("dump", {"name", "stacks"}),
    ],
)
def test_the_page_names_every_field_of_the_json(verb, wanted):
    named = promised(verb) | {word for words in re.findall(r"`([a-z_ ]+)`", CHAPTERS[verb]) for word in words.split()}
    assert wanted - named == set()


def test_the_page_names_every_exit_code_and_every_key():
    codes = {row[0] for row in tables(CHAPTERS["What holds for all"])[0]}
    assert codes == {str(getattr(exits, name)) for name in vars(exits) if name.isupper()}
    keys = set(re.findall(r"`(\w)`", "".join(row[0] for row in tables(CHAPTERS["top"])[0])))
    assert keys == {*SORTS, *(key for key in DEEDS if len(key) == 1), "r", "a", "q"}


@pytest.mark.timeout(120)
@pytest.mark.requirement("A4")
@pytest.mark.requirement("K1")
def test_all_of_it_on_a_service_of_thirty_actors(apart, tmp_path):
    def understudy(*words):
        done = command(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def rows(*words):
        return json.loads(understudy(*words, "--json"))

    with subprocess.Popen(
        [sys.executable, ROOT / "examples" / "warehouse.py"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path, env={**os.environ},
    ) as service:  # fmt: skip
        try:
            assert said(service).startswith("30 actors are at work")
            assert [(row["name"], row["actors"]) for row in rows("systems")] == [("warehouse", 30)]
            assert understudy("systems").split()[5] == "warehouse"
            until(lambda: understudy("ps").count("RUNNING") >= 28, 30, "thirty at work")
            assert len(rows("ps", "dock/*", "clerk")) == 5
            assert rows("info", "clerk")["name"] == "clerk"
            assert "over all lives" in understudy("info", "watchman")
            with subprocess.Popen(
                [COMMAND, "watch", "dock/*", "--kind", "state", "--json"],
                stdout=subprocess.PIPE, text=True, env=environment(),
            ) as watcher:  # fmt: skip
                assert watcher.stdout is not None
                event = json.loads(watcher.stdout.readline())
                assert (event["kind"], event["name"][:5]) == ("state", "dock/")
                watcher.send_signal(signal.SIGINT)
                assert watcher.wait(20) == 130
            assert {row["outcome"] for row in rows("restart", "sorter/1", "sorter/2")} == {"asked"}
            assert rows("kill", "sorter/3")[0]["outcome"] == "asked"
            ends = rows("stop", "packer/*", "clerk", "--wait", "--timeout", "60")
            assert {row["status"] for row in ends} == {"FINISHED"}
            assert len(ends) == 13
            assert understudy("watch", "sorter/[12]", "--until", "RUNNING", "--timeout", "60") is not None
            until(lambda: "the line is dead" in understudy("logs", "dock/*"), 30, "the first broken line")
            entries = [json.loads(line) for line in understudy("logs", "dock/*", "clerk", "--json").splitlines()]
            assert {"stdout", "log"} <= {entry["stream"] for entry in entries}
            stacks = {row["name"]: row["stacks"] for row in rows("dump", "watchman", "sorter/4")}
            assert "in __loop__" in stacks["watchman"]
            assert set(stacks) == {"watchman", "sorter/4"}
            assert command("ps", "forklift", cwd=tmp_path).returncode == 4
            ended = command("stop", "*", "--wait", "--grace", "20", "--json", cwd=tmp_path)
            assert {row["status"] for row in json.loads(ended.stdout)} <= {"FINISHED", "CRASHED"}, "a dock amid a pause"
            assert service.wait(30) == 0
            assert command("ps", cwd=tmp_path).returncode == 3
        finally:
            service.send_signal(signal.SIGINT)
            service.wait(60)
