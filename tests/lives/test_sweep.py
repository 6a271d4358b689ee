"""What an actor started goes with it, however it hid and however the actor ended; and nobody stays a zombie."""

from __future__ import annotations

import os
import signal
import subprocess
import warnings
from pathlib import Path

import pytest

from tests.lives.leftovers import WAYS, start
from tests.stage import alive, gone, note, noted, notes, running, state_of, until
from understudy import ActorSystem, Process, Status


class Leaving(Process):
    """Starts something, then ends in that way."""

    def __init__(self, path, end, *ways):
        self.path, self.end, self.ways = str(path), end, ways
        self.config.num_loops = 1

    def __loop__(self):
        for way in self.ways:
            start(way, self.path)
        match self.end:
            case "crash":
                raise RuntimeError("no luck")
            case "exit":
                os._exit(3)
            case "death":
                os.kill(os.getpid(), signal.SIGKILL)
            case "life":
                self.sleep(600)


@pytest.mark.requirement("K4")
def test_whatever_it_started_goes_with_an_actor_that_dies(system, tmp_path, host):
    started = {way: tmp_path / str(number) for number, way in enumerate(WAYS)}
    refs = [system.spawn(Leaving, path, "death", way, host=host) for way, path in started.items()]
    for ref, path in zip(refs, started.values(), strict=True):
        assert ref.wait(30) is Status.CRASHED
        gone(*map(int, noted(path)))


@pytest.mark.requirement("K4")
@pytest.mark.parametrize(("end", "status"), [("finish", "FINISHED"), ("crash", "CRASHED"), ("exit", "CRASHED")])
def test_however_the_actor_ends(system, tmp_path, end, status, host):
    ref = system.spawn(Leaving, tmp_path / "started", end, *WAYS, host=host)
    assert str(ref.wait(30)) == status
    gone(*map(int, noted(tmp_path / "started", len(WAYS))))


@pytest.mark.requirement("K4")
def test_the_sweep_of_one_leaves_alone_what_others_started(system, tmp_path, host):
    other = system.spawn(Leaving, tmp_path / "others", "life", *WAYS, host=host)
    others = [int(pid) for pid in noted(tmp_path / "others", len(WAYS))]
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
    try:
        ref = system.spawn(Leaving, tmp_path / "started", "death", *WAYS, host=host)
        ref.wait(30)
        gone(*map(int, noted(tmp_path / "started", len(WAYS))))
        assert [way for way, pid in zip(WAYS, others, strict=True) if not alive(pid)] == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    other.kill()
    gone(*others)


@pytest.mark.requirement("K4")
def test_the_sweep_leaves_a_forked_copy_of_the_parent_alone(system, tmp_path, host):
    """It shares the parent's memory, and so whatever the parent shares with its actors."""
    ref = system.spawn(Leaving, tmp_path / "started", "life", "own session", host=host)
    started = [int(pid) for pid in noted(tmp_path / "started")]
    running(ref)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if (copy := os.fork()) == 0:
            signal.pause()
            os._exit(0)
    try:
        os.kill(ref.info().pid, signal.SIGKILL)
        ref.wait(30)
        gone(*started)
        assert alive(copy)
    finally:
        os.kill(copy, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == -signal.SIGKILL


@pytest.mark.requirement("K4")
def test_reap_says_what_was_swept_once(system, tmp_path, host):
    assert system.reap() == []
    ways = ("child", "own session", "daemon")
    system.spawn(Leaving, tmp_path / "started", "finish", *ways, host=host).result(30)
    started = [int(pid) for pid in noted(tmp_path / "started", 3)]
    gone(*started)
    told: list[int] = []

    def all_told():
        told.extend(system.reap())
        return len(told) >= len(started)

    until(all_told, 20, "all numbers")
    assert sorted(told) == sorted(started)
    assert system.reap() == []


@pytest.mark.requirement("K4")
def test_nobody_stays_a_zombie(system, tmp_path, host):
    path = tmp_path / "started"
    refs = [
        system.spawn(Leaving, path, end, "child", "fork", "orphan", host=host) for end in ("finish", "crash", "death")
    ]
    system.wait_all(refs, 30)
    dead = [int(pid) for pid in noted(path, 9)] + [life.pid for ref in refs for life in ref.history()]
    until(lambda: all(state_of(pid) is None for pid in dead), 20, "the burial of all")
    assert not [info for info in system.ps(all=True) if info.is_zombie]


@pytest.mark.requirement("K4")
def test_the_sweep_does_not_delay_the_replacement(tmp_path, monkeypatch):
    """A look around that is slow is not waited for by the next life."""
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "zygote.sweep=sleep:0.5")

    class Phoenix(Leaving):
        def __loop__(self):
            alive_before = sum(alive(int(pid)) for pid in notes(self.path))
            note(f"{self.path}.lives", alive_before)
            if self.incarnation < 5:
                super().__loop__()

    with ActorSystem() as system:
        config = {"lives": 5, "restart.backoff.base": 0}
        system.spawn(Phoenix, tmp_path / "started", "death", "own session", config=config).wait(30)
        # The look begins 10 ms after the death: a parent that gets no processor for so long may come second, once.
        before_the_sweep = [int(number) > 0 for number in notes(tmp_path / "started.lives")[1:]]
        assert len(before_the_sweep) == 4
        assert any(before_the_sweep)
        gone(*map(int, notes(tmp_path / "started")))


@pytest.mark.requirement("K4")
def test_a_system_that_closes_leaves_nothing_of_what_its_actors_started(tmp_path, host):
    with ActorSystem() as system:
        system.spawn(Leaving, tmp_path / "started", "life", *WAYS, host=host)
        started = [int(pid) for pid in noted(tmp_path / "started", len(WAYS))]
        assert all(alive(pid) for pid in started)
    gone(*started)


@pytest.mark.requirement("K4")
def test_the_place_of_the_system_is_removed_with_it(tmp_path):
    with ActorSystem() as system:
        system.spawn(Leaving, tmp_path / "started", "finish", "child").result(30)
        place = Path(system.endpoint.removeprefix("ipc://"))
        assert place.is_dir()
    assert not place.exists()
