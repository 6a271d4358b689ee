"""Results of many calls: with as many under way as are looked ahead, no more."""

from __future__ import annotations

import asyncio
import itertools
import operator

import pytest

from tests.pool import tasks
from tests.stage import note, notes, until
from understudy import ConfigError

pytestmark = pytest.mark.requirement("B1")


class Source:
    """Counts without an end, and knows how far it was read."""

    def __init__(self):
        self.read = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.read += 1
        return self.read - 1


@pytest.mark.parametrize("chunksize", [1, 5])
def test_imap_reads_only_so_far_ahead_of_what_is_asked_for(shared, chunksize):
    source = Source()
    results = shared.imap(tasks.double, source, chunksize=chunksize, ahead=4)
    assert [next(results) for _ in range(10)] == [2 * number for number in range(10)]
    assert source.read <= 10 + 5 * chunksize
    results.close()
    assert shared.submit(tasks.double, 1).result(60) == 2


def test_imap_takes_several_iterables_to_the_end_of_the_shortest(shared):
    assert list(shared.imap(operator.add, range(5), itertools.count(10))) == [10, 12, 14, 16, 18]
    assert list(shared.imap(operator.add, [], [])) == []


def test_imap_unordered_gives_what_is_done_first(shared, gate):
    def act(number):
        return tasks.hold(str(gate)) if number == 0 else number

    results = shared.imap_unordered(act, range(40), ahead=8)
    first = [next(results) for _ in range(39)]
    assert sorted(first) == list(range(1, 40))
    gate.touch()
    assert next(results) > 1
    assert list(results) == []


@pytest.mark.parametrize("verb", ["imap", "imap_unordered"])
def test_an_error_ends_the_stream_where_it_happens(shared, verb):
    results = getattr(shared, verb)(lambda number: 1 // (number - 3), range(1000), ahead=1)
    assert [next(results) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_is_not_asked_for_any_more_is_cancelled(shared, gate, tmp_path):
    path = tmp_path / "done"

    def act(number):
        if number in {1, 2}:
            return tasks.hold(str(gate))
        note(path, number)
        return number

    pending = shared.map(act, range(100), chunksize=1)
    assert next(pending) == 0
    until(lambda: len(notes(f"{gate}.begun")) == 2, 60, "two at work")
    pending.close()
    gate.touch()
    assert shared.submit(tasks.double, 1).result(60) == 2
    assert len(notes(path)) < 50


def test_starmap_takes_rows_of_arguments(shared):
    assert list(shared.starmap(operator.sub, [(3, 1), [5, 5], (0, 2)])) == [2, 0, -2]
    assert list(shared.starmap(operator.sub, zip(range(100), range(100), strict=True), chunksize=7)) == [0] * 100


def test_amap_streams_for_asyncio_from_both_kinds_of_iterables(shared):
    async def numbers():
        for number in itertools.count():
            yield number

    async def main():
        got = []
        async for value in shared.amap(tasks.double, numbers(), ahead=4):
            got.append(value)
            if len(got) == 20:
                break
        return got, [value async for value in shared.amap(tasks.double, range(5), chunksize=2)]

    assert asyncio.run(main()) == ([2 * number for number in range(20)], [0, 2, 4, 6, 8])


def test_wrong_numbers_are_refused(shared):
    for call in (shared.imap, shared.imap_unordered, shared.amap):
        with pytest.raises(ConfigError, match="ahead=0"):
            call(tasks.double, [1], ahead=0)
