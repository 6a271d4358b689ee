"""Families as they are seen: in the rows of `ps`, over the status stream, and as a tree in the terminal."""

from __future__ import annotations

import json

import pytest

from tests.cli.screens import command
from tests.families.kin import Boss, Kid
from tests.stage import running, until
from understudy import ActorInfo, ActorSystem, Observer
from understudy.cli.names import natural
from understudy.cli.rows import COLUMNS
from understudy.cli.sheet import lay, plain

pytestmark = pytest.mark.requirement("A6")


def heard(stream, condition):
    """What is known of the actors, once the stream has told so much."""

    def known():
        stream.next(0.1)
        return stream.actors if condition(stream.actors) else None

    return until(known, 20, "word of that")


def test_an_observer_and_ps_show_who_belongs_to_whom(nothing_is_left_behind, tmp_path):
    with ActorSystem("clan", max_depth=3) as system, Observer(system.endpoint) as stream:
        boss = system.spawn(Boss, name="boss")
        middle = boss.ask(lambda self: self.spawn(Boss, name="middle"), 30)
        kid = middle.ask(lambda self: self.spawn(Kid, name="kid"), 30)
        running(system.spawn(Kid, name="boss-2"), kid)
        seen = heard(stream, lambda actors: len(actors) == 4)
        told = {name: (info.parent, info.depth, info.children) for name, info in seen.items()}
        assert told == {
            "boss": (None, 1, ("boss/middle",)),
            "boss/middle": ("boss", 2, ("boss/middle/kid",)),
            "boss/middle/kid": ("boss/middle", 3, ()),
            "boss-2": (None, 1, ()),
        }
        table = command("ps", "--system", "clan", cwd=tmp_path).stdout.splitlines()[1:]
        starts = [line[: len(line) - len(line.lstrip())] + line.split()[0] for line in table]
        assert starts == ["boss", "  boss/middle", "    boss/middle/kid", "boss-2"]
        rows = json.loads(command("ps", "--system", "clan", "--json", cwd=tmp_path).stdout)
        assert [(row["name"], row["parent"], row["depth"]) for row in rows] == [
            ("boss", None, 1), ("boss/middle", "boss", 2), ("boss/middle/kid", "boss/middle", 3), ("boss-2", None, 1),
        ]  # fmt: skip
        kid.stop()
        kid.wait(30)
        assert heard(stream, lambda actors: actors["boss/middle"].children == ())["boss/middle/kid"].status.ended


def test_names_are_sorted_as_a_tree():
    names = ["a-1", "a/10", "a/2/x", "a", "a/2", "b"]
    assert sorted(names, key=natural) == ["a", "a/2", "a/2/x", "a/10", "a-1", "b"]


def test_a_table_leaves_what_is_no_child_where_it_was():
    rows = [ActorInfo("shop/1", 1), ActorInfo("shop/1", 2, depth=2)]
    laid = lay(COLUMNS[:1], rows, None)
    assert [plain(laid.line(row)) for row in rows] == ["shop/1", "  shop/1"]
