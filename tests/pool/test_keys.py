"""Tasks under keys: functions and Process classes alike."""

from __future__ import annotations

import os

import pytest

from tests.pool import tasks
from tests.stage import until
from understudy import ActorError, ConfigError, MainLoopError, Pool, PoolTaskError, TaskRecord

pytestmark = pytest.mark.requirement("B2")


@pytest.fixture
def pool(system):
    with Pool(2, name="keyed", system=system) as opened:
        yield opened


def test_functions_and_processes_are_found_by_their_keys(pool):
    pool.submit_function("sum", sum, [1, 2, 3])
    pool.submit_process("count", tasks.Counter, 5)
    assert (pool.result("sum", 60), pool.result("count", 60)) == (6, 5)
    record = pool.record("count")
    assert (record.key, record.kind, record.order, record.is_done) == ("count", "Counter", 1, True)
    assert (record.worker, record.result, record.error) == ("keyed/count", 5, None)
    assert record.pid not in {None, os.getpid(), pool.record("sum").pid}
    assert pool.record("sum").kind == "sum"
    assert pool.results(60) == {"sum": 6, "count": 5}


def test_many_are_submitted_as_rows(pool):
    futures = pool.submit_many([("a", tasks.double, 2), ("b", tasks.Counter, 3), (("c", 1), tasks.double, "x")])
    assert [future.result(60) for future in futures] == [4, 3, "xx"]
    assert pool.results() == {"a": 4, "b": 3, ("c", 1): "xx"}


def test_results_raises_the_first_error_with_the_others_when_all_are_done(pool):
    pool.submit_many([("good", tasks.double, 1), ("raises", tasks.fail, "gone"), ("dies", tasks.die, 3)])
    pool.submit_process("crashes", tasks.Counter, 20)
    with pytest.raises(PoolTaskError) as caught:
        pool.results(60)
    error = caught.value
    assert (error.key, error.order, str(error)) == ("raises", 1, "task 'raises' (fail): LookupError: gone")
    assert isinstance(error.__cause__, LookupError)
    dies, crashes = error.others
    assert isinstance(dies, PoolTaskError)
    assert isinstance(crashes, PoolTaskError)
    assert (dies.key, crashes.key, crashes.worker) == ("dies", "crashes", "keyed/crashes")
    assert isinstance(crashes.__cause__, MainLoopError)
    assert crashes.report
    assert crashes.report.lap == 13
    assert pool.result("good") == 2
    assert isinstance(pool.record("crashes").error, PoolTaskError)


def test_a_process_task_has_the_lives_that_it_is_given(pool):
    error = pool.submit_process("twice", tasks.Counter, 20, config={"lives": 2}).exception(60)
    assert isinstance(error.__cause__ if error else None, ActorError)
    assert "incarnation 2" in str(error)


def test_no_more_processes_are_up_at_once_than_the_pool_has_workers(pool, gate, system):
    for number in range(4):
        pool.submit_process(number, tasks.Holder(str(gate)))
    until(lambda: len(system.ps()) == 2, 60, "two that run")
    assert pool.record(3) == TaskRecord(3, "Holder", 3, is_done=False)
    assert pool.stats().waiting >= 2
    gate.touch()
    assert pool.results(60) == dict.fromkeys(range(4), "held")


def test_what_waits_is_cancelled_with_the_others(system, gate):
    pool = Pool(1, system=system)
    first = pool.submit_process("first", tasks.Holder(str(gate)))
    until(first.running, 60, "the first")
    second = pool.submit_process("second", tasks.Holder(str(gate)))
    assert second.cancel()
    gate.touch()
    pool.shutdown()
    assert first.result(60) == "held"
    assert pool.record("second").is_done


def test_a_key_is_taken_until_it_is_forgotten(pool):
    pool.submit_function("one", tasks.double, 1)
    with pytest.raises(ConfigError, match="'one'"):
        pool.submit_process("one", tasks.Counter, 1)
    pool.forget("one")
    pool.submit_function("one", tasks.double, 2)
    assert pool.result("one", 60) == 4


def test_bad_keys_and_targets_are_refused_at_the_call(pool):
    with pytest.raises(KeyError, match="none"):
        pool.result("nobody")
    with pytest.raises(ConfigError, match="hashable"):
        pool.submit_function([], tasks.double, 1)
    with pytest.raises(ConfigError, match="no Process"):
        pool.submit_process("key", tasks.double)
    with pytest.raises(TypeError):
        pool.submit_process("key", tasks.Counter)
    assert pool.results() == {}
