"""The clients in another language, against live systems; skipped, with the reason, where they cannot be had."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stage import hold, running, until
from understudy import ActorSystem, Process, Status

FOLDER = Path(__file__).parents[2] / "examples" / "other_languages"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "understudy-tests")
LOAD = "await import('zeromq'); await import('@msgpack/msgpack')"
QUEUES = 40_000  # events that fill those of both sides, and then some


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@pytest.fixture(scope="session")
def packages():
    """A folder with what package.json asks for, installed once for all sessions."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no node, or no npm")
    version = subprocess.run([node, "--version"], capture_output=True, check=True).stdout
    wanted = (FOLDER / "package.json").read_bytes()
    place = CACHE / f"node-{hashlib.sha256(version + wanted).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers wait for the first
        if not (place / "installed").exists():
            shutil.copy(FOLDER / "package.json", place)
            # No scripts: zeromq brings its binary along, or would begin to compile one.
            install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-timeout=20000"]
            try:
                done = subprocess.run(install, cwd=place, capture_output=True, text=True, timeout=120, check=False)
            except subprocess.TimeoutExpired:
                pytest.skip("npm did not get its packages within 120 s")
            if done.returncode:
                pytest.skip(f"npm could not get its packages: {done.stderr.strip()[-300:]}")
            check = [node, "--input-type=module", "-e", LOAD]
            tried = subprocess.run(check, cwd=place, capture_output=True, text=True, timeout=60, check=False)
            if tried.returncode:
                pytest.skip(f"node cannot load zeromq here: {tried.stderr.strip()[-300:]}")
            (place / "installed").touch()
    return place / "node_modules"


@pytest.fixture
def clients(packages, tmp_path):
    """A copy of the folder beside which the packages stand."""
    folder = tmp_path / "clients"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("node_modules", "package-lock.json"))
    (folder / "node_modules").symlink_to(packages)
    return folder


@pytest.fixture
def system(nothing_is_left_behind):
    with ActorSystem() as opened:
        yield opened
        opened.shutdown(force=True)


