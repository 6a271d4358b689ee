"""Out of memory: what Python still can tell is told, and where the kernel killed, that is said."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from tests.stage import report_of, running, until
from understudy import ActorDied, MainLoopError, PreloopError, Process, ResultError
from understudy.spawners import oom

MIB = 1 << 20


def leave(room):
    """Let this process have so many bytes more, and no others."""
    status = Path("/proc/self/status").read_text().splitlines()
    size = int(next(line for line in status if line.startswith("VmSize")).split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))


def at_once(_):
    bytearray(1 << 34)


def bit_by_bit(_):
    hoard = []
    while True:
        hoard.append(object())


def in_its_state(process):
    process.hoard = None
    while True:
        process.hoard = [process.hoard]


class Starves(Process):
    def __init__(self, act):
        self.act = act
        self.config.lives = 2
        self.config.restart.backoff.base = 0

    def __preloop__(self):
        if self.current_lap == 1:
            leave(24 * MIB)

    def __loop__(self):
        if self.incarnation == 1:
            self.act(self)
        self.stop()

    def __result__(self):
        return "the next one had room"


class StarvesForGood(Starves):
    def __init__(self, act):
        super().__init__(act)
        self.config.lives = 1

    def __error__(self):
        assert self.error is not None
        return f"handled: {type(self.error.__cause__).__name__}"


class Packs(Process):
    """Its result fits, but not twice."""

    def __init__(self):
        self.config.num_loops = 1

    def __preloop__(self):
        self.rows = [bytes(40 * MIB)]
        leave(24 * MIB)

    def __loop__(self):
        pass

    def __result__(self):
        return self.rows


@pytest.mark.requirement("E5")
@pytest.mark.fault("F18")
@pytest.mark.parametrize("act", [at_once, bit_by_bit, in_its_state])
def test_a_memory_error_of_a_hook_is_told_and_the_next_life_has_room(system, act):
    ref = system.spawn(Starves, act, name="starves")
    assert ref.result(60) == "the next one had room"
    report = ref.history()[0].report
    assert report.cause == "MemoryError (__loop__ of starves, lap 1, incarnation 1)"
    assert "MemoryError" in report.stacks
    assert act is in_its_state or act.__name__ in report.stacks, "where nothing at all is left, Python notes no frames"


@pytest.mark.requirement("E5")
@pytest.mark.fault("F18")
@pytest.mark.parametrize("act", [at_once, bit_by_bit, in_its_state])
def test_last_rites_are_held_where_memory_ran_out(system, act):
    ref = system.spawn(StarvesForGood, act)
    assert ref.result(60) == "handled: MemoryError"
    assert type(ref.exception()) is MainLoopError


@pytest.mark.requirement("E5")
@pytest.mark.fault("F18")
def test_a_result_for_whose_packing_there_is_no_room_is_an_error_of_its_section(system):
    with pytest.raises(ResultError, match="MemoryError") as caught:
        system.spawn(Packs).result(60)
    assert type(caught.value.__cause__) is MemoryError


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """The kernel's count of OOM kills, as the parent will read it."""
    monkeypatch.setattr(oom, "PROC", tmp_path)
    file = tmp_path / "vmstat"
    file.write_text("nr_free_pages 5\noom_kill 2\n")
    return file


class Idle(Process):
    def __loop__(self):
        self.sleep(60)


@pytest.mark.fault("F18")
def test_a_death_by_the_kernel_for_lack_of_memory_is_told_as_that(system, counted):
    ref = system.spawn(Idle, name="idle")
    running(ref)
    until(lambda: ref.info().section == "loop", 30, "its lap")
    counted.write_text("nr_free_pages 5\noom_kill 3\n")
    os.kill(ref.info().pid, signal.SIGKILL)
    error = ref.exception(30)
    assert type(error) is ActorDied
    assert error.signal == "SIGKILL"
    text = "idle was ended by SIGKILL, probably for lack of memory (the kernel counted an OOM kill) in __loop__ (lap 1"
    assert str(error).startswith(text)
    assert report_of(error).cause.startswith(text)


@pytest.mark.fault("F18")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_death_is_not_laid_to_lack_of_memory_without_reason(system, counted, number):
    ref = system.spawn(Idle)
    ref.wait_ready(30)
    if number is not signal.SIGKILL:  # the kernel takes no other for it
        counted.write_text("oom_kill 3\n")
    os.kill(ref.info().pid, number)
    assert "memory" not in str(ref.exception(30))


@pytest.mark.fault("F18")
def test_a_life_is_not_blamed_for_what_the_kernel_did_before_it(system, counted):
    counted.write_text("oom_kill 7\n")
    ref = system.spawn(Idle)
    ref.wait_ready(30)
    os.kill(ref.info().pid, signal.SIGKILL)
    assert "memory" not in str(ref.exception(30))


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/user.slice/one", "user.slice/one/memory.events"),
        ("4:cpu,memory:/box/one", "memory/box/one/memory.oom_control"),
    ],
)
@pytest.mark.fault("F18")
def test_the_count_is_of_its_cgroup_where_that_has_one(tmp_path, monkeypatch, line, file):
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroups"
    monkeypatch.setattr(oom, "PROC", proc)
    monkeypatch.setattr(oom, "CGROUPS", cgroups)
    (proc / "42").mkdir(parents=True)
    (proc / "42" / "cgroup").write_text(f"9:pids:/elsewhere\n{line}\n")
    (proc / "vmstat").write_text("oom_kill 1\n")
    counter = cgroups / file
    counter.parent.mkdir(parents=True)
    counter.write_text("oom 9\noom_kill 0\n")
    witness = oom.Witness(42)
    (proc / "vmstat").write_text("oom_kill 2\n")
    assert not witness.saw(), "it was somebody else's cgroup"
    counter.write_text("oom 9\noom_kill 1\n")
    assert witness.saw()


@pytest.mark.fault("F18")
def test_where_nothing_counts_nothing_was_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(oom, "PROC", tmp_path)
    witness = oom.Witness(42)
    (tmp_path / "vmstat").write_text("oom_kill 2\n")
    assert not witness.saw()


@pytest.mark.fault("F18")
def test_a_preloop_without_room_is_an_error_of_its_own(system):
    def cramped(process):
        leave(24 * MIB)
        at_once(process)

    class Cramped(Process):
        def __preloop__(self):
            cramped(self)

        def __loop__(self):
            self.stop()

    with pytest.raises(PreloopError, match="MemoryError"):
        system.spawn(Cramped).result(60)
