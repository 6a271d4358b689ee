"""Directory, environment, umask, search path and arguments: the parent's at the time of the spawn, in every life."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.stage import note, notes, until
from understudy import Process, Status
from understudy.spawners import circumstances as circumstances_module
from understudy.spawners.interpreter import Interpreter

pytestmark = [pytest.mark.requirement("P10"), pytest.mark.fault("F10")]

NAME = "UNDERSTUDY_TESTED"


def circumstances():
    mask = os.umask(0o077)
    os.umask(mask)
    return {
        "directory": os.getcwd(),
        "environment": {key: value for key, value in os.environ.items() if key.startswith(NAME)},
        "umask": mask,
        "path": list(sys.path),
        "arguments": list(sys.argv),
    }


class Tells(Process):
    """Tells its circumstances at the start of each life, and goes when the parent lets it."""

    def __init__(self, said, go):
        self.said, self.go = str(said), str(go)
        self.config.lives = 3
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.said, json.dumps(circumstances()))
        until(lambda: len(notes(self.go)) >= self.incarnation, 30, "the parent's word")
        if self.incarnation < 3:
            raise ValueError("another life")
        self.stop()


@pytest.fixture
def move(monkeypatch, tmp_path):
    """Takes on other circumstances, whole."""
    before = os.umask(0o022)

    def to(place, mask):
        (tmp_path / place).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / place)
        for key in [key for key in os.environ if key.startswith(NAME)]:
            monkeypatch.delenv(key)
        monkeypatch.setenv(f"{NAME}_{place.upper()}", f"value of {place} äöü")
        os.umask(mask)
        monkeypatch.syspath_prepend(str(tmp_path / place))
        monkeypatch.setattr(sys, "argv", [f"{place}.py", "--place", place])
        return circumstances()

    yield to
    os.umask(before)


def test_every_life_has_the_circumstances_of_the_spawn_though_the_parents_have_changed(move, system, host, tmp_path):
    said, go = tmp_path / "said", tmp_path / "go"
    at_spawn = move("first", 0o027)
    ref = system.spawn(Tells, said, go, host=host)
    for life in (1, 2, 3):
        until(lambda: len(notes(said)) >= life, 20, f"life {life}")  # noqa: B023 - it is called before the next
        assert move(f"place{life}", 0o002) != at_spawn
        note(go, life)
    assert ref.wait(20) is Status.FINISHED
    assert [json.loads(line) for line in notes(said)] == [at_spawn] * 3


def test_each_spawn_has_its_own(move, system, host):
    places = ["one", "two", "three"]
    wanted, refs = [], []
    for place, mask in zip(places, (0o077, 0o000, 0o022), strict=True):
        wanted.append(move(place, mask))
        refs.append(system.spawn(circumstances, host=host))
    assert [ref.result(20) for ref in refs] == wanted
    assert circumstances() == wanted[-1]


def test_an_interpreter_starts_while_another_thread_changes_the_environment(monkeypatch):
    """Exec without variables of its own reads those of the process, and fails while they are moved."""
    over = threading.Event()

    def change():
        for number in itertools.cycle(range(1000)):
            name = f"{NAME}_{number % 50}"
            os.environ[name] = "v" * (number % 300)
            if number % 3 == 0:
                del os.environ[name]
            if over.is_set():
                return

    for number in range(50):
        monkeypatch.setenv(f"{NAME}_{number}", "of before")
    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(500):
            assert circumstances_module.place()
        started = [Interpreter.start("pass", []) for _ in range(20)]
    finally:
        over.set()
        changing.join()
    ends = [one.await_end() for one in started]
    for one in started:
        os.close(one.pidfd)
    assert {end.code for end in ends} == {0}


def test_what_an_actor_does_to_its_own_circumstances_stays_with_it(move, system, host):
    before = move("home", 0o022)

    def wander():
        os.chdir("/")
        os.umask(0)
        os.environ[f"{NAME}_HOME"] = "changed"
        sys.path.clear()
        sys.argv.clear()
        return "wandered"

    assert system.spawn(wander, host=host).result(20) == "wandered"
    assert circumstances() == before
    assert system.spawn(circumstances, host=host).result(20) == before


def test_a_variable_that_is_no_text_arrives_byte_for_byte_and_reaches_programs(monkeypatch, system, host):
    monkeypatch.setitem(os.environb, b"UNDERSTUDY_TESTED_BYTES", b"\xff\xfe=\x80")

    def programs_variable():
        done = subprocess.run(["printenv", "UNDERSTUDY_TESTED_BYTES"], capture_output=True, check=True)
        return done.stdout, os.environb[b"UNDERSTUDY_TESTED_BYTES"]

    assert system.spawn(programs_variable, host=host).result(20) == (b"\xff\xfe=\x80\n", b"\xff\xfe=\x80")


def test_files_of_an_actor_have_the_mode_of_the_parents_umask(move, system, host, tmp_path):
    def create(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))

    for mask in (0o077, 0o002):
        move("here", mask)
        path = tmp_path / f"made {mask:o}"
        system.spawn(create, str(path), host=host).result(20)
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_module_found_by_the_search_path_of_the_spawn_is_found_in_later_lives(monkeypatch, system, host, tmp_path):
    source = """
        from understudy import Process

        class Guest(Process):
            def __loop__(self):
                if self.incarnation == 1:
                    raise ValueError("once more")
                self.stop()

            def __result__(self):
                return __name__, self.incarnation
    """
    (tmp_path / "guesthouse.py").write_text(textwrap.dedent(source))
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        guest = importlib.import_module("guesthouse").Guest
        ref = system.spawn(guest, host=host, config={"lives": 2, "restart.backoff.base": 0})
    monkeypatch.delitem(sys.modules, "guesthouse")
    assert str(tmp_path) not in sys.path
    assert ref.result(20) == ("guesthouse", 2)


def test_relative_paths_in_an_actor_are_relative_to_the_directory_of_the_spawn(move, system, host, tmp_path):
    move("library", 0o022)
    (tmp_path / "library" / "book").write_text("found")

    def read():
        with open("book") as file:
            return file.read()

    assert system.spawn(read, host=host).result(20) == "found"


def test_a_directory_that_is_gone_before_a_later_life_does_not_keep_it_from_living(move, system, host, tmp_path):
    move("doomed", 0o022)

    class Returns(Process):
        def __init__(self):
            self.config.lives = 2

        def __loop__(self):
            if self.incarnation == 1:
                os.rmdir(os.getcwd())
                raise ValueError("where am I?")
            self.stop()

        def __result__(self):
            return "here"

    assert system.spawn(Returns, host=host).result(20) == "here"
    assert not (tmp_path / "doomed").exists()
    move("library", 0o022)
