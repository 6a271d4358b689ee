"""What actors wrote and logged, read from outside: the last of it, then what comes, nothing twice and nothing lost."""

from __future__ import annotations

import json
import logging
import os
import threading

import pytest

from tests.stage import until
from understudy import ActorSystem, LogEntry, Logs, Process, ProtocolError, Remote, Status, UnknownActor

FILE = {"output": "file", "heartbeat.interval": 0.05}


@pytest.fixture
def remote(system):
    with Remote(system.endpoint) as opened:
        yield opened


class Says(Process):
    """Writes and logs what it is given, then waits."""

    def __init__(self, *lines, stays=True):
        self.lines, self.stays = lines, stays

    def __loop__(self):
        for line in self.lines:
            print(line)
            self.log.warning("logged %s", line)
        if self.stays:
            self.sleep(600)
        self.stop()


def texts(found, stream):
    return [entry.text for entry in found.entries if entry.stream == stream]


def after_all(remote, name, stream, count, cursor=None):
    """So many entries of a stream, gathered answer by answer; and the last cursor."""
    gathered = []

    def enough():
        nonlocal cursor
        found = remote.logs(name, after=cursor)
        cursor = found.cursor
        gathered.extend(texts(found, stream))
        return len(gathered) >= count

    until(enough, 20, f"{count} entries of {stream}")
    return gathered, cursor


def test_lines_and_records_are_told_with_whose_they_are(system, remote):
    ref = system.spawn(Says, "one", "two", name="crew/a", config=FILE)
    until(lambda: len(texts(remote.logs(), "log")) == 2, 20, "the records")
    found = remote.logs("crew/*")
    assert isinstance(found, Logs)
    assert texts(found, "stdout") == ["one", "two"]
    assert texts(found, "log") == [f"WARNING understudy.actor.crew.a: logged {word}" for word in ("one", "two")]
    first, last = found.entries[0], found.entries[-1]
    assert first == LogEntry("crew/a", ref.uid, 1, "stdout", None, "one")
    assert (last.name, last.uid, last.incarnation, last.level) == ("crew/a", ref.uid, 1, logging.WARNING)
    assert last.time == pytest.approx(ref.info().started_at, abs=60)
    assert remote.logs("other-*").entries == ()
    with pytest.raises(UnknownActor, match="crew/b"):
        remote.logs(["crew/a", "crew/b"])


def test_so_many_of_the_last_are_told_and_then_what_comes(system, remote, tmp_path):
    class Counts(Process):
        def __loop__(self):
            print(self.current_lap)
            self.log.info("%d", self.current_lap)
            if self.current_lap == 50:
                until((tmp_path / "gate").exists, 60)
            if self.current_lap == 100:
                self.stop()

    logging.getLogger("understudy.actor").setLevel(logging.INFO)
    try:
        ref = system.spawn(Counts, name="counts", config=FILE)
        until(lambda: texts(remote.logs(lines=1), "log")[-1:] == ["INFO understudy.actor.counts: 50"], 20, "50")
        found = remote.logs("counts", lines=3)
        assert texts(found, "stdout") == ["48", "49", "50"]
        assert [text.split()[-1] for text in texts(found, "log")] == ["48", "49", "50"]
        again = remote.logs("counts", after=found.cursor)
        assert again.entries == ()
        (tmp_path / "gate").touch()
        assert ref.wait(20) is Status.FINISHED
        gathered, cursor = after_all(remote, "counts", "stdout", 50, json.loads(json.dumps(again.cursor)))
        assert gathered == [str(number) for number in range(51, 101)]
        assert remote.logs("counts", after=cursor).entries == ()
    finally:
        logging.getLogger("understudy.actor").setLevel(logging.NOTSET)


def test_who_follows_a_glob_sees_new_actors_and_the_last_words_of_those_that_end(system, remote):
    first = remote.logs("w-*")
    system.spawn(Says, "a", name="w-1", config=FILE)
    gathered, cursor = after_all(remote, "w-*", "stdout", 1, first.cursor)
    assert gathered == ["a"]
    ref = system.spawn(Says, "b", name="w-2", config=FILE)
    gathered, cursor = after_all(remote, "w-*", "stdout", 1, cursor)
    assert gathered == ["b"]
    ref.kill()
    ref.wait(20)
    system.spawn(Says, "c", stays=False, name="w-3", config=FILE).wait(20)
    gathered, cursor = after_all(remote, "w-*", "stdout", 1, cursor)
    assert gathered == ["c"], "it came and went between two looks"
    assert texts(remote.logs("w-*"), "stdout") == ["a"]
    assert texts(remote.logs("w-3"), "stdout") == ["c"]
    assert remote.logs("w-*", after=cursor).entries == ()


def test_a_cursor_that_is_none_is_refused(system, remote):
    for bad in ({}, {"record": -1, "uid": 0, "files": {}}, {"record": 0, "uid": 0, "files": {"1": {"stdout": [1]}}}):
        with pytest.raises(ProtocolError, match="field 'after' must be the cursor of a former answer"):
            remote.logs(after=bad)
    for lines in (0, 10_001):
        with pytest.raises(ProtocolError, match="field 'lines' must be an integer from 1 to 10000"):
            remote.logs(lines=lines)


