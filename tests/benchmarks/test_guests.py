"""Other packages beside ours: they do our job with our options, and what goes wrong with one stays with it."""

from __future__ import annotations

import ast
import json
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import harness, report
from benchmarks.__main__ import FIGURES
from benchmarks.harness import ROOT, Failed, Figure, Job, Outcome, Row, Target
from benchmarks.others import environment
from benchmarks.others.roster import PEERS, VENV, joined
from tests.stage import python

GUEST = Job("guest", "json:dumps", venv="no-such-environment")
FIGURE = Figure(
    name="figure",
    title="a figure",
    unit="ms",
    ours=Job("understudy", "call"),
    floors=(Job("floor", "call"),),
    guests=(GUEST,),
    targets=(Target("at most", 1.5, "floor"),),
)

ORPHANS = """
import subprocess, sys
from pathlib import Path
from benchmarks import harness

harness.adopt()
harness.AFTERLIFE = 0.2
try:
    harness.run(harness.Job("orphans", "tests.benchmarks.orphans:leave", options={"count": 2}))
except harness.Failed as failure:
    print(failure)
print(harness._left("nobody's"))
"""


def row(*errors: str) -> Row:
    return Row(FIGURE, {job.label: Outcome([2.0], "broken" * (job.label in errors)) for job in FIGURE.jobs})


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_entry_names_a_class_that_stands_there_and_figures_that_exist(peer):
    for entry in peer.entries:
        module, _, name = entry.troupe.partition(":")
        tree = ast.parse((ROOT / "benchmarks" / "others" / f"{module}.py").read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        assert set(entry.figures) <= {figure.name for figure in FIGURES}


def test_no_troupe_of_theirs_imports_understudy_or_what_does():
    ours = {"understudy", "benchmarks.actors", "benchmarks.ours", "benchmarks.strangers", "benchmarks.health"}
    for path in sorted((ROOT / "benchmarks" / "others").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [node.module] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in named if name in ours or (name or "").startswith("understudy.")], path


@pytest.mark.parametrize("name", ["hundred", "tell"])
def test_they_do_our_job_with_our_options_in_their_own_environment(name):
    figure = next(figure for figure in FIGURES if figure.name == name)
    guests = joined(figure, missing=()).guests
    doing = [peer for peer in PEERS if any(name in entry.figures for entry in peer.entries)]
    assert len({guest.label for guest in guests}) == len(doing) > 0
    for guest in guests:
        ours = figure.ours
        assert replace(guest, label=ours.label, troupe=ours.troupe, venv="", limit=ours.limit) == ours
        assert guest.python == str(ROOT / VENV / "bin" / "python")
        assert str(ROOT / "src") not in guest.sources
        assert str(ROOT / "src") in figure.ours.sources


def test_who_is_missing_takes_no_part():
    everyone = {peer.name for peer in PEERS}
    assert all(joined(figure, everyone) == figure for figure in FIGURES)


def test_an_environment_that_is_not_there_is_a_failure_of_its_job():
    with pytest.raises(Failed, match=r"not started: .*no-such-environment"):
        harness.run(GUEST)


@pytest.mark.parametrize(("failed", "whole"), [((), True), (("guest",), True), (("floor",), False)])
def test_only_a_guest_may_fail(failed, whole):
    assert row(*failed).whole is whole


def test_the_table_and_the_document_say_who_failed_and_who_was_missing_and_why():
    rows, missing = [row("guest")], {"other": "No matching distribution found"}
    text = report.table(rows, missing)
    assert "failed (guest)" in text
    assert "FAILED figure, guest: broken" in text
    assert "MISSING other: No matching distribution found" in text
    document = report.document(rows, 1, missing, quick=True)
    assert document["missing"] == missing
    assert document["figures"]["figure"]["peers"]["guest"]["error"] == "broken"


def test_the_installers_reason_is_told_for_each_that_is_missing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(environment, "NOTES", tmp_path / "peers.json")
    assert set(environment.missing()) == {peer.name for peer in PEERS}
    notes = {peer.name: {"requirement": peer.requirement, "reason": ""} for peer in PEERS}
    notes["ray"]["reason"] = "no wheel"
    environment.NOTES.write_text(json.dumps(notes))
    assert environment.missing() == {"ray": "no wheel"}


def test_daemons_that_shed_their_mark_are_swept_all_the_same():
    done = python("-c", textwrap.dedent(ORPHANS), cwd=ROOT)
    told, left = done.stdout.splitlines()
    assert told.startswith("left processes behind: ")
    assert told.count("(sleep)") == 2
    assert left == "set()"
