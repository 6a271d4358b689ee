"""Directory, environment, umask, paths and arguments are the parent's at the time of spawn, for every life."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.stage import hold, note, noted
from understudy import Process, Status


class Witness(Process):
    """Tells its circumstances in each of its lives; the first ends when the file is there."""

    def __init__(self, told):
        self.told = told
        self.config.num_loops = 1
        self.config.lives = 2

    def __loop__(self):
        note(self.told, "up")
        if self.incarnation == 1:
            hold(f"{self.told}.end")
            os._exit(1)

    def __result__(self):
        with open("relative", "w"):
            mode = os.stat("relative").st_mode & 0o777
        return {
            "directory": os.getcwd(),
            "word": os.environ.get("WORD"),
            "extra": os.environ.get("EXTRA"),
            "removed": os.environ.get("REMOVED"),
            "bytes": os.environb.get(b"BYTES"),
            "mode": mode,
            "path": "/nowhere/then" in sys.path,
            "arguments": list(sys.argv),
            "child": subprocess.check_output(["sh", "-c", "pwd; umask; echo $WORD"], text=True).split(),
        }


@pytest.fixture
def world(monkeypatch, tmp_path):
    """Changes the circumstances of this process; all is as it was afterwards."""
    umask = os.umask(0o022)
    os.umask(umask)

    def change(word, mask):
        (tmp_path / word).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / word)
        monkeypatch.setenv("WORD", word)
        os.umask(mask)
        monkeypatch.setattr(sys, "argv", [word])
        monkeypatch.setattr(sys, "path", [*sys.path, f"/nowhere/{word}"])

    yield change
    os.umask(umask)


@pytest.mark.fault("F10")
def test_every_life_has_the_circumstances_of_the_spawn(system, world, monkeypatch, tmp_path, host):
    monkeypatch.setenv("REMOVED", "before")
    world("before", 0o077)
    assert system.spawn(os.getcwd, host=host).result(30) == str(tmp_path / "before")
    world("then", 0o027)
    monkeypatch.delenv("REMOVED")
    monkeypatch.setenv("EXTRA", "of then")
    os.environb[b"BYTES"] = b"\xff\xfe"
    try:
        ref = system.spawn(Witness, tmp_path / "told", host=host)
        noted(tmp_path / "told")
        world("after", 0o077)
        monkeypatch.delenv("EXTRA")
    finally:
        del os.environb[b"BYTES"]
    (tmp_path / "told.end").touch()
    here = str(tmp_path / "then")
    assert ref.result(30) == {
        "directory": here,
        "word": "then",
        "extra": "of then",
        "removed": None,
        "bytes": b"\xff\xfe",
        "mode": 0o640,
        "path": True,
        "arguments": ["then"],
        "child": [here, "0027", "then"],
    }
    assert len(ref.history()) == 2


@pytest.mark.fault("F10")
def test_what_an_actor_changes_is_its_own(system, world, tmp_path):
    def change():
        os.environ["WORD"] = "changed"
        os.chdir("/")
        os.umask(0)
        sys.path.append("/nowhere/changed")
        return os.getpid()

    world("then", 0o027)
    before = (os.getcwd(), os.environ["WORD"], list(sys.path))
    assert system.spawn(change).result(30) != os.getpid()
    assert (os.getcwd(), os.environ["WORD"], list(sys.path)) == before
    assert system.spawn(lambda: (os.getcwd(), os.environ["WORD"])).result(30) == before[:2]


@pytest.mark.fault("F10")
def test_a_directory_that_is_gone_by_the_next_life_does_not_keep_it_from_coming(system, world, tmp_path, host):
    class Homeless(Witness):
        def __result__(self):
            return self.incarnation

    world("doomed", 0o022)
    ref = system.spawn(Homeless, tmp_path / "told", host=host)
    noted(tmp_path / "told")
    world("after", 0o022)
    (tmp_path / "doomed").rmdir()
    (tmp_path / "told.end").touch()
    assert (ref.result(30), ref.wait(0)) == (2, Status.FINISHED)


@pytest.mark.fault("F10")
def test_a_parent_whose_directory_is_gone_spawns_all_the_same(system, world, tmp_path, host):
    world("doomed", 0o022)
    (tmp_path / "doomed").rmdir()
    assert system.spawn(lambda: "up", host=host).result(30) == "up"