@pytest.mark.fault("F64")
def test_a_follower_loses_nothing_when_files_are_renamed(tmp_path, nothing_is_left_behind):
    class Numbers(Process):
        last = 0

        def __loop__(self):
            self.last += 1
            print(self.last)
            self.sleep(0.001)

        def __result__(self):
            return self.last

    with ActorSystem(output_dir=tmp_path) as system, Remote(system.endpoint) as remote:
        ref = system.spawn(Numbers, name="n", config=FILE)
        gathered, cursor = after_all(remote, "n", "stdout", 1)
        out = tmp_path / "n" / "stdout"
        for number in range(3):
            out.rename(tmp_path / "n" / f"stdout.{number}")
            until(out.exists, 20, "a new file")
            some, cursor = after_all(remote, "n", "stdout", 10, cursor)
            gathered += some
        ref.stop()
        last = ref.result(20)
        some, cursor = after_all(remote, "n", "stdout", last - len(gathered), cursor)
        assert gathered + some == [str(number) for number in range(1, last + 1)]


def test_of_an_actor_without_files_a_first_answer_has_the_last_lines_of_stderr(system, remote):
    class Complains(Process):
        def __loop__(self):
            import sys

            print("a complaint", file=sys.stderr)
            self.log.error("a record")
            self.sleep(600)

    system.spawn(Complains, name="c")
    until(lambda: texts(remote.logs("c"), "log"), 20, "the record")
    found = remote.logs("c")
    assert texts(found, "stderr") == ["a complaint"]
    assert remote.logs("c", after=found.cursor).entries == ()


def test_our_own_records_about_an_actor_are_among_its_own(system, remote):
    def fails():
        raise ValueError("at once")

    ref = system.spawn(fails, name="f")
    ref.wait(20)
    (record,) = [entry for entry in remote.logs("f").entries if entry.stream == "log"]
    assert (record.name, record.uid, record.incarnation, record.level) == ("f", ref.uid, 1, logging.ERROR)
    assert "ValueError: at once" in record.text
    assert "Traceback" in record.text


def test_stacks_and_stories_can_be_had_from_outside(system, remote, tmp_path):
    def waits(stop_event):
        stop_event.wait(60)

    refs = [system.spawn(waits, name=f"w-{number}") for number in range(3)]
    until(lambda: all("in waits" in text for text in remote.stacks("w-*").values()), 20, "the stacks")
    assert sorted(remote.stacks()) == ["w-0", "w-1", "w-2"]
    assert list(remote.stacks(["w-1"])) == ["w-1"]
    assert remote.story("w-1") == system.story("w-1")
    assert any("spawned" in step for step in remote.story("w-1"))
    refs[0].kill()
    refs[0].wait(20)
    assert remote.stacks("w-0") == {"w-0": ""}
    with pytest.raises(UnknownActor):
        remote.stacks("w-9")


def test_one_that_is_held_keeps_nobody_else_from_being_answered(system, remote, tmp_path):
    import re

    def held():
        re.match(r"(a+)+b", "a" * 40)

    ref = system.spawn(held, name="held")
    until(lambda: ref.info().section == "loop", 20, "its lap")
    told = []
    with Remote(system.endpoint) as other:
        asks = threading.Thread(target=lambda: told.append(other.stacks("held")))
        asks.start()
        while asks.is_alive():
            assert [row.name for row in remote.ps()] == ["held"]
        asks.join()
    assert "in held" in told[0]["held"]
    ref.kill()


def test_a_shutdown_from_outside_is_answered_at_once_and_ends_all(system, remote):
    class Lingers(Process):
        def __loop__(self):
            self.sleep(600)

        def __result__(self):
            return "stopped"

    refs = [system.spawn(Lingers, name=f"l-{number}") for number in range(3)]
    for ref in refs:
        ref.wait_ready(20)
    assert remote.hello()["pid"] == os.getpid()
    assert remote.shutdown() == {f"l-{number}": "asked" for number in range(3)}
    assert [ref.result(20) for ref in refs] == ["stopped"] * 3
    until(lambda: not system.is_open, 20, "the end of the system")
    system.shutdown()


def test_a_shutdown_may_be_asked_for_twice_and_by_force_at_last(system, remote):
    class Stays(Process):
        def __loop__(self):
            import time

            time.sleep(600)

    ref = system.spawn(Stays, name="s")
    until(lambda: ref.info().section == "loop", 20, "its lap")
    assert remote.shutdown() == {"s": "asked"}
    for _ in range(20):
        assert remote.shutdown() == {"s": "already"}
    assert sum("understudy-shutdown" in thread.name for thread in threading.enumerate()) == 1
    assert remote.shutdown(force=True) == {"s": "asked"}
    assert ref.wait(20) is Status.KILLED
    until(lambda: not system.is_open, 20, "the end of the system")
