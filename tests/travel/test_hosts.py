"""A few kinds of each sort through the zygote, and in every life of an actor."""

from __future__ import annotations

import itertools
import os
import queue
import sys
import threading

import pytest

from tests.travel.carrying import Kind, carry
from understudy import Process, StartError

pytestmark = pytest.mark.requirement("P10")


def text_at_a_line(folder):
    (folder / "file").write_text("one\ntwo\n")
    file = open(folder / "file")
    file.readline()
    return file


def filled(_):
    made = queue.Queue()
    made.put("job")
    return made


def held(_):
    made = threading.Lock()
    made.acquire()
    return made


KINDS = [
    Kind("held lock", held, lambda lock: lock.acquire(timeout=5), True, lambda lock: lock.locked(), True),
    Kind("queue", filled, lambda jobs: jobs.get(timeout=5), "job", lambda jobs: jobs.qsize(), 1),
    Kind("file", text_at_a_line, lambda file: file.read(), "two\n", lambda file: file.read(), "two\n"),
    Kind("count", lambda _: itertools.count(3), next, 3, next, 3),
    Kind("lambda", lambda _: lambda: "called", lambda function: function(), "called"),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("zygote"), host="process")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_travels_through_the_zygote_as_well(kind, verdicts):
    assert not verdicts[kind.name]


class Reads(Process):
    """Its first life reads on, and is lost."""

    def __init__(self, file, jobs):
        self.file, self.jobs = file, jobs
        self.config.lives = 2
        self.config.num_loops = 1

    def __loop__(self):
        self.read = self.file.read(), self.jobs.get(timeout=5)
        if self.incarnation == 1:
            os._exit(1)

    def __result__(self):
        return self.read


def test_every_life_begins_where_the_state_was_at_the_spawn(system, tmp_path):
    with text_at_a_line(tmp_path) as file:
        assert system.spawn(Reads, file, filled(None)).result(20) == ("two\n", "job")
        assert file.read() == "two\n"


def test_a_file_that_was_replaced_meanwhile_is_told_not_read(system, tmp_path):
    with text_at_a_line(tmp_path) as file:
        gate = system.spawn(Replaces, file, tmp_path / "file")
        with pytest.raises(StartError, match="is another file now than the one that was open"):
            gate.result(20)


class Replaces(Process):
    """Its first life puts another file in the place of the one that it was reading."""

    def __init__(self, file, path):
        self.file, self.path = file, path
        self.config.lives = 2

    def __loop__(self):
        other = self.path.with_name("other")
        other.write_text("something else entirely\n")
        other.replace(self.path)
        os._exit(1)


class Leaves(Process):
    """It gives back what it was given."""

    def __init__(self, **things):
        self.things = things
        self.config.num_loops = 1

    def __loop__(self): ...

    def __result__(self):
        return self.things


def test_what_travels_there_comes_back_too(system, tmp_path):
    with text_at_a_line(tmp_path) as file:
        things = {"lock": held(None), "jobs": filled(None), "file": file, "errors": sys.__stderr__}
        back = system.spawn(Leaves, **things).result(20)
    assert back["errors"] is sys.__stderr__
    assert back["lock"].acquire(timeout=5)
    assert back["jobs"].get_nowait() == "job"
    with back["file"] as again:
        assert again.read() == "two\n"