@contextmanager
def program(clients, name, *arguments):
    """It runs, and its lines are collected as they come."""
    command = ["node", str(clients / name), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines: deque[str] = deque()
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        try:
            yield process, lines
        finally:
            process.kill()
            reader.join()


def shown(lines, pattern, seconds=20):
    """The match in the first line that has one."""
    return until(
        lambda: next(filter(None, (re.search(pattern, line) for line in list(lines))), None),
        seconds,
        f"a line {pattern!r}",
    )


def run(clients, name, *arguments):
    command = ["node", str(clients / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.requirement("A4")
def test_the_observer_shows_the_actors_then_every_change_until_the_end(system, clients, tmp_path):
    first = system.spawn(Idle, name="crew/first")
    running(first)
    with program(clients, "observe.mjs", system.name) as (process, lines):
        shown(lines, rf"{re.escape(system.name[:24])}\.\w+ at \d+: 1 actors")
        shown(lines, r"^  crew/first RUNNING lap 1$")
        gate = tmp_path / "gate"
        second = system.spawn(hold, gate, name="second")
        running(second)
        gate.touch()
        second.wait(20)
        first.kill()
        first.wait(20)
        system.shutdown()
        assert process.wait(20) == 0
        errors = process.stderr.read()
    changes = [match.groups() for line in lines if (match := re.search(r"^\d+ state (\S+)#1 (\w+) -> (\w+)", line))]
    assert [change[1:] for change in changes if change[0] == "second"] == [
        ("CREATED", "STARTING"),
        ("STARTING", "RUNNING"),
        ("RUNNING", "STOPPING"),
        ("STOPPING", "FINISHED"),
    ]
    assert [change[2] for change in changes if change[0] == "crew/first"][-1] == "KILLED"
    numbers = [int(line.split()[0]) for line in lines if line[0].isdigit()]
    assert numbers == sorted(set(numbers)), "each event once, in order"
    assert re.fullmatch(r"bye at \d+\n", lines[-1])
    assert errors == ""


def test_the_observer_ends_when_nobody_reads_it_any_more(system, clients):
    running(system.spawn(Idle, name="first"))
    command = ["node", str(clients / "observe.mjs"), system.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "1 actors" in process.stdout.readline()
        process.stdout.close()
        until(lambda: system.spawn(os.getpid).wait(20) and process.poll() is not None, 30, "its end")
        assert (process.returncode, process.stderr.read()) == (141, "")


@pytest.mark.requirement("A4")
@pytest.mark.fault("F51")
def test_an_observer_that_was_cut_off_catches_up_with_what_is_kept(system, clients):
    """Stopped while more happens than the queues hold; the journal has all that counts."""
    ref = system.spawn(Idle, name="busy")
    running(ref)
    with program(clients, "observe.mjs", system.name) as (process, lines):
        shown(lines, r"at \d+: 1 actors")
        until(lambda: system._calls.make(system._world.hub.watched), 20, "its subscription")
        process.send_signal(signal.SIGSTOP)
        publisher = system._world.publisher
        for _ in range(QUEUES // 1000):
            system._calls.make(
                lambda: [
                    publisher.publish("progress", "busy", ref.uid, 1, None, None, None, {"progress": 1.0})
                    for _ in range(1000)
                ]
            )
        ref.kill()
        ref.wait(20)
        process.send_signal(signal.SIGCONT)
        since, until_ = shown(lines, r"caught up from (\d+) to (\d+)", 30).groups()
        shown(lines, r"state busy#1 \w+ -> KILLED")
        assert int(until_) - int(since) > QUEUES / 4
        after = system.spawn(os.getpid, name="after")
        after.wait(20)
        shown(lines, r"state after#1 STOPPING -> FINISHED")
        system.shutdown()
        assert process.wait(20) == 0
    numbers = [int(line.split()[0]) for line in lines if line[0].isdigit()]
    assert numbers == sorted(set(numbers)), "each event at most once, in order"
    assert not [line for line in lines if line.startswith("missed")]


@pytest.mark.requirement("A4")
def test_an_observer_that_missed_what_is_gone_says_so_and_takes_a_snapshot(system, clients):
    ref = system.spawn(Idle, name="busy")
    running(ref)
    with program(clients, "observe.mjs", system.name) as (process, lines):
        shown(lines, r"at \d+: 1 actors")
        until(lambda: system._calls.make(system._world.hub.watched), 20, "its subscription")
        process.send_signal(signal.SIGSTOP)
        publisher = system._world.publisher
        for _ in range(QUEUES // 1000):  # of this kind every single one counts, and 10,000 are kept
            system._calls.make(
                lambda: [publisher.publish("health", "busy", ref.uid, 1, None, None, "flicker") for _ in range(1000)]
            )
        process.send_signal(signal.SIGCONT)
        shown(lines, r"missed: some of .*health", 30)
        until(lambda: len([line for line in lines if " at " in line]) >= 2, 20, "a second snapshot")
        assert system.stop("busy") == {"busy": "asked"}
        assert ref.wait(20) is Status.FINISHED
        shown(lines, r"state busy#1 \w+ -> FINISHED")


@pytest.mark.requirement("K1")
def test_an_actor_is_stopped_by_name_and_others_by_glob(system, clients):
    one, two, three = (system.spawn(Idle, name=name) for name in ("web/eu", "web/us", "audit"))
    running(one, two, three)
    done = run(clients, "stop.mjs", system.name, "web/eu")
    assert (done.returncode, done.stdout, done.stderr) == (0, "web/eu: asked\n", "")
    assert one.wait(20) is Status.FINISHED
    done = run(clients, "stop.mjs", system.name, "web/*", "0.5")
    assert (done.returncode, done.stdout) == (0, "web/us: asked\n")
    assert two.wait(20) is Status.FINISHED
    done = run(clients, "stop.mjs", system.name, "web/eu")
    assert done.stdout == "web/eu: ended\n"
    assert three.info().status is Status.RUNNING


def test_what_is_refused_is_one_line_with_the_name_of_the_error(system, clients):
    running(system.spawn(Idle, name="indexer"))
    done = run(clients, "stop.mjs", system.name, "indxer")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "UnknownActor: no actor is named 'indxer'; did you mean indexer?\n"
    done = run(clients, "stop.mjs", system.name, "indexer", "-1")
    assert done.returncode == 1
    assert done.stderr.startswith(("ConfigError: ", "ProtocolError: "))
    done = run(clients, "observe.mjs", "no-such-system")
    assert done.returncode == 1
    assert done.stderr.startswith("UnknownActor: no system named 'no-such-system' runs here; of this user run: ")
    assert system.name in done.stderr
    done = run(clients, "observe.mjs")
    assert (done.returncode, done.stderr) == (2, "usage: node observe.mjs SYSTEM\n")
