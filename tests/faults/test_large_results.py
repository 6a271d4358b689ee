"""Large results: they arrive, or are refused by the limit; the router does other things meanwhile; memory returns."""

from __future__ import annotations

import gc
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.stage import until
from understudy import ActorSystem, Process, ResultError, Status, TooLarge, UnknownActor
from understudy.wire import messages
from understudy.wire.codec import encode
from understudy.wire.keys import tag
from understudy.wire.messages import Identity
from understudy.wire.pickling import dump_frames
from understudy.wire.sockets import Line, at

MIB = 1 << 20


def plain(size):
    return bytes(size)


def nested(size):
    return {"within": b"\x01" * size}


def text(size):
    return "t" * size


def array(size):
    return np.ones(size, dtype=np.uint8)


KINDS = [plain, nested, text, array]


def weight(value):
    return len(value["within"]) if isinstance(value, dict) else len(value)


def resident():
    """MiB of this process, in memory."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) // 1024


def arrives(system, make, size):
    """It does; other questions are answered meanwhile; what it took is given back."""
    gc.collect()
    before = resident()
    ref = system.spawn(make, size)
    slowest = 0.0
    while not ref.done():
        asked = time.monotonic()
        assert len(system.ps()) <= 1
        slowest = max(slowest, time.monotonic() - asked)
        time.sleep(0.002)
    value = ref.result(60)
    assert weight(value) == size
    assert ref.result() is value
    assert slowest < 5
    del value, ref
    until(lambda: gc.collect() >= 0 and resident() < before + size / MIB / 2, 20, "the memory being given back")


@pytest.mark.fault("F14")
@pytest.mark.parametrize("make", KINDS)
def test_a_large_result_arrives_and_its_memory_returns(system, make):
    arrives(system, make, 64 * MIB)


@pytest.mark.soak
@pytest.mark.fault("F14")
@pytest.mark.parametrize("make", KINDS)
def test_a_huge_result_arrives_and_its_memory_returns(system, make):
    arrives(system, make, 512 * MIB)


@pytest.mark.fault("F14")
def test_many_large_results_at_a_time_all_arrive(system):
    refs = [system.spawn(nested, (8 + number) * MIB) for number in range(4)]
    assert [weight(ref.result(60)) for ref in refs] == [(8 + number) * MIB for number in range(4)]


@pytest.mark.fault("F14")
def test_beyond_the_limit_a_result_is_refused_in_the_child_by_its_name(system):
    with pytest.raises(
        ResultError, match=r"TooLarge: the result of big has 2097\d+ bytes; limits.result allows 1048576"
    ) as caught:
        system.spawn(plain, 2 * MIB, name="big", config={"limits.result": MIB}).result(30)
    assert type(caught.value.__cause__) is TooLarge


@pytest.mark.soak
@pytest.mark.fault("F14")
def test_the_system_stops_at_once_while_a_huge_result_is_on_its_way():
    with ActorSystem() as system:
        refs = [system.spawn(nested, 512 * MIB) for _ in range(2)]
        until(lambda: all(ref.info().status is not Status.STARTING for ref in refs), 60, "their lives")
        until(lambda: all(ref.info().status is not Status.RUNNING for ref in refs), 60, "their ends")
        began = time.monotonic()
        system.shutdown(force=True)
        assert time.monotonic() - began < 10  # a second, on a quiet machine


@pytest.mark.fault("F14")
def test_what_was_given_is_kept_for_who_holds_the_ref_and_no_longer(system):
    ref = system.spawn(plain, 2 * MIB, name="big")
    value = ref.result(30)
    assert system.ref("big").result() is value
    del ref
    gc.collect()
    with pytest.raises(UnknownActor, match="its outcome is no longer kept"):
        system.ref("big").result()
    small = system.spawn(plain, 10, name="small").result(30)
    assert system.ref("small").result() == small


@pytest.mark.fault("F14")
def test_what_nobody_has_asked_for_waits_for_who_asks_by_name(system):
    system.spawn(plain, 2 * MIB, name="big")
    assert system.wait_all(timeout=30) == {"big": Status.FINISHED}
    assert len(system.ref("big").result(30)) == 2 * MIB


def two_arrays():
    fixed = np.arange(100_000)
    fixed.flags.writeable = False
    return np.arange(100_000), fixed, np.arange(3), bytearray(100_000)


@pytest.mark.fault("F14")
def test_an_array_that_could_be_written_to_can_be_where_it_arrives(system):
    free, fixed, short, raw = system.spawn(two_arrays).result(30)
    free += 1
    short[0] = 7
    raw[0] = 9
    assert (int(free[0]), int(free[-1]), int(short[0]), raw[0]) == (1, 100_000, 7, 9)
    assert not fixed.flags.writeable


class Steady(Process):
    def __loop__(self):
        self.sleep(60)

    def __result__(self):
        return "its own"


def forge(directory, identity, key):
    """Say in the name of another actor what is large and bears no right tag; how many such messages."""
    line = Line(at(directory), 1 << 30)
    whole, *_ = frames = dump_frames(nested(16 * MIB), "result")
    altered = [whole[:-9] + b"\x02" + whole[-8:]]
    said = [(None, frames), (b"\0" * 16, frames), (tag(key, frames), altered)]
    for mark, sent in said:
        line.report(encode(identity, messages.Result({}, mark, tuple(sent))))
    line.flush(10_000)
    return len(said)


@pytest.mark.fault("F53")
@pytest.mark.fault("F14")
def test_a_large_result_without_its_tag_is_dropped_and_never_acknowledged(system):
    ref = system.spawn(Steady)
    ref.wait_ready(30)
    world = system._world
    before = world.dropped
    stranger = system.spawn(forge, world.directory, Identity(world.system, ref.uid, 1, 1), world.key)
    assert stranger.result(60) == 3
    until(lambda: world.dropped == before + 3, 30, "all of them being counted")
    assert ref.info().status is Status.RUNNING
    ref.stop()
    assert ref.result(30) == "its own"


@pytest.mark.fault("F14")
def test_what_dies_while_its_large_result_is_looked_at_has_an_outcome(system):
    class Dies(Process):
        def __init__(self):
            self.config.num_loops = 1

        def __loop__(self):
            signal.setitimer(signal.ITIMER_REAL, 60)

        def __result__(self):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            return nested(64 * MIB)

    ref = system.spawn(Dies)
    assert ref.wait(60) in {Status.FINISHED, Status.CRASHED}
    assert ref.exception() is None or "SIGALRM" in str(ref.exception())
