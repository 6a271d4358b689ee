"""What the parent keeps of the ended: a row of each, and no more bytes than were promised of what nobody refers to."""

from __future__ import annotations

import gc

import pytest

from understudy import Process, Status, UnknownActor
from understudy.lifecycle import archive

MIB = 1 << 20


class Heavy(Process):
    """Weighs as much again when it has ended."""

    def __init__(self, size):
        self.state = bytes(size)
        self.config.num_loops = 1

    def __loop__(self):
        """Nothing."""

    def __result__(self):
        return self.state


def held(system):
    """Bytes of states and outcomes that the parent holds."""
    world = system._world
    blobs = sum(len(actor.spec.blob) for actor in world.registry.listed())
    outcomes = [cell.outcome.result for cell in world.cells.values() if cell.outcome is not None]
    opened = [cell.opened[0] for cell in world.cells.values() if cell.opened is not None]
    kept = [actor for actor in world.registry.listed() if actor.result is not None or actor.outcome is not None]
    assert not kept  # held once, by the cell
    return blobs + sum(len(frame) for one in outcomes for frame in one.frames) + sum(map(len, opened))


@pytest.mark.requirement("H1")
def test_of_ended_actors_that_nobody_refers_to_no_more_is_kept_than_so_many_bytes(system, monkeypatch):
    monkeypatch.setattr(archive, "KEEP_BYTES", 5 * MIB)
    mine = system.spawn(Heavy, MIB, name="mine")
    mine.wait(20)
    for number in range(8):
        system.spawn(Heavy, MIB, name=f"heavy-{number}").wait(20)
    gc.collect()
    system.spawn(Heavy, 0, name="last").wait(20)
    assert held(system) <= 5 * MIB
    # Of all of them the row is there; what is referred to, and what ended last, is there in full.
    assert len(system.ps(all=True)) == 10
    assert len(mine.result()) == MIB
    assert len(system.ref("heavy-7").result()) == MIB
    first = system.ref("heavy-0")
    assert first.wait(0) is Status.FINISHED
    assert first.info().status is Status.FINISHED
    with pytest.raises(UnknownActor, match="no longer kept"):
        first.result()
    with pytest.raises(UnknownActor, match="no longer kept"):
        system.restart("heavy-0")
    assert system.restart(mine) == {"mine": "ended"}
    assert system.ref("mine").wait(20) is Status.FINISHED


@pytest.mark.requirement("H1")
def test_one_that_weighs_too_much_alone_is_kept_until_the_next_ends_and_opened_once(system, monkeypatch):
    monkeypatch.setattr(archive, "KEEP_BYTES", MIB)
    system.spawn(Heavy, 2 * MIB, name="huge").wait(20)
    gc.collect()
    ref = system.ref("huge")
    assert ref.result() is ref.result()
    assert held(system) < 2 * 2 * MIB + MIB // 2
    del ref
    gc.collect()
    system.spawn(Heavy, 0, name="last").wait(20)
    assert held(system) < MIB
