"""Tags are checked a slice at a time: what is right is told once it is known, what is not is dropped and counted."""

from __future__ import annotations

from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from understudy.router.seals import SLICE, Seals
from understudy.router.timers import Timers
from understudy.wire.keys import Check, new_key, tag

KEY = new_key()


@pytest.fixture
def world() -> Any:
    return SimpleNamespace(key=KEY, timers=Timers(), dropped=0)


def rounds(world: Any) -> int:
    """How many rounds of the router it takes until nothing is left to do."""
    count = 0
    while world.timers.next() is not None:
        for act in list(world.timers.due(monotonic())):
            act()
        count += 1
    return count


def test_what_is_short_is_told_at_once(world: Any):
    told: list[str] = []
    frames = (b"p" * SLICE,)
    Seals(world).check(frames, tag(KEY, frames), lambda: told.append("right"))
    assert (told, world.timers.next()) == (["right"], None)


@pytest.mark.fault("F14")
def test_what_is_long_takes_as_many_rounds_as_it_has_slices(world: Any):
    told: list[str] = []
    frames = (memoryview(b"p" * (3 * SLICE + 1)), b"buffer")
    Seals(world).check(frames, tag(KEY, frames), lambda: told.append("right"))
    assert told == []
    assert rounds(world) == 3
    assert told == ["right"]
    assert world.dropped == 0


@pytest.mark.fault("F53")
@pytest.mark.parametrize("size", [10, 2 * SLICE])
@pytest.mark.parametrize("claimed", [None, b"", b"\0" * 16])
def test_what_has_no_right_tag_is_dropped_and_counted(world: Any, size: int, claimed: bytes | None):
    told: list[str] = []
    Seals(world).check((b"p" * size,), claimed, lambda: told.append("right"))
    rounds(world)
    assert (told, world.dropped) == ([], 1)


def test_they_are_told_in_the_order_of_their_coming_and_the_short_ones_do_not_wait(world: Any):
    told: list[str] = []
    seals = Seals(world)
    for name, size in (("first", 3 * SLICE), ("second", 2 * SLICE), ("short", 10)):
        frames = (b"p" * size,)
        seals.check(frames, tag(KEY, frames), lambda name=name: told.append(name))  # type: ignore[misc]
    rounds(world)
    assert told == ["short", "first", "second"]


@pytest.mark.fault("F53")
def test_one_bit_in_any_slice_is_seen():
    pickle = bytearray(b"p" * 1000)
    mark = tag(KEY, [pickle])
    for place in (0, 300, 999):
        pickle[place] ^= 1
        check = Check(KEY, [pickle], mark)
        steps = [check.go_on(300) for _ in range(4)]
        assert steps == [None, None, None, False]
        pickle[place] ^= 1
